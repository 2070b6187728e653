/**
 * How often the messages of one index row were delivered and came back. A few are kept in a map; many, as after
 * a consumer's death, in two octets for each entry of the row.
 */

/** From this many entries on, an array takes less than a map. */
const FEW_MAX = 256;
/** What two octets hold; a message that came back more often stays at it. */
export const RETURN_COUNT_MAX: number = 0xffff;

/** Counts by entry; 0 is not kept. */
export class ReturnCounts {
  private readonly entries: number;
  private few: Map<number, number> | null;
  private all: Uint16Array | null;

  /** For a row of `entries` entries at most. */
  constructor(entries: number) {
    this.entries = entries;
    this.few = new Map();
    this.all = null;
  }

  get(entry: number): number {
    return this.all === null ? (this.few!.get(entry) ?? 0) : this.all[entry]!;
  }

  set(entry: number, count: number): void {
    const kept = Math.min(count, RETURN_COUNT_MAX);
    if (this.few !== null && this.few.size >= FEW_MAX) this.spread(this.few);
    if (this.all !== null) this.all[entry] = kept;
    else this.few!.set(entry, kept);
  }

  delete(entry: number): void {
    if (this.all !== null) this.all[entry] = 0;
    else this.few!.delete(entry);
  }

  /** How many counts are not 0. */
  get count(): number {
    if (this.few !== null) return this.few.size;
    let count = 0;
    for (const times of this.all!) if (times > 0) count++;
    return count;
  }

  /** Every count that is not 0. */
  forEach(visit: (entry: number, count: number) => void): void {
    const { all, few } = this;
    if (all === null) {
      few!.forEach((count, entry) => {
        visit(entry, count);
      });
      return;
    }
    for (let entry = 0; entry < all.length; entry++) {
      if (all[entry]! > 0) visit(entry, all[entry]!);
    }
  }

  private spread(few: Map<number, number>): void {
    const all = new Uint16Array(this.entries);
    few.forEach((count, entry) => {
      all[entry] = count;
    });
    this.all = all;
    this.few = null;
  }
}
