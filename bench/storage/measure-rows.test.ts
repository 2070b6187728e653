import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import t from 'tap';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { type MeasureOptions, measureRows, type RowOutcome } from './measure-rows.ts';
import type { RowRun } from './row-run.ts';
import { formatStorageReport, isAllReached } from './storage-report.ts';
import { RowSkipped, type StorageRow } from './storage-row.ts';

const SETTINGS = {
  scale: 1,
  repeats: 1,
  parentDirectory: tmpdir(),
  serverCore: null,
  generatorCore: null,
  restMs: 0,
  settleMs: 0,
};

function row(id: string, measure: (run: RowRun) => Promise<void>, diskBytes = 0): StorageRow {
  return { id, title: `the ${id} row`, diskBytes, deadlineMs: 60_000, measure };
}

/** Passes or fails by its value. */
function measured(id: string, value: number): StorageRow {
  return row(id, async (run) => {
    run.figure(id, 'ms', { kind: 'at most', bound: 1, of: 'median' }).add(value);
  });
}

function measureAll(
  rows: readonly StorageRow[],
  options: Partial<MeasureOptions> = {},
): Promise<RowOutcome[]> {
  return measureRows(rows, SETTINGS, {
    timeLimitMs: 60_000,
    signal: new AbortController().signal,
    onRow: () => {},
    onOutcome: () => {},
    ...options,
  });
}

t.test('a row that fails, or is skipped, does not end the others', async (t) => {
  const outcomes = await measureAll([
    row('broken', async (run) => {
      run.figure('half', 'ms', null).add(3);
      run.figure('never', 'ms', null);
      throw new Error('it broke\nin two | lines');
    }),
    row('absent', () => Promise.reject(new RowSkipped('there is none here'))),
    measured('good', 1),
    measured('bad', 2),
  ]);
  const lines = formatStorageReport(['where'], outcomes).split('\n').slice(4, -1);
  t.same(lines, [
    '| broken | half |  | 3.00 ms | not judged |  |',
    '| broken | the broken row |  | not to its end | FAIL | it broke in two \\| lines |',
    '| absent | the absent row |  |  | skipped | there is none here |',
    '| good | good | at most 1.00 ms | 1.00 ms | pass |  |',
    '| bad | bad | at most 1.00 ms | 2.00 ms | FAIL |  |',
  ]);
});

t.test('all is reached only where nothing fails', async (t) => {
  const reached = async (row: StorageRow): Promise<boolean> =>
    isAllReached(await measureAll([measured('good', 1), row]));
  t.equal(await reached(measured('good', 0)), true);
  t.equal(await reached(row('absent', () => Promise.reject(new RowSkipped('none')))), true);
  t.equal(await reached(measured('bad', 2)), false);
  t.equal(await reached(row('broken', () => Promise.reject(new Error('it broke')))), false);
});

t.test('a row that never ends is given up at its deadline, and the next one runs', async (t) => {
  let directory = '';
  const endless = row('endless', async (run) => {
    directory = run.newDirectory();
    await new Promise(() => {});
  });
  const outcomes = await measureAll([{ ...endless, deadlineMs: 20 }, measured('good', 1)]);
  t.match(outcomes[0]?.failure, /given up after/);
  t.equal(outcomes[1]?.failure, null);
  t.notOk(existsSync(directory), 'its directory is gone');
});

t.test('a server that a row leaves behind is ended with it', async (t) => {
  const uris: AmqpUri[] = [];
  const [outcome] = await measureAll([
    row('leaving', async (run) => {
      const server = await run.startServer(run.newDirectory());
      await run.connect(server.uri);
      uris.push(server.uri);
      throw new Error('it broke');
    }),
  ]);
  t.equal(outcome?.failure, 'it broke');
  t.equal(uris.length, 1);
  for (const uri of uris) {
    await t.rejects(BenchConnection.open(uri, 'late'), { code: 'ECONNREFUSED' });
  }
});

t.test('a server that never says that it listens does not outlive the deadline', async (t) => {
  const silent = [process.execPath, '-e', 'setInterval(() => {}, 1e6)'];
  const hanging = row('hanging', async (run) => {
    await run.startServer(run.newDirectory(), silent);
  });
  // Only when the process is gone has the row been disposed of.
  const [outcome] = await measureAll([{ ...hanging, deadlineMs: 20 }]);
  t.match(outcome?.failure, /given up after/);
});

t.test('what was given up can neither wait nor open anything', async (t) => {
  const runs: RowRun[] = [];
  await measureAll([
    row('ended', async (run) => {
      runs.push(run);
    }),
  ]);
  t.equal(runs.length, 1);
  for (const run of runs) {
    await t.rejects(run.pause(1), { name: 'AbortError' });
    t.throws(() => run.newDirectory(), /the row was given up/);
    await t.rejects(() => run.startServer('/nowhere'), /the row was given up/);
  }
});

t.test('rows behind the time limit, or behind an interrupt, fail unmeasured', async (t) => {
  const [late] = await measureAll([measured('good', 1)], { timeLimitMs: 0 });
  t.match(late?.failure, /time limit/);
  const interrupt = new AbortController();
  const outcomes = await measureAll(
    [
      row('endless', () => {
        interrupt.abort();
        return new Promise(() => {});
      }),
      row('waiting', () => new Promise(() => {})),
    ],
    { signal: interrupt.signal },
  );
  t.equal(outcomes[0]?.failure, 'interrupted');
  t.equal(outcomes[1]?.failure, 'interrupted before');
});

t.test('a row for which the disk is too small is skipped', async (t) => {
  const [outcome] = await measureAll([
    row('vast', () => Promise.reject(new Error('it ran')), 1e18),
  ]);
  t.match(outcome?.skipped, /^it needs 1000000001\.0 GB of disk, and [\d.]+ GB are free$/);
});
