/** How long something took, and what it cost the generator. */
import { performance } from 'node:perf_hooks';

/** What it gave, and its cost. */
export interface Timed<Result> {
  readonly result: Result;
  readonly seconds: number;
  /** CPU time of this process meanwhile, all threads, as a share of one core. */
  readonly generatorShare: number;
}

/** Runs `work` and times it. */
export async function timed<Result>(work: () => Promise<Result>): Promise<Timed<Result>> {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { result, seconds, generatorShare: (user + system) / 1e6 / seconds };
}
