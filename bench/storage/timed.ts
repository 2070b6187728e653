/** How long something took, and what it cost both sides. */
import { performance } from 'node:perf_hooks';
import type { StorageServer } from './storage-server.ts';

/** CPU time, all threads, as a share of one core. */
export interface CpuShares {
  readonly generator: number;
  readonly server: number;
}

/** What it gave, and its cost. */
export interface Timed<Result> {
  readonly result: Result;
  readonly seconds: number;
  readonly cpu: CpuShares;
}

/** Runs `work` against `server` and times it. */
export async function timed<Result>(
  server: StorageServer,
  work: () => Promise<Result>,
): Promise<Timed<Result>> {
  const serverBefore = server.cpuSeconds;
  const generatorBefore = process.cpuUsage();
  const startedMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(generatorBefore);
  const generator = (user + system) / 1e6 / seconds;
  return {
    result,
    seconds,
    cpu: { generator, server: (server.cpuSeconds - serverBefore) / seconds },
  };
}
