/**
 * Goal: after any crash everything confirmed is there, in order, and nothing else. Method: seeded random lives
 * over a disk that forgets what was not synced (testing/crash-workload.ts). `FIRNMQ_CRASH_POINTS=N` runs
 * more crash points (under tap with `--timeout=0`), `SEED=n` replays the run of one seed.
 */
import t from 'tap';
import { runCrashes } from '../testing/crash-workload.ts';

/** Crashes in a row over one disk. */
const LIVES_PER_RUN = 4;
const CRASH_POINTS = Number(process.env['FIRNMQ_CRASH_POINTS'] ?? 240);
const SEED = process.env['SEED'];
/** Far more than a crash point takes, so that a longer run is not ended for its length. */
const MS_PER_CRASH_POINT = 500;
t.setTimeout(CRASH_POINTS * MS_PER_CRASH_POINT);

// The log's late flush would make a run depend on real time; the workload moves time itself.
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;
globalThis.setTimeout = (() => 0) as unknown as typeof setTimeout;
globalThis.clearTimeout = () => {};
t.teardown(() => {
  globalThis.setTimeout = realSetTimeout;
  globalThis.clearTimeout = realClearTimeout;
});

async function failureOf(
  seed: number,
  how: { readonly syncs?: boolean; readonly failing?: boolean },
): Promise<Error | null> {
  try {
    await runCrashes({ seed, lives: LIVES_PER_RUN, ...how });
    return null;
  } catch (error) {
    return error as Error;
  }
}

for (const failing of [false, true]) {
  const title = failing
    ? 'the same where writes and syncs fail now and then'
    : 'whatever a crash takes, what was confirmed comes back and nothing else';
  t.test(title, async (t) => {
    const seeds =
      SEED === undefined
        ? Array.from({ length: Math.ceil(CRASH_POINTS / LIVES_PER_RUN) }, (_, i) => i + 1)
        : [Number(SEED)];
    for (const seed of seeds) {
      const failure = await failureOf(seed, { failing });
      if (failure !== null) {
        t.error(failure, `replay with SEED=${seed}`);
        return;
      }
    }
    t.pass(`${seeds.length * LIVES_PER_RUN} crash points`);
  });
}

t.test('with the sync taken out, the same check finds a loss', async (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const failure = await failureOf(seed, { syncs: false });
    if (!/is lost|is gone/.test(failure?.message ?? '')) continue;
    t.pass(failure!.message);
    return;
  }
  t.fail('forty runs without a sync lost nothing');
});
