/** A clock for turns that take their time. */
import { ManualClock } from './manual-clock.ts';

/** Each look at it takes three milliseconds. */
export class SlowClock extends ManualClock {
  private looks = 0;

  override get nowMs(): number {
    this.looks++;
    return this.monotonicMs + 3 * this.looks;
  }
}
