/**
 * Kills the server again and again under load and looks whether anything confirmed was lost.
 *
 *     node dist/conformance/crash/main.js [--rounds N] [--seed S] [--lanes N]
 *
 * The rounds are shared by lanes, each with a server of its own, which run side by side. Seeds are printed. The last
 * line is `N passed, N failed`, counting rounds and the drain at the end of each lane.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { playKillRounds } from './rounds.ts';

const VIOLATIONS_SHOWN = 20;

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number is expected');
}

interface Lane {
  readonly rounds: number;
  readonly seed: number;
}

/** Rounds of one lane; prints what went wrong. Resolves to how many of them, and of its drain, failed. */
async function play({ rounds, seed }: Lane): Promise<number> {
  const { violations, confirmedCount, redeliveredCount } = await playKillRounds(rounds, seed);
  console.log(`seed ${seed}: ${confirmedCount} confirmed, ${redeliveredCount} redelivered`);
  for (const { round, text } of violations.slice(0, VIOLATIONS_SHOWN)) {
    console.log(`FAILED seed ${seed}, round ${round}: ${text}`);
  }
  if (violations.length > VIOLATIONS_SHOWN) console.log(`... ${violations.length} in all`);
  return new Set(violations.map(({ round }) => round)).size;
}

/** A lane that comes to a standstill fails whole. */
async function playToTheEnd(lane: Lane): Promise<number> {
  try {
    return await play(lane);
  } catch (error) {
    console.log(`FAILED seed ${lane.seed}:`, error);
    return lane.rounds + 1;
  }
}

async function main(): Promise<void> {
  const { rounds, seed, lanes } = new Command('crash')
    .option('--rounds <n>', 'how often a server is killed, in all', wholeNumber, 20)
    .option('--seed <n>', "repeats a run's choices", wholeNumber, randomInt(1_000_000_000))
    .option('--lanes <n>', 'servers side by side', wholeNumber, 4)
    .parse()
    .opts<{ rounds: number; seed: number; lanes: number }>();
  console.log(`${rounds} rounds in ${lanes} lanes, seeds from ${seed} on`);
  const share = (lane: number): number =>
    Math.floor((rounds * (lane + 1)) / lanes) - Math.floor((rounds * lane) / lanes);
  const plans = Array.from({ length: lanes }, (_, i) => ({ rounds: share(i), seed: seed + i }));
  const failures = await Promise.all(plans.filter((plan) => plan.rounds > 0).map(playToTheEnd));
  const failed = failures.reduce((sum, count) => sum + count, 0);
  console.log(`${rounds + failures.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
