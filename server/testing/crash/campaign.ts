/**
 * Many crash runs, on all cores: seeds are handed to worker threads until there were enough crash points. Which
 * seeds are run depends on the number of points alone, what each of them does on nothing but the seed.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CrashReport } from './report.ts';
import type { CrashRunResult } from './run.ts';

/** Crash points of one seed. */
export const POINTS_PER_SEED: number = 50;
/** A seed that takes longer hangs. */
const SEED_LIMIT_MS = 120_000;

/** Runs the seeds from `firstSeed` on; `onProgress` is told of the points so far. */
export async function runCampaign(
  points: number,
  firstSeed: number,
  onProgress: (report: CrashReport) => void,
): Promise<CrashReport> {
  const report = new CrashReport();
  const seeds = Array.from(
    { length: Math.ceil(points / POINTS_PER_SEED) },
    (_, i) => firstSeed + i,
  );
  const threads = Math.min(seeds.length, availableParallelism());
  const work = async (): Promise<void> => {
    const worker = new CrashWorker();
    try {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        report.add(await worker.run(seed));
        onProgress(report);
      }
    } finally {
      await worker.end();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return report;
}

/** A thread that runs one seed after the other. */
class CrashWorker {
  private readonly worker: Worker;

  constructor() {
    this.worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [] });
  }

  run(seed: number): Promise<CrashRunResult> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => done(() => reject(new Error(`SEED=${seed} does not end in ${SEED_LIMIT_MS} ms`))),
        SEED_LIMIT_MS,
      );
      const heard = (result: CrashRunResult): void => done(() => resolve(result));
      const failed = (error: unknown): void =>
        done(() => reject(new Error(`SEED=${seed} ends its thread`, { cause: error })));
      const done = (settle: () => void): void => {
        clearTimeout(limit);
        this.worker.off('message', heard);
        this.worker.off('error', failed);
        settle();
      };
      this.worker.on('message', heard);
      this.worker.on('error', failed);
      this.worker.postMessage({ seed, points: POINTS_PER_SEED });
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
