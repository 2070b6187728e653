/** Offsets that one page of bits covers. */
const PAGE_OFFSETS = 64 * 1024;
/** Pages kept for the next segment: most have few messages left that are wanted. */
const SPARE_PAGES = 64;

/**
 * Which records of a segment are still wanted: one bit for each offset at which a record may begin, in pages that are
 * made where a bit is set. It serves one segment after the other, since memory for each would be garbage that makes
 * V8 stop everything (`npm run bench:storage -- --rows stragglers`).
 */
export class LiveOffsets {
  private readonly pages: Map<number, Uint8Array>;
  private readonly spare: Uint8Array[];

  constructor() {
    this.pages = new Map();
    this.spare = [];
  }

  mark(offset: number): void {
    const number = Math.floor(offset / PAGE_OFFSETS);
    let page = this.pages.get(number);
    if (page === undefined) {
      page = this.spare.pop() ?? new Uint8Array(PAGE_OFFSETS / 8);
      this.pages.set(number, page);
    }
    const at = (offset % PAGE_OFFSETS) >>> 3;
    page[at] = page[at]! | (1 << (offset & 7));
  }

  has(offset: number): boolean {
    const page = this.pages.get(Math.floor(offset / PAGE_OFFSETS));
    if (page === undefined) return false;
    return (page[(offset % PAGE_OFFSETS) >>> 3]! & (1 << (offset & 7))) !== 0;
  }

  /** Forgets all offsets. */
  clear(): void {
    for (const page of this.pages.values()) {
      if (this.spare.length >= SPARE_PAGES) break;
      this.spare.push(page.fill(0));
    }
    this.pages.clear();
  }
}
