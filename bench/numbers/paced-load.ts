/**
 * Messages at a fixed rate, and how long each takes until it comes back. What counts is from when a message was due, not
 * from when it left: a stall then shows in every message that it held up.
 *
 * The process looks at the clock in every turn of its event loop and never sleeps, since a timer is up to a
 * millisecond late. So it takes a core of its own. Messages come back in the order in which they left.
 */
import { performance } from 'node:perf_hooks';
import { LatencyHistogram } from '../throughput/latency-histogram.ts';

/**
 * The first part of a run, whose latencies do not count: code is compiled, buffers grow. At a moderate rate that takes
 * seconds, and a thread of V8 that compiles keeps the core for 3 or 4 ms.
 */
const WARM_UP_SHARE = 0.5;

/** Sends when it is time, and is told what has come back. */
export class PacedLoad {
  /** Microseconds, of all that came back after the warm-up. */
  readonly latencyUs: LatencyHistogram;
  private readonly ratePerMs: number;
  private readonly send: (count: number) => void;
  private readonly burstMax: number;
  private readonly count: number;
  private readonly warmUpCount: number;
  private sent: number;
  private received: number;
  private startedMs: number;
  private isStopped: boolean;
  private resolve: () => void;

  /**
   * @param durationMs how long it counts; the warm-up before takes as long again
   * @param send writes so many messages, at most `burstMax`
   */
  constructor(
    ratePerSecond: number,
    durationMs: number,
    burstMax: number,
    send: (count: number) => void,
  ) {
    this.latencyUs = new LatencyHistogram();
    this.ratePerMs = ratePerSecond / 1000;
    this.send = send;
    this.burstMax = burstMax;
    this.count = Math.max(1, Math.floor((durationMs / (1 - WARM_UP_SHARE)) * this.ratePerMs));
    this.warmUpCount = Math.floor(this.count * WARM_UP_SHARE);
    this.sent = 0;
    this.received = 0;
    this.startedMs = 0;
    this.isStopped = false;
    this.resolve = () => {};
  }

  /** All that have come back, in the warm-up too. */
  get messageCount(): number {
    return this.received;
  }

  /** Sends all; resolves when all have come back. */
  async run(): Promise<void> {
    const whenDone = new Promise<void>((resolve) => {
      this.resolve = resolve;
    });
    this.startedMs = performance.now();
    this.turn();
    await whenDone;
  }

  /** Sends no more. */
  stop(): void {
    this.isStopped = true;
  }

  /** HOT per read. `count` messages more have come back. */
  add(count: number): void {
    const sinceStartMs = performance.now() - this.startedMs;
    for (let i = 0; i < count; i++) {
      const number = this.received++;
      if (number < this.warmUpCount) continue;
      const latencyUs = (sinceStartMs - number / this.ratePerMs) * 1000;
      this.latencyUs.record(latencyUs, 1);
    }
    if (this.received >= this.count) this.resolve();
  }

  private turn(): void {
    if (this.isStopped || this.sent >= this.count) return;
    const dueMs = performance.now() - this.startedMs;
    const due = Math.min(this.count, Math.floor(dueMs * this.ratePerMs) + 1) - this.sent;
    if (due > 0) {
      const count = Math.min(due, this.burstMax);
      this.sent += count;
      this.send(count);
    }
    setImmediate(() => this.turn());
  }
}
