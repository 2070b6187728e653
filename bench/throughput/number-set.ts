/**
 * @hot Which of the numbers from 0 on have come, in any order: a bit for each, in pages that are dropped when they are
 * full, so that what comes in order needs one page whatever its number.
 */
const PAGE_BITS = 16;
const PAGE_SIZE = 2 ** PAGE_BITS;
const PAGE_MASK = PAGE_SIZE - 1;

interface Page {
  readonly bits: Uint32Array;
  count: number;
}

/** Numbers up to 2^47. */
export class NumberSet {
  /** How many have come. */
  count: number;
  /** -1: none has come. */
  highest: number;
  /** By number / 65,536; null: full. */
  private readonly pages: Map<number, Page | null>;
  private latestIndex: number;
  private latest: Page | null;

  constructor() {
    this.count = 0;
    this.highest = -1;
    this.pages = new Map();
    this.latestIndex = -1;
    this.latest = null;
  }

  /** How many below the highest have not come. */
  get missing(): number {
    return this.highest + 1 - this.count;
  }

  /** The number of 32 bits that is nearest to what has come: the wire does not say how often it went round. */
  unwrap(wireNumber: number): number {
    const base = Math.max(0, this.highest);
    return base + ((wireNumber - base) | 0);
  }

  /** Adds a number, 0 or more; returns false when it has come before. HOT per message. */
  add(number: number): boolean {
    const index = Math.floor(number / PAGE_SIZE);
    if (index !== this.latestIndex) this.turnTo(index);
    const page = this.latest;
    if (page === null) return false;
    const word = (number & PAGE_MASK) >>> 5;
    const bit = 1 << (number & 31);
    if ((page.bits[word]! & bit) !== 0) return false;
    page.bits[word]! |= bit;
    this.count++;
    if (number > this.highest) this.highest = number;
    if (++page.count === PAGE_SIZE) {
      this.pages.set(index, null);
      this.latest = null;
    }
    return true;
  }

  private turnTo(index: number): void {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = { bits: new Uint32Array(PAGE_SIZE / 32), count: 0 };
      this.pages.set(index, page);
    }
    this.latestIndex = index;
    this.latest = page;
  }
}
