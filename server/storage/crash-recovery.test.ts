/**
 * Goal: after any crash everything confirmed is there, in order, and nothing else. Method: the real broker at seeded
 * work over a disk that forgets what was not synced, crashed at chosen steps (testing/crash/). Few crashes here;
 * `npm run test:crash -- --points N` does as many as one has time for. That
 * they would notice is in crash-mutations.test.ts.
 */
import t from 'tap';
import { describeFailure } from '../testing/crash/report.ts';
import { campaignOptions, runCrashes } from '../testing/crash/run.ts';

const SEEDS = 8;
const POINTS_PER_SEED = 50;
t.setTimeout(180_000);

t.test('whatever a crash takes, what was confirmed comes back and nothing else', async (t) => {
  let points = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await runCrashes(campaignOptions(seed, POINTS_PER_SEED));
    if (result.failure !== null) t.fail(describeFailure(result.failure).join('\n'));
    points += result.points;
  }
  t.ok(points >= SEEDS * POINTS_PER_SEED);
});

t.test('a seed does the same each time', async (t) => {
  const run = async (): Promise<unknown> => {
    const { points, stepKinds, recordKinds } = await runCrashes({ seed: 5, points: 15 });
    return { points, steps: [...stepKinds], records: [...recordKinds] };
  };
  t.same(await run(), await run());
});
