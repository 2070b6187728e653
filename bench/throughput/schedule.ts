/**
 * When each of a row of messages is due that go at a steady rate. A latency counts from there and not from when
 * the message really left: a broker that makes the generator wait delays every message behind as well, and one that
 * measured only what was sent would never see it (coordinated omission).
 */

/** Times in microseconds, on the clock of `performance.now()`. */
export class Schedule {
  readonly intervalUs: number;
  private readonly phase: number;
  private firstDueUs: number;

  /**
   * @param ratePerSecond messages a second
   * @param phase where in an interval the messages are due, 0 to 1, so that several rows need not coincide
   */
  constructor(ratePerSecond: number, phase = 1) {
    this.intervalUs = 1e6 / ratePerSecond;
    this.phase = phase;
    this.firstDueUs = 0;
  }

  start(nowUs: number): void {
    this.firstDueUs = nowUs + this.phase * this.intervalUs;
  }

  /** When the message after `index` others is due. */
  dueUs(index: number): number {
    return this.firstDueUs + index * this.intervalUs;
  }

  /** How many messages are due by `nowUs`, from the first on. */
  dueCount(nowUs: number): number {
    return Math.max(0, Math.floor((nowUs - this.firstDueUs) / this.intervalUs) + 1);
  }
}
