/**
 * Goal: the crash runs notice a broker, or a disk, that breaks a promise. Method: disks that leave out what they should do
 * (testing/crash/mutations.ts), until a run fails, and for the right reason.
 */
import t from 'tap';
import {
  countFailedSyncs,
  cutMore,
  renameBeforeSync,
  skipSyncs,
} from '../testing/crash/mutations.ts';
import { LOG_FAULTS } from '../testing/crash/profiles.ts';
import { type CrashRunOptions, runCrashes } from '../testing/crash/run.ts';

/** Seeds within which a broken broker must be found out. */
const SEEDS_TO_FAIL = 25;
const POINTS_PER_SEED = 50;
/** What a loss looks like: to the model, to recovery, or to a consumer that waits in vain. */
const FOUND_OUT = /is lost|is gone|is back|damage|no \d+ deliveries/;
/** Of a slot in a chunk file of the machine that is crashed (testing/crash/machine.ts). */
const SLOT_BYTES = 8 * 16;
t.setTimeout(180_000);

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
  t.match(await firstWrong({ wrap: countFailedSyncs, faults }), FOUND_OUT);
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
      [/\/enq\/\d+$/, /damage: .*\/enq\//],
      [/\/enq$/, /damage: .*\/enq\//],
      [/\/large\/\d+$/, /body is missing|is lost|wrong body|body\.fail: .*\/large\//s],
      [/\/[0-9a-f]{40}$/, FOUND_OUT],
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
    t.match(await firstWrong({ wrap, faults: LOG_FAULTS }), FOUND_OUT);
  },
);

t.test('a broker that cuts off a slot of a chunk file that is in use is found out', async (t) => {
  t.match(await firstWrong({ wrap: cutMore(/\/enq$/, SLOT_BYTES) }), /damage: .*\/enq\//);
});
