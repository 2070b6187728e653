/** Measures rows one after the other, each with a deadline; one that fails does not end the others. */

import { freeDiskBytes } from './disk-use.ts';
import type { Figure } from './figure.ts';
import { RowRun, type StorageSettings } from './row-run.ts';
import { RowSkipped, type StorageRow } from './storage-row.ts';

/** Left free on the disk beside what a row fills. */
const DISK_RESERVE_BYTES = 1e9;

/** How long in all, and who watches. */
export interface MeasureOptions {
  /** A row that has not begun by then fails, one that is under way is given up. */
  readonly timeLimitMs: number;
  /** Gives up the row under way and all others. */
  readonly signal: AbortSignal;
  readonly onRow: (row: StorageRow) => void;
  readonly onOutcome: (outcome: RowOutcome) => void;
}

/** What became of a row. Figures have what was measured before it failed. */
export interface RowOutcome {
  readonly row: StorageRow;
  readonly figures: readonly Figure[];
  readonly seconds: number;
  /** Why it was not measured to its end; null: it was. */
  readonly failure: string | null;
  readonly skipped: string | null;
}

/** Measures every row; never rejects. */
export async function measureRows(
  rows: readonly StorageRow[],
  settings: StorageSettings,
  options: MeasureOptions,
): Promise<RowOutcome[]> {
  const endMs = performance.now() + options.timeLimitMs;
  const outcomes: RowOutcome[] = [];
  for (const row of rows) {
    options.onRow(row);
    const outcome = await measureRow(row, settings, endMs, options.signal);
    options.onOutcome(outcome);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function measureRow(
  row: StorageRow,
  settings: StorageSettings,
  endMs: number,
  signal: AbortSignal,
): Promise<RowOutcome> {
  const startedMs = performance.now();
  const run = new RowRun(settings);
  const end = (failure: string | null, skipped: string | null): RowOutcome => ({
    row,
    figures: run.figures,
    seconds: (performance.now() - startedMs) / 1000,
    failure,
    skipped,
  });
  try {
    if (signal.aborted) return end('interrupted before', null);
    if (startedMs >= endMs) return end('the time limit of the whole run was reached before', null);
    await expectFreeDisk(row, settings);
    await withDeadline(row.measure(run), Math.min(row.deadlineMs, endMs - startedMs), signal);
    return end(null, null);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof RowSkipped ? end(null, message) : end(message, null);
  } finally {
    await run.dispose();
  }
}

async function expectFreeDisk(row: StorageRow, settings: StorageSettings): Promise<void> {
  const neededBytes = row.diskBytes * settings.scale + DISK_RESERVE_BYTES;
  const freeBytes = await freeDiskBytes(settings.parentDirectory);
  if (freeBytes >= neededBytes) return;
  const [needed, free] = [neededBytes, freeBytes].map((bytes) => (bytes / 1e9).toFixed(1));
  throw new RowSkipped(`it needs ${needed} GB of disk, and ${free} GB are free`);
}

/** What `work` gives, unless it takes longer than `deadlineMs` or `signal` aborts. */
async function withDeadline(
  work: Promise<void>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  let giveUp = (_error: Error): void => {};
  const givenUp = new Promise<never>((_resolve, reject) => {
    giveUp = reject;
  });
  const timer = setTimeout(
    () => giveUp(new Error(`given up after ${(deadlineMs / 1000).toFixed(0)} s`)),
    deadlineMs,
  );
  const onAbort = (): void => giveUp(new Error('interrupted'));
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    await Promise.race([work, givenUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
