/**
 * Crashes the broker over a simulated disk, at chosen steps, again and again.
 *
 *     node dist/server/testing/crash/main.js [--points N] [--seed S]
 *
 * With SEED=n in the environment it runs that one seed alone, and says how it went. The last line is
 * `N passed, N failed`, counting crash points; a kind of step or record that is hit too rarely fails as well.
 */
import { Command, InvalidArgumentError } from 'commander';
import { POINTS_PER_SEED, runCampaign } from './campaign.ts';
import { CrashReport } from './report.ts';
import { campaignOptions, runCrashes } from './run.ts';

/** Between two lines about the progress of a long run. */
const PROGRESS_MS = 30_000;

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number is expected');
}

async function report(points: number, firstSeed: number): Promise<CrashReport> {
  const { SEED } = process.env;
  if (SEED !== undefined) {
    const single = new CrashReport();
    single.add(await runCrashes(campaignOptions(wholeNumber(SEED), POINTS_PER_SEED)));
    return single;
  }
  let toldMs = performance.now();
  let toldFailures = 0;
  return runCampaign(points, firstSeed, (soFar) => {
    for (const { seed, place } of soFar.failures.slice(toldFailures)) {
      console.log(`SEED=${seed} fails: ${place}`);
    }
    toldFailures = soFar.failures.length;
    if (performance.now() - toldMs < PROGRESS_MS) return;
    toldMs = performance.now();
    console.log(`${soFar.points} of ${points} crash points, ${soFar.failures.length} failures`);
  });
}

async function main(): Promise<void> {
  const { points, seed } = new Command('crash-points')
    .option('--points <n>', 'how often the broker is crashed', wholeNumber, 2000)
    .option('--seed <n>', 'the first seed', wholeNumber, 1)
    .parse()
    .opts<{ points: number; seed: number }>();
  const { lines, points: run, failures, missed } = await report(points, seed);
  for (const line of lines) console.log(line);
  const failed = failures.length + missed.length;
  console.log(`${Math.max(0, run - failures.length)} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
