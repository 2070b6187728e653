/**
 * How long the event loop lets what is due wait: the longest step of a turn, as everybody else meets it. Measured all
 * the time by a timer of libuv's, which costs a thousandth of a core; told for windows of ten seconds.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** How often it is looked, in milliseconds; a shorter delay may be missed. */
const RESOLUTION_MS = 10;
const WINDOW_MS = 10_000;

/** Delays in one window, in milliseconds beyond the time at which something was due. */
export interface LoopDelays {
  /** What the window covers; less than ten seconds only in the first one. */
  readonly windowMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Measures this thread's event loop from {@link LoopDelay.start} to {@link LoopDelay.stop}. */
export class LoopDelay {
  private readonly histogram: IntervalHistogram;
  private readonly now: () => number;
  private windowBeganMs: number;
  private lastWindow: LoopDelays | null;
  private timer: NodeJS.Timeout | null;

  /** `now` gives monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.now = now;
    this.windowBeganMs = 0;
    this.lastWindow = null;
    this.timer = null;
  }

  start(): void {
    this.histogram.enable();
    this.windowBeganMs = this.now();
    this.timer = setInterval(() => this.endWindow(), WINDOW_MS);
    this.timer.unref();
  }

  stop(): void {
    this.histogram.disable();
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** The last whole window; before there is one, what has been measured so far. */
  get latest(): LoopDelays {
    return this.lastWindow ?? this.summary();
  }

  /** Begins the next window. */
  endWindow(): void {
    this.lastWindow = this.summary();
    this.histogram.reset();
    this.windowBeganMs = this.now();
  }

  private summary(): LoopDelays {
    const { histogram } = this;
    const isEmpty = histogram.count === 0;
    return {
      windowMs: Math.round(this.now() - this.windowBeganMs),
      p50Ms: isEmpty ? 0 : beyond(histogram.percentile(50)),
      p99Ms: isEmpty ? 0 : beyond(histogram.percentile(99)),
      maxMs: isEmpty ? 0 : beyond(histogram.max),
    };
  }
}

/** What is recorded is the time from one look to the next, in nanoseconds. */
function beyond(intervalNs: number): number {
  return Math.max(0, Math.round(intervalNs / 1e4) / 100 - RESOLUTION_MS);
}
