/**
 * The coarse clock: read once per turn of the event loop, not per message. Wall time goes to disk and
 * to clients; the monotonic time measures intervals and never runs backward.
 */

/** Times in milliseconds, as of the last {@link Clock.tick}. */
export class Clock {
  /** Wall time since the epoch. */
  wallMs: number;
  /** Monotonic time since an arbitrary start. */
  monotonicMs: number;

  constructor() {
    this.wallMs = 0;
    this.monotonicMs = 0;
    this.tick();
  }

  /** Monotonic time at this moment, for what must end within a turn. */
  get nowMs(): number {
    return performance.now();
  }

  /** Reads both clocks anew. */
  tick(): void {
    this.wallMs = Date.now();
    this.monotonicMs = performance.now();
  }
}
