/** A clock that stands still until a test moves it. */
import { Clock } from '../base/clock.ts';

/** Starts at one second on both clocks. */
export class ManualClock extends Clock {
  constructor() {
    super();
    this.wallMs = 1000;
    this.monotonicMs = 1000;
  }

  override get nowMs(): number {
    return this.monotonicMs;
  }

  /** The time comes from {@link advance} alone. */
  override tick(): void {}

  /** Moves both clocks on. */
  advance(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
  }
}
