/** The rate of one consumer: tells how many deliveries may be taken, and when. */
import type { Pacer } from './pacer.ts';
import type { Schedule } from './schedule.ts';

/** Deliveries that are due within so long of each other are taken together. */
const PACE_INTERVAL_US = 50;
/** What a consumer may make up for when for a moment nothing came. */
const CATCH_UP_US = 100_000;

/** The schedule starts with the first delivery. */
export class ConsumePace {
  private readonly schedule: Schedule;
  private readonly pacer: Pacer;
  /** Deliveries granted so far; 0 before the first, which is free. */
  private granted: number;

  constructor(schedule: Schedule, pacer: Pacer) {
    this.schedule = schedule;
    this.pacer = pacer;
    this.granted = 0;
  }

  /**
   * Calls `grant` when more deliveries may be taken, with how many. One that had nothing to take for longer than a
   * tenth of a second does not rush afterwards.
   */
  whenDue(grant: (count: number) => void, nowUs: number): void {
    const { schedule, pacer } = this;
    const due = schedule.dueCount(nowUs) - this.granted;
    if (this.granted === 0 || due > Math.max(1, CATCH_UP_US / schedule.intervalUs)) {
      schedule.start(nowUs);
      this.granted = 0;
    }
    const nextUs = schedule.dueUs(this.granted);
    const wakeUs = Math.max(nextUs, nowUs + PACE_INTERVAL_US);
    pacer.wakeAt(wakeUs, () => {
      const count = Math.max(1, schedule.dueCount(wakeUs) - this.granted);
      this.granted += count;
      grant(count);
    });
  }
}
