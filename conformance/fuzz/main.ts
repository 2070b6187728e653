/**
 * Sends a server everything that no client should send, and looks that it stays well.
 *
 *     npm run test:fuzz -- [--seed N] [--minutes M]     a run
 *     npm run test:fuzz -- --replay SEED:INDEX          one session, made as small as it can be
 *
 * A failure is told with the session that caused it, where that is known, ready for found.json. The last line is
 * `N passed, N failed`, counting sessions.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { readFoundCases } from './found-cases.ts';
import { storeCase } from './fuzz-case.ts';
import { type FuzzComplaint, type NumberedCase, runFuzz, shrinkCase } from './fuzz-run.ts';

const MINUTE_MS = 60_000;
const COMPLAINTS_SHOWN = 10;
const MIB = 2 ** 20;

interface Options {
  readonly seed: number;
  readonly minutes: number;
  readonly replay?: Pick<NumberedCase, 'seed' | 'index'>;
}

function number(text: string): number {
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a number is expected');
}

function place(text: string): Pick<NumberedCase, 'seed' | 'index'> {
  const match = /^(\d+):(\d+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('SEED:INDEX is expected');
  return { seed: Number(match[1]), index: Number(match[2]) };
}

/** The complaint, and how to see it again. */
async function tell({ text, cause }: FuzzComplaint, isFirst: boolean): Promise<void> {
  console.log(`FAILED: ${text}`);
  if (cause === null) return;
  console.log(`  session ${cause.seed}:${cause.index}`);
  if (isFirst && cause.seed >= 0) await replay(cause);
}

async function replay(cause: Pick<NumberedCase, 'seed' | 'index'>): Promise<boolean> {
  const smallest = await shrinkCase(cause);
  if (smallest === null) console.log('  alone it brings nothing about');
  else console.log(`  smallest: ${JSON.stringify(storeCase('', smallest))}`);
  return smallest === null;
}

async function main(): Promise<number> {
  const options = new Command('fuzz')
    .option('--seed <n>', 'makes the same sessions again', number, randomInt(1_000_000_000))
    .option('--minutes <n>', 'how long', number, 1)
    .option('--replay <seed:index>', 'one session alone', place)
    .parse()
    .opts<Options>();
  if (options.replay !== undefined) return (await replay(options.replay)) ? 0 : 1;
  console.log(`seed ${options.seed}`);
  const { sessions, complaints, endings, canaryBeats, longestBeatMs, residentBytes } =
    await runFuzz({
      seed: options.seed,
      found: readFoundCases(),
      limitMs: options.minutes * MINUTE_MS,
      batchesMax: Number.POSITIVE_INFINITY,
    });
  for (const [i, complaint] of complaints.slice(0, COMPLAINTS_SHOWN).entries()) {
    await tell(complaint, i === 0);
  }
  const counts = [...endings].sort(([, a], [, b]) => b - a).map(([name, n]) => `${name} ${n}`);
  console.log(`sessions ended with: ${counts.join(', ')}`);
  console.log(
    `${canaryBeats} beats of the canary, the longest ${longestBeatMs.toFixed(0)} ms; ` +
      `the server's memory ${(residentBytes / MIB).toFixed(0)} MiB`,
  );
  const failed = Math.min(sessions, complaints.length);
  console.log(`${sessions - failed} passed, ${failed} failed`);
  return complaints.length > 0 ? 1 : 0;
}

process.exitCode = await main();
