/**
 * Kills the server again and again under load and looks whether anything confirmed was lost.
 *
 *     node dist/conformance/crash/main.js [--rounds N] [--full-disk-rounds N] [--seed S] [--lanes N]
 *
 * The rounds are shared by lanes, each with a server of its own, which run side by side; one lane more plays those on a
 * full disk, where the process may mount one (root may), and is skipped with a word elsewhere. Seeds are printed. The
 * last line is `N passed, N failed`, counting rounds and the drain at the end of each lane.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { playFullDiskRounds, SMALL_DISK_BYTES } from './full-disk-rounds.ts';
import { type KillResult, playKillRounds } from './rounds.ts';
import { SmallDisk } from './small-disk.ts';

const VIOLATIONS_SHOWN = 20;

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number is expected');
}

interface Lane {
  readonly name: string;
  readonly rounds: number;
  readonly seed: number;
  readonly play: (rounds: number, seed: number) => Promise<KillResult>;
}

/** Rounds of one lane; prints what went wrong. Resolves to how many of them, and of its drain, failed. */
async function playLane({ name, rounds, seed, play }: Lane): Promise<number> {
  const { violations, confirmedCount, redeliveredCount } = await play(rounds, seed);
  const counts = `${confirmedCount} confirmed, ${redeliveredCount} redelivered`;
  console.log(`${name}, ${rounds} rounds, seed ${seed}: ${counts}`);
  for (const { round, text } of violations.slice(0, VIOLATIONS_SHOWN)) {
    console.log(`FAILED seed ${seed}, round ${round}: ${text}`);
  }
  if (violations.length > VIOLATIONS_SHOWN) console.log(`... ${violations.length} in all`);
  return new Set(violations.map(({ round }) => round)).size;
}

/** A lane that comes to a standstill fails whole. */
async function playToTheEnd(lane: Lane): Promise<number> {
  try {
    return await playLane(lane);
  } catch (error) {
    console.log(`FAILED ${lane.name}, seed ${lane.seed}:`, error);
    return lane.rounds + 1;
  }
}

/** The lane on a full disk, and what is to be done behind it; null where none can be mounted. */
function fullDiskLane(rounds: number, seed: number): { lane: Lane; end: () => void } | null {
  const disk = SmallDisk.mount(SMALL_DISK_BYTES);
  if (typeof disk === 'string') {
    console.log(`skipped ${rounds} rounds on a full disk, which cannot be mounted: ${disk}`);
    return null;
  }
  const play = (count: number, from: number): Promise<KillResult> =>
    playFullDiskRounds(disk, count, from);
  return { lane: { name: 'full disk', rounds, seed, play }, end: () => disk.unmount() };
}

async function main(): Promise<void> {
  const options = new Command('crash')
    .option('--rounds <n>', 'how often a server is killed, in all', wholeNumber, 20)
    .option('--full-disk-rounds <n>', 'how often on a full disk; a tenth besides', wholeNumber)
    .option('--seed <n>', "repeats a run's choices", wholeNumber, randomInt(1_000_000_000))
    .option('--lanes <n>', 'servers side by side', wholeNumber, 4)
    .parse()
    .opts<{ rounds: number; fullDiskRounds?: number; seed: number; lanes: number }>();
  const { rounds, seed, lanes, fullDiskRounds = Math.ceil(rounds / 10) } = options;
  console.log(`${rounds} rounds in ${lanes} lanes, seeds from ${seed} on`);
  const share = (lane: number): number =>
    Math.floor((rounds * (lane + 1)) / lanes) - Math.floor((rounds * lane) / lanes);
  const plans: Lane[] = Array.from({ length: lanes }, (_, i) => ({
    name: `lane ${i + 1}`,
    rounds: share(i),
    seed: seed + i,
    play: playKillRounds,
  }));
  const full = fullDiskRounds === 0 ? null : fullDiskLane(fullDiskRounds, seed + lanes);
  if (full !== null) plans.push(full.lane);
  const played = plans.filter((plan) => plan.rounds > 0);
  const failures = await Promise.all(played.map(playToTheEnd));
  full?.end();
  const failed = failures.reduce((sum, count) => sum + count, 0);
  const all = played.reduce((sum, plan) => sum + plan.rounds + 1, 0);
  console.log(`${all - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
