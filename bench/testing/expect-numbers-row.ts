/** A row of the comparison in small, against the real server: it must run to its end, so that none rots. */
import { spawnSync } from 'node:child_process';
import type { Test } from 'tap';
import { measureRows, type RowOutcome } from '../numbers/measure-rows.ts';
import { formatReport } from '../numbers/report.ts';
import type { Row } from '../numbers/row.ts';
import { createFirnmqTarget } from '../targets/firnmq-target.ts';

/**
 * Measures once and expects a sample in every figure; how large they are is not a test's business.
 *
 * @param isWrittenBothWays also with consumed messages written
 */
export async function expectNumbersRow(
  t: Test,
  row: Row,
  scale: number,
  isWrittenBothWays = false,
): Promise<readonly RowOutcome[]> {
  if (row.needsTls === true && spawnSync('openssl', ['version']).status !== 0) {
    t.pass(row.id, { skip: 'openssl, which makes the certificate, is not there' });
    return [];
  }
  const outcomes = await measureRows(
    [row],
    [{ ...createFirnmqTarget(null), canWriteConsumed: isWrittenBothWays }],
    {
      repeats: 1,
      seconds: 0.05,
      scale,
      serverCore: null,
      generatorCore: null,
      signal: new AbortController().signal,
    },
  );
  t.equal(outcomes.length, isWrittenBothWays ? 2 : 1);
  const report = formatReport([], outcomes);
  for (const { figures, failure, skipped, contestant } of outcomes) {
    t.equal(failure, null, contestant.name);
    t.equal(skipped, null, contestant.name);
    t.ok(figures.length > 0);
    for (const { figure } of figures) {
      t.ok(figure.values.length > 0 && figure.values.every(Number.isFinite), figure.what);
    }
    t.match(report, `| ${row.title} | ${contestant.name} | `);
  }
  return outcomes;
}
