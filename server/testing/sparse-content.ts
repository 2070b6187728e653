/**
 * A file's bytes in pages of 4 KiB: what was never written takes no space and reads as zeros.
 *
 * A page, once made, is never changed but replaced, so copies share their pages and cost a table each. That
 * lets a test keep the state of a whole disk at any moment.
 */

/** Bytes are allocated in pages of this size, as on most disks. */
export const PAGE_SIZE: number = 4096;

const ZEROS = Buffer.alloc(PAGE_SIZE);

/** Bytes of a file, with holes. */
export class SparseContent {
  /** Length in bytes, holes included. */
  size: number;
  private pages: Map<number, Buffer>;

  constructor() {
    this.size = 0;
    this.pages = new Map();
  }

  /** Bytes of disk that it takes. */
  get allocatedBytes(): number {
    return this.pages.size * PAGE_SIZE;
  }

  copy(): SparseContent {
    const copy = new SparseContent();
    copy.size = this.size;
    copy.pages = new Map(this.pages);
    return copy;
  }

  /** Bytes of disk that a write of `length` bytes at `offset` would take in addition. */
  growthOf(offset: number, length: number): number {
    let pages = 0;
    for (let page = firstPage(offset); page * PAGE_SIZE < offset + length; page++) {
      if (!this.pages.has(page)) pages++;
    }
    return pages * PAGE_SIZE;
  }

  /** Takes over `bytes`, which must not change any more. */
  write(offset: number, bytes: Buffer): void {
    const end = offset + bytes.length;
    for (let page = firstPage(offset); page * PAGE_SIZE < end; page++) {
      const pageAt = page * PAGE_SIZE;
      const from = Math.max(offset, pageAt);
      const to = Math.min(end, pageAt + PAGE_SIZE);
      const piece = bytes.subarray(from - offset, to - offset);
      this.pages.set(page, piece.length === PAGE_SIZE ? piece : this.patched(page, from, piece));
    }
    this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    if (size < this.size) {
      for (const page of [...this.pages.keys()]) {
        if (page * PAGE_SIZE >= size) this.pages.delete(page);
      }
      const last = firstPage(size);
      const tail = (last + 1) * PAGE_SIZE - size;
      if (this.pages.has(last))
        this.pages.set(last, this.patched(last, size, ZEROS.subarray(0, tail)));
    }
    this.size = size;
  }

  /** Up to `length` bytes from `offset` on; fewer at the end. */
  read(offset: number, length: number): Buffer {
    const end = Math.min(this.size, offset + length);
    const out = Buffer.alloc(Math.max(0, end - offset));
    for (let page = firstPage(offset); page * PAGE_SIZE < end; page++) {
      const pageAt = page * PAGE_SIZE;
      const from = Math.max(offset, pageAt);
      const to = Math.min(end, pageAt + PAGE_SIZE);
      this.pages.get(page)?.copy(out, from - offset, from - pageAt, to - pageAt);
    }
    return out;
  }

  private patched(page: number, from: number, piece: Buffer): Buffer {
    const patched = Buffer.from(this.pages.get(page) ?? ZEROS);
    piece.copy(patched, from - page * PAGE_SIZE);
    return patched;
  }
}

function firstPage(offset: number): number {
  return Math.floor(offset / PAGE_SIZE);
}
