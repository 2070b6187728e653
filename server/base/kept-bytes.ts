/** @hot Bytes of the last message that are kept to be compared with those of the next: most publishers repeat them. */
import { type ByteArea, copyBytes, equalBytes, newByteArea } from './byte-area.ts';

/** A copy of some bytes, or of none. */
export class KeptBytes {
  private readonly sizeMax: number;
  /** Null until some are kept. */
  private area: ByteArea | null;
  /** -1: none are kept. */
  private size: number;

  /** @param sizeMax in bytes; larger pieces are not kept */
  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
    this.area = null;
    this.size = -1;
  }

  /** HOT per publish. Whether `area[at..at + size)` is what is kept. */
  equals(area: ByteArea, at: number, size: number): boolean {
    return size === this.size && equalBytes(this.area!, 0, area, at, size);
  }

  /** Keeps `area[at..at + size)` in place of what was kept. */
  keep(area: ByteArea, at: number, size: number): void {
    this.size = -1;
    if (size > this.sizeMax) return;
    this.area ??= newByteArea(this.sizeMax);
    copyBytes(this.area, 0, area, at, size);
    this.size = size;
  }

  /** Keeps none. */
  forget(): void {
    this.size = -1;
  }
}
