import t from 'tap';
import { LatencyHistogram } from '../throughput/latency-histogram.ts';
import { formatOutcome } from './fairness-command.ts';
import { type FairnessOutcome, isFair, measureScenario } from './measure-scenario.ts';
import { FAIRNESS_SCENARIOS } from './scenarios.ts';

/** Long enough for the slowest bystander to send something. */
const TINY = { durationMs: 1100, scale: 0.02, cores: { server: null, load: null } };

// How long somebody waits is not a test's business: the machine may do much else.
for (const scenario of FAIRNESS_SCENARIOS) {
  t.test(`in small: ${scenario.title}`, async (t) => {
    const outcome = await measureScenario(scenario, TINY);
    t.ok(outcome.waits.count > 0, 'messages of bystanders came back');
    t.ok(Number.isFinite(outcome.loop.p99Ms) && outcome.loop.maxMs >= outcome.loop.p99Ms);
    t.equal(outcome.leastShare === null, scenario.id !== 'rotation');
  });
}

t.test('a row says what was measured, and whether it was fair', async (t) => {
  const scenario = FAIRNESS_SCENARIOS[0]!;
  const histogram = new LatencyHistogram();
  histogram.record(1000, 1);
  const waits = { ...histogram.summary()!, count: 3, p99Ms: 3, maxMs: 50 };
  const fair: FairnessOutcome = {
    scenario,
    waits,
    coldMaxMs: 70,
    loop: { p99Ms: 20, maxMs: 100 },
    leastShare: 0.8,
  };
  t.equal(
    formatOutcome(fair),
    `| ${scenario.title} | 3 | 1.00 | 3.0 | 50.0 | 70.0 | 20.0 | 100.0 | 0.80 | fair |`,
  );
  t.notOk(isFair({ ...fair, waits: { ...waits, maxMs: 50.1 } }));
  t.notOk(isFair({ ...fair, loop: { p99Ms: 20.1, maxMs: 100 } }));
  t.notOk(isFair({ ...fair, leastShare: 0.79 }));
  t.ok(isFair({ ...fair, leastShare: null }));
  t.match(formatOutcome({ ...fair, leastShare: null }), /\| {2}\| fair \|$/);
});
