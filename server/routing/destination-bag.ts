/**
 * The destinations that one place of an index leads to, each counted as often as it was added: the same
 * queue may be bound with one key and several sets of arguments, and leaves with the last of them.
 *
 * Most bags of a large exchange hold one destination for life, so the first is a plain field and the Map,
 * 200 bytes even when small, comes with the second. Invariant: `first` is null only in an empty bag.
 */
export class DestinationBag<D extends object> {
  private first: D | null;
  private firstCount: number;
  /** All destinations but the first, with their counts; null while there was only one. */
  private others: Map<D, number> | null;

  constructor() {
    this.first = null;
    this.firstCount = 0;
    this.others = null;
  }

  get isEmpty(): boolean {
    return this.first === null;
  }

  add(destination: D): void {
    if (this.first === null) this.first = destination;
    if (this.first === destination) {
      this.firstCount++;
      return;
    }
    this.others ??= new Map();
    this.others.set(destination, (this.others.get(destination) ?? 0) + 1);
  }

  /** Takes one count of the destination away. @returns false when it is not in the bag. */
  remove(destination: D): boolean {
    if (this.first === destination) {
      this.firstCount--;
      if (this.firstCount === 0) this.promoteNext();
      return true;
    }
    const count = this.others?.get(destination);
    if (count === undefined) return false;
    if (count > 1) this.others?.set(destination, count - 1);
    else this.others?.delete(destination);
    return true;
  }

  addAllTo(out: Set<D>): void {
    if (this.first !== null) out.add(this.first);
    if (this.others !== null) for (const destination of this.others.keys()) out.add(destination);
  }

  private promoteNext(): void {
    this.first = null;
    if (this.others === null) return;
    for (const [destination, count] of this.others) {
      this.others.delete(destination);
      this.first = destination;
      this.firstCount = count;
      return;
    }
  }
}
