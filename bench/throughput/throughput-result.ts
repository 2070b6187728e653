/** What a run of `firnmqperf throughput` found. */
import type { LatencySummary } from './latency-histogram.ts';
import type { VerificationResult } from './verification.ts';

/** Rates are messages a second. */
export interface ThroughputResult {
  /** Product and version as the broker names them. */
  readonly broker: string;
  /** From the first publish or consume to the last figure. */
  readonly elapsedSeconds: number;
  readonly published: number;
  readonly publishSeconds: number;
  readonly publishRate: number;
  readonly consumed: number;
  readonly consumeSeconds: number;
  readonly consumeRate: number;
  /** Both 0 where confirms are off. */
  readonly confirmed: number;
  readonly nacked: number;
  /** Messages in transactions that were committed; 0 where there are none. */
  readonly committed: number;
  /** From when a message was due, or without a rate was handed to the socket, to its confirm; null without confirms. */
  readonly confirmLatency: LatencySummary | null;
  /** Of tx.commit, likewise; null without transactions. */
  readonly commitLatency: LatencySummary | null;
  /** From when a message was due, or without a rate was handed to the socket, to its consumer; null: not measured. */
  readonly latency: LatencySummary | null;
  /** Messages that were due and not published when publishing ended; 0 without a rate. */
  readonly behindSchedule: number;
  /** null without `-V`, and where nothing is consumed. */
  readonly verification: VerificationResult | null;
  /** Messages ready in the queues after the run. */
  readonly ready: number;
  /** CPU time of this process during the run: user and system, all threads, without {@link generatorPacingSeconds}. */
  readonly generatorCpuSeconds: number;
  /** The same as a share of one core. */
  readonly generatorCpuShare: number;
  /** The same for a message, one that was published and consumed counting once. */
  readonly generatorCpuNsPerMessage: number;
  /** CPU time that went into waiting for the next message to be due. */
  readonly generatorPacingSeconds: number;
}
