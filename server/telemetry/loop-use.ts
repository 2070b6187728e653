/** How busy the event loop of this thread is. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** Tells it from one question to the next. */
export class LoopUse {
  private last: EventLoopUtilization = performance.eventLoopUtilization();

  /** The share of the time since the last call, or since it was made, in which the loop did not wait: 0 to 1. */
  takeBusyShare(): number {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.last);
    this.last = now;
    return utilization;
  }
}
