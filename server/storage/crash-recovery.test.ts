/**
 * Goal: after any crash everything confirmed is there, in order, and nothing else. Method: the real broker at seeded
 * work over a disk that forgets what was not synced, crashed at chosen steps (testing/crash/). Few crashes here;
 * `npm run test:crash -- --points N` does as many as one has time for.
 */
import t from 'tap';
import { countFailedSyncs, renameBeforeSync, skipSyncs } from '../testing/crash/mutations.ts';
import { LOG_FAULTS } from '../testing/crash/profiles.ts';
import { describeFailure } from '../testing/crash/report.ts';
import { type CrashRunOptions, campaignOptions, runCrashes } from '../testing/crash/run.ts';

const SEEDS = 8;
const POINTS_PER_SEED = 50;
/** Seeds within which a broken broker must be found out. */
const SEEDS_TO_FAIL = 25;
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

/** The first broken promise of a broker that is made worse; null: it was not found out. */
async function firstWrong(
  options: Omit<CrashRunOptions, 'seed' | 'points'>,
): Promise<string | null> {
  for (let seed = 1; seed <= SEEDS_TO_FAIL; seed++) {
    const { failure } = await runCrashes({ seed, points: POINTS_PER_SEED, ...options });
    if (failure !== null) return failure.wrongs.join('; ');
  }
  return null;
}

t.test('a broker whose disk only claims to sync is found out', async (t) => {
  t.match(await firstWrong({ disk: { syncs: false } }), /is lost|is gone|is not valid|damage/);
});

t.test('a broker that counts a failed sync is found out', async (t) => {
  const faults = [{ calls: ['sync'], errno: 'EIO', length: 3, path: /msgs\.\d+$/ }] as const;
  t.match(await firstWrong({ wrap: countFailedSyncs, faults }), /is lost|is gone|damage/);
});

t.test('a broker that renames a checkpoint before it is synced is found out', async (t) => {
  t.match(
    await firstWrong({ wrap: renameBeforeSync }),
    /(checkpoint\.\d+|definitions\.amqp) reason=/,
  );
});

t.test(
  'a broker that leaves out the sync of one kind of file or folder is found out',
  async (t) => {
    const kinds: readonly (readonly [RegExp, RegExp])[] = [
      [/\/enq\/\d+$/, /chunk file|slot|cannot be read/],
      [/\/enq$/, /chunk file/],
      [/\/large\/\d+$/, /body is missing|is lost|wrong body|checksum of the body/],
      [/\/[0-9a-f]{40}$/, /is lost|is gone|damage/],
    ];
    for (const [path, complaint] of kinds) {
      t.match(await firstWrong({ wrap: skipSyncs(path) }), complaint, String(path));
    }
  },
);

t.test(
  'a broker that does not sync the file that takes over after a failure is found out',
  async (t) => {
    const wrap = skipSyncs(/msgs\.\d+\.\d+(\.tmp)?$/);
    t.match(await firstWrong({ wrap, faults: LOG_FAULTS }), /is lost|is gone|damage/);
  },
);
