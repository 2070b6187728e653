import t from 'tap';
import type { Goal } from '../storage/figure.ts';
import { createRunningTarget } from '../targets/running-target.ts';
import { DEFAULT_START, type Target } from '../targets/target.ts';
import { drawChart } from './chart.ts';
import { isAllReached } from './judge.ts';
import type { RowOutcome } from './measure-rows.ts';
import { formatReport } from './report.ts';
import type { Row } from './row.ts';
import { RowFigure } from './row-figure.ts';

const ROW: Row = { id: 'r', title: 'a row', consumesAtOnce: true, measure: async () => {} };

function target(name: string, isOurs: boolean): Target {
  return { ...createRunningTarget('amqp://localhost'), name, isOurs };
}

const OURS = target('fast', true);
const OTHER = target('slow', false);

interface OutcomeOptions {
  readonly rates: readonly number[];
  readonly goal?: Goal;
  readonly row?: Row;
  readonly generatorShare?: number;
  readonly loopDelayMs?: number;
  readonly failure?: string;
  readonly writesConsumed?: boolean;
}

function outcome(of: Target, options: OutcomeOptions): RowOutcome {
  const figure = new RowFigure('out', 'msg/s', options.goal ?? null);
  for (const rate of options.rates) {
    figure.add(rate, {
      serverNsPerMessage: of.isOurs ? 1e9 / rate : null,
      generatorNsPerMessage: 44,
      generatorShare: options.generatorShare ?? 0.5,
      serverMemoryBytes: of.isOurs ? 70e6 : null,
      loopDelayP99Ms: of.isOurs ? (options.loopDelayMs ?? 3) : null,
    });
  }
  const startOptions = { ...DEFAULT_START, writesConsumed: options.writesConsumed === true };
  return {
    row: options.row ?? ROW,
    contestant: { target: of, startOptions, name: of.name },
    product: of.name,
    figures: [figure],
    commands: ['firnmqperf throughput'],
    failure: options.failure ?? null,
    skipped: null,
  };
}

function tableOf(outcomes: readonly RowOutcome[]): string[] {
  return formatReport(['where it ran'], outcomes)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .slice(1);
}

t.test(
  'a line tells median, spread, goal, verdict, ratio to the last broker, and costs',
  async (t) => {
    const goal: Goal = { kind: 'at least', bound: 4e6, of: 'median' };
    const outcomes = [
      outcome(OURS, { rates: [5e6, 4e6, 8e6], goal, generatorShare: 0.95 }),
      outcome(OTHER, { rates: [50_000], goal }),
    ];
    t.same(tableOf(outcomes), [
      '| a row | fast | out | 5.00 M/s | 4.00 M/s to 8.00 M/s | at least 4.00 M/s | pass | 100.0 | 200 | 44 | 70 MB | 3.0 ms | the generator was the limit |',
      '| a row | slow | out | 50.0 k/s | 50.0 k/s to 50.0 k/s |  |  |  |  | 44 |  |  |  |',
    ]);
    t.ok(isAllReached(outcomes));
  },
);

t.test('a goal may also be a multiple of what the last broker reaches', async (t) => {
  const row = { ...ROW, timesTheLast: 10 };
  const goal: Goal = { kind: 'at least', bound: 1e6, of: 'median' };
  const slow = outcome(OTHER, { rates: [1e6], row });
  const enough = [outcome(OURS, { rates: [10e6], goal, row }), slow];
  t.match(tableOf(enough)[0], '| at least 1.00 M/s; 10 times slow | pass | 10.0 |');
  const tooLittle = [outcome(OURS, { rates: [9e6], goal, row }), slow];
  t.match(tableOf(tooLittle)[0], '| FAIL | 9.0 |');
  t.notOk(isAllReached(tooLittle));
  const standIn = { ...OTHER, isBroker: false };
  const beside = [tooLittle[0]!, outcome(standIn, { rates: [1e6], row })];
  t.match(tableOf(beside)[0], '| at least 1.00 M/s | pass | 9.0 |', 'it is no broker');
  const alone = [outcome(OURS, { rates: [9e6], goal, row })];
  t.match(tableOf(alone)[0], '| at least 1.00 M/s | pass |  |');
});

t.test('an event loop that comes late fails a figure that reaches its goal', async (t) => {
  const goal: Goal = { kind: 'at least', bound: 1e6, of: 'median' };
  const late = [outcome(OURS, { rates: [2e6], goal, loopDelayMs: 21 })];
  t.match(tableOf(late)[0], /\| FAIL \|.*late by more than 20 ms \|$/);
  t.notOk(isAllReached(late));
});

t.test('a row that fails says why, after what was measured before', async (t) => {
  const failed = outcome(OURS, { rates: [1e6], failure: 'a | b' });
  t.match(tableOf([failed]), [/1\.00 M\/s/, /\| FAIL \|.*\| not measured: a \\\| b \|$/]);
  t.notOk(isAllReached([failed]));
  const others = outcome(OTHER, { rates: [], failure: 'it ended' });
  t.equal(tableOf([others]).length, 1);
  t.notMatch(tableOf([others])[0], 'FAIL');
});

t.test('the page ends with the command lines behind its figures', async (t) => {
  t.match(
    formatReport([], [outcome(OURS, { rates: [1] })]),
    '## Command lines\n\nr, fast:\n\n    firnmqperf throughput\n',
  );
});

t.test('the chart has a bar for every median and a line for the goal', async (t) => {
  const goal: Goal = { kind: 'at least', bound: 8e6, of: 'median' };
  const svg = drawChart([
    outcome(OURS, { rates: [4e6], goal }),
    outcome(OURS, { rates: [2e6], goal, writesConsumed: true }),
    outcome({ ...OTHER, name: 'a<b' }, { rates: [1e6] }),
  ]);
  const widths = [...svg.matchAll(/class="(?:ours|written|other)".*? width="([\d.]+)"/g)].map(
    ([, width]) => Number(width),
  );
  t.equal(widths.length, 3);
  t.ok(
    Math.abs(widths[0]! / widths[1]! - 2) < 0.01 && Math.abs(widths[1]! / widths[2]! - 2) < 0.01,
  );
  t.equal(svg.match(/class="goal"/g)?.length, 1, 'one line, as both have the same goal');
  t.match(svg, 'a&lt;b');
});
