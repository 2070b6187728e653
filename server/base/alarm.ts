/** One timer for whoever has several things to wait for: it goes off at the earliest of them. */
import type { Clock } from './clock.ts';

/** Calls back once, at the earliest time that was asked for since the last call. */
export class Alarm {
  private readonly clock: Clock;
  private readonly ring: () => void;
  private timer: NodeJS.Timeout | null;
  private atMs: number;

  constructor(clock: Clock, ring: () => void) {
    this.clock = clock;
    this.ring = ring;
    this.timer = null;
    this.atMs = Number.POSITIVE_INFINITY;
  }

  /** Goes off at `atMs` of the monotonic clock, unless it does so earlier already. */
  set(atMs: number): void {
    if (this.atMs <= atMs) return;
    this.cancel();
    this.atMs = atMs;
    const delayMs = Math.max(1, Math.ceil(atMs - this.clock.monotonicMs));
    this.timer = setTimeout(() => this.goOff(), delayMs);
  }

  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.atMs = Number.POSITIVE_INFINITY;
  }

  private goOff(): void {
    this.timer = null;
    this.atMs = Number.POSITIVE_INFINITY;
    this.ring();
  }
}
