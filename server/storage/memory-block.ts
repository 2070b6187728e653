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

  constructor(area: ByteArea, start: number) {
    this.area = area;
    this.start = start;
    this.used = 0;
    this.live = 0;
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

  constructor() {
    this.usedBytes = 0;
    this.pieces = new PiecePool(BLOCK_SIZE);
  }

  /** A block of at least `sizeMin` bytes for the positions from `start` on. */
  acquire(start: number, sizeMin: number): MemoryBlock {
    const area = sizeMin <= BLOCK_SIZE ? this.pieces.acquire() : newByteArea(sizeMin);
    this.usedBytes += area.buf.length;
    return new MemoryBlock(area, start);
  }

  /** Takes a block back; its content is gone. */
  release(block: MemoryBlock): void {
    const { area } = block;
    this.usedBytes -= area.buf.length;
    block.area = NOTHING;
    block.start = -1;
    block.used = 0;
    if (area.buf.length === BLOCK_SIZE) this.pieces.release(area);
  }

  /** Lets go of memory that no block needs; returns how much, in bytes. Free with the next collection. */
  trim(): number {
    return this.pieces.trim();
  }
}
