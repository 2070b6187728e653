/**
 * A block of memory that holds a range of positions: batches just produced, records of the transient
 * lane, or bytes read back from a segment.
 *
 * A block that was given back holds nothing any more, and its memory is another's: whoever keeps a reference asks
 * {@link MemoryBlock.holds} each time before reading.
 */
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import { PiecePool } from '../base/piece-pool.ts';

/** Size of an ordinary block, in bytes (1 MiB). */
export const BLOCK_SIZE: number = 2 ** 20;

/** Size of a block for a short read, in bytes. */
export const SMALL_BLOCK_SIZE: number = 64 * 1024;

/** What a block holds that was given back. */
const NOTHING = new ByteArea(Buffer.alloc(0));

/** A range of positions in memory. */
export class MemoryBlock {
  area: ByteArea;
  /** Position of the first byte. */
  start: number;
  /** Bytes in use from the first on. */
  used: number;
  /** References to records in it; only counted in the transient lane. */
  live: number;
  /** Some of it went to a file; only told of the log's own blocks. */
  isWritten: boolean;

  constructor(area: ByteArea, start: number) {
    this.area = area;
    this.start = start;
    this.used = 0;
    this.live = 0;
    this.isWritten = false;
  }

  /** True when the record at `position` begins in this block. */
  holds(position: number): boolean {
    return position >= this.start && position < this.start + this.used;
  }
}

/** Hands out blocks and takes them back. One per server. */
export class BlockPool {
  /** Bytes in blocks handed out. */
  usedBytes: number;
  private readonly pieces: PiecePool;
  private readonly smallPieces: PiecePool;

  /** @param regionBytes see {@link PiecePool} */
  constructor(regionBytes?: number) {
    this.usedBytes = 0;
    this.pieces = new PiecePool(BLOCK_SIZE, regionBytes);
    this.smallPieces = new PiecePool(SMALL_BLOCK_SIZE, regionBytes);
  }

  /** A block of at least `sizeMin` bytes, and of {@link BLOCK_SIZE}, for the positions from `start` on. */
  acquire(start: number, sizeMin: number): MemoryBlock {
    return this.handOut(
      sizeMin <= BLOCK_SIZE ? this.pieces.acquire() : newByteArea(sizeMin),
      start,
    );
  }

  /** A block that is hardly larger than `size` bytes, for the positions from `start` on. */
  acquireFor(start: number, size: number): MemoryBlock {
    if (size > SMALL_BLOCK_SIZE) return this.acquire(start, size);
    return this.handOut(this.smallPieces.acquire(), start);
  }

  /** Takes a block back; its content is gone. */
  release(block: MemoryBlock): void {
    const { area } = block;
    this.usedBytes -= area.buf.length;
    block.area = NOTHING;
    block.start = -1;
    block.used = 0;
    if (area.buf.length === BLOCK_SIZE) this.pieces.release(area);
    else if (area.buf.length === SMALL_BLOCK_SIZE) this.smallPieces.release(area);
  }

  /** Lets go of memory that no block needs; returns how much, in bytes. Free with the next collection. */
  trim(): number {
    return this.pieces.trim() + this.smallPieces.trim();
  }

  private handOut(area: ByteArea, start: number): MemoryBlock {
    this.usedBytes += area.buf.length;
    return new MemoryBlock(area, start);
  }
}
