import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createRunningTarget } from '../targets/running-target.ts';
import { DEFAULT_START } from '../targets/target.ts';
import type { RowOutcome } from './measure-rows.ts';
import { RowFigure } from './row-figure.ts';
import { formatSummary, parseSavedResults, statedTables } from './summary.ts';
import { writeResults } from './write-results.ts';

const ROOT = new URL('../../../', import.meta.url);

function outcome(name: string, rate: number): RowOutcome {
  const figure = new RowFigure('out', 'msg/s', null);
  figure.add(rate);
  return {
    row: { id: 'r', title: 'a row', consumesAtOnce: false, measure: async () => {} },
    contestant: {
      target: createRunningTarget('amqp://localhost'),
      startOptions: DEFAULT_START,
      name,
    },
    product: name,
    figures: [figure],
    commands: [],
    failure: null,
    skipped: null,
  };
}

t.test('what was written can be summed up again', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const outcomes = [outcome('firnmq', 4e6), outcome('rabbitmq', 50_000)];
  const page = await writeResults(directory, 'run', ['here'], outcomes);
  t.match(await readFile(page, 'utf8'), '| a row | firnmq | out | 4.00 M/s |');
  const saved = parseSavedResults(await readFile(join(directory, 'run.json'), 'utf8'));
  t.equal(
    formatSummary(saved),
    [
      '| medians | firnmq | rabbitmq |',
      '| --- | --- | --- |',
      '| a row: out | 4.00 M/s | 50.0 k/s |',
    ].join('\n'),
  );
  t.throws(() => parseSavedResults('{}'));
});

t.test('a page says which file its table is from', async (t) => {
  const page = 'a\n\n<!-- npm run bench: b/c.json -->\n\n| x |\n| y |\n\n<!-- end -->\nb';
  t.same(statedTables(page), [{ path: 'b/c.json', table: '| x |\n| y |' }]);
});

t.test('tables of the documentation are what their files say', async (t) => {
  for (const name of ['README.md', 'docs/BENCHMARKS.md']) {
    for (const { path, table } of statedTables(readFileSync(new URL(name, ROOT), 'utf8'))) {
      const saved = parseSavedResults(readFileSync(new URL(path, ROOT), 'utf8'));
      const lines = new Set(formatSummary(saved).split('\n'));
      for (const line of table.split('\n')) t.ok(lines.has(line), `${name}: ${line}`);
    }
  }
});
