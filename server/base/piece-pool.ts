/**
 * Pieces of memory of one size, cut from regions that the C library maps one by one.
 *
 * Once a program has freed a piece that malloc had mapped, glibc serves pieces of that size from its heap, and a heap
 * shrinks only at its end: a server that once had sixty blocks of 1 MiB would keep their pages for good. A region is
 * larger than what is ever served that way. It costs only what was touched of it, and goes as a whole when none of
 * its pieces is in use: with the garbage collection after {@link PiecePool.trim}. Pieces of the first regions are
 * handed out first, so that the last ones empty.
 */
import { ByteArea } from './byte-area.ts';

/** In bytes; more than the largest threshold above which glibc maps by itself, 32 MiB (mallopt(3)). */
const REGION_BYTES = 33 * 1024 * 1024;

/** Memory that is mapped and goes at once. */
class Region {
  readonly memory: ArrayBuffer;
  readonly free: ByteArea[];
  usedCount: number;
  /** Bytes from the first on that pieces were cut from. */
  private cutBytes: number;

  constructor(bytes: number) {
    // Not zeroed: a page that nobody touches costs nothing.
    this.memory = Buffer.allocUnsafeSlow(bytes).buffer;
    this.free = [];
    this.usedCount = 0;
    this.cutBytes = 0;
  }

  /** A piece, or null when all are in use. */
  take(pieceBytes: number): ByteArea | null {
    let piece = this.free.pop() ?? null;
    if (piece === null && this.cutBytes + pieceBytes <= this.memory.byteLength) {
      piece = new ByteArea(Buffer.from(this.memory, this.cutBytes, pieceBytes));
      this.cutBytes += pieceBytes;
    }
    if (piece !== null) this.usedCount++;
    return piece;
  }

  takeBack(piece: ByteArea): void {
    this.free.push(piece);
    this.usedCount--;
  }
}

/** Hands out pieces of one size. */
export class PiecePool {
  readonly pieceBytes: number;
  private readonly regionBytes: number;
  private readonly regions: Region[];

  /**
   * @param pieceBytes size of a piece, much less than 32 MiB
   * @param regionBytes smaller only for who does not care where the memory is from, and makes many pools: V8 collects
   *   garbage by what buffers could hold, not by what of them was touched
   */
  constructor(pieceBytes: number, regionBytes: number = REGION_BYTES) {
    this.pieceBytes = pieceBytes;
    this.regionBytes = regionBytes;
    this.regions = [];
  }

  /** Pieces handed out. */
  get usedCount(): number {
    let count = 0;
    for (const region of this.regions) count += region.usedCount;
    return count;
  }

  /** A piece with arbitrary content. */
  acquire(): ByteArea {
    for (const region of this.regions) {
      const piece = region.take(this.pieceBytes);
      if (piece !== null) return piece;
    }
    const region = new Region(this.regionBytes);
    this.regions.push(region);
    return region.take(this.pieceBytes)!;
  }

  /** Takes back a piece of this pool. */
  release(piece: ByteArea): void {
    const { regions } = this;
    const region = regions.find(({ memory }) => memory === piece.buf.buffer);
    if (region === undefined) throw new Error('the piece is not of this pool');
    region.takeBack(piece);
  }

  /** Lets regions go that have no piece in use; returns their bytes. */
  trim(): number {
    const { regions } = this;
    const before = regions.length;
    for (let i = before - 1; i >= 0; i--) if (regions[i]!.usedCount === 0) regions.splice(i, 1);
    return (before - regions.length) * this.regionBytes;
  }
}
