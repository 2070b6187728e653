/** A row of the storage benchmark in small, against the real server: it must run to its end, so that none rots. */
import { tmpdir } from 'node:os';
import type { Test } from 'tap';
import { measureRows, type RowOutcome } from '../storage/measure-rows.ts';
import type { StorageRow } from '../storage/storage-row.ts';

/** Far beyond what a row in small needs. */
const TIME_LIMIT_MS = 50_000;

/** Measures once and expects a sample in every figure; how large they are is not a test's business. */
export async function expectRow(t: Test, row: StorageRow, scale: number): Promise<RowOutcome> {
  const settings = {
    scale,
    repeats: 1,
    parentDirectory: tmpdir(),
    serverCore: null,
    generatorCore: null,
    restMs: 0,
    settleMs: 0,
  };
  const [outcome] = await measureRows([row], settings, {
    timeLimitMs: TIME_LIMIT_MS,
    signal: new AbortController().signal,
    onRow: () => {},
    onOutcome: () => {},
  });
  if (outcome === undefined) throw new Error('no outcome');
  t.equal(outcome.failure, null);
  t.equal(outcome.skipped, null);
  t.ok(outcome.figures.length > 0);
  for (const { what, values } of outcome.figures) {
    t.ok(values.length > 0 && values.every(Number.isFinite), what);
  }
  return outcome;
}
