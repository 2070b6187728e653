/** A number of messages that several producers share, so that together they publish exactly that many. */
export class Quota {
  private left: number;

  /** @param count messages in all; 0: no limit. */
  constructor(count: number) {
    this.left = count === 0 ? Number.POSITIVE_INFINITY : count;
  }

  get isExhausted(): boolean {
    return this.left === 0;
  }

  /** Takes up to `wanted` messages; returns how many. */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.left);
    this.left -= taken;
    return taken;
  }
}
