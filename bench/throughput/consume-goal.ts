/** Sums what all consumers of a run have seen, and tells once when it is enough. */
export class ConsumeGoal {
  consumed: number;
  readonly whenReached: Promise<void>;
  private readonly countMax: number;
  private resolve: () => void;

  /** @param countMax messages in all; 0: never reached. */
  constructor(countMax: number) {
    this.consumed = 0;
    this.countMax = countMax === 0 ? Number.POSITIVE_INFINITY : countMax;
    this.resolve = () => {};
    this.whenReached = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  add(count: number): void {
    this.consumed += count;
    if (this.consumed >= this.countMax) this.resolve();
  }
}
