/**
 * A harness for micro-benchmarks: what one operation of a hot function costs, in nanoseconds.
 *
 * Goals: to see at once whether a change to a hot file made it faster or slower, on one machine, one run
 * after the other; and that benchmarks never rot, since a test runs each of them in small (smoke mode).
 *
 * Not goals: figures that hold on another machine, alarms, or statistics. The best of several repeats is
 * shown, because what disturbs a measurement only ever makes it slower.
 *
 * Each round returns a hash of what it did, so that nothing is optimised away; it is the same in every
 * run, and a change that alters it altered the result.
 */
import { performance } from 'node:perf_hooks';

/** A prepared benchmark. */
export interface MicroRun {
  /** Operations that one call of {@link round} performs. */
  readonly operationsPerRound: number;
  /** Performs them; returns a hash of the result, an integer. */
  readonly round: () => number;
}

/** A benchmark by the name under which it can be asked for. */
export interface MicroBenchmark {
  readonly name: string;
  /** What one operation is. */
  readonly operation: string;
  readonly prepare: () => MicroRun;
}

/** How much work is done. */
export interface MicroOptions {
  /** Of a repeat, at least. */
  readonly operations: number;
  readonly repeats: number;
}

/** What a benchmark found. */
export interface MicroResult {
  readonly name: string;
  readonly operation: string;
  readonly nsPerOperation: number;
  readonly hash: number;
}

/** Runs a benchmark; the first repeat only warms up, and does not count where there are more. */
export function runMicroBenchmark(benchmark: MicroBenchmark, options: MicroOptions): MicroResult {
  const { operationsPerRound, round } = benchmark.prepare();
  const rounds = Math.ceil(options.operations / operationsPerRound);
  let hash = 0;
  let bestMs = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < options.repeats; repeat++) {
    const startedMs = performance.now();
    for (let i = 0; i < rounds; i++) hash = (Math.imul(hash, 31) + round()) | 0;
    const tookMs = performance.now() - startedMs;
    if (repeat > 0 || options.repeats === 1) bestMs = Math.min(bestMs, tookMs);
  }
  const { name, operation } = benchmark;
  const nsPerOperation = (bestMs * 1e6) / (rounds * operationsPerRound);
  return { name, operation, nsPerOperation, hash };
}
