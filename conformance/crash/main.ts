/**
 * Kills the server again and again under load and looks whether anything confirmed was lost.
 *
 *     node dist/conformance/crash/main.js [--rounds N] [--seed S]
 *
 * The seed is printed. The last line is `N passed, N failed`, counting rounds and the drain at the end.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { playKillRounds } from './rounds.ts';

const VIOLATIONS_SHOWN = 20;

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number is expected');
}

async function main(): Promise<void> {
  const { rounds, seed } = new Command('crash')
    .option('--rounds <n>', 'how often the server is killed', wholeNumber, 20)
    .option('--seed <n>', "repeats a run's choices", wholeNumber, randomInt(1_000_000_000))
    .parse()
    .opts<{ rounds: number; seed: number }>();
  console.log(`${rounds} rounds, seed ${seed}`);
  const { violations, confirmedCount, redeliveredCount } = await playKillRounds(rounds, seed);
  console.log(`${confirmedCount} messages confirmed, ${redeliveredCount} redeliveries`);
  for (const { round, text } of violations.slice(0, VIOLATIONS_SHOWN)) {
    console.log(`FAILED round ${round}: ${text}`);
  }
  if (violations.length > VIOLATIONS_SHOWN) console.log(`... ${violations.length} in all`);
  const failed = new Set(violations.map(({ round }) => round)).size;
  console.log(`${rounds + 1 - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
