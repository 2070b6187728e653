/**
 * A block of memory that holds a range of positions: batches just produced, records of the transient
 * lane, or bytes read back from a segment.
 *
 * Blocks are recycled: `start` then names another range, so whoever keeps a reference asks
 * {@link MemoryBlock.holds} each time before reading. Positions are unique for life, so a recycled
 * block never seems to hold an old one.
 */
import type { ByteArea } from '../base/byte-area.ts';
import { newByteArea } from '../base/byte-area.ts';

/** Size of an ordinary block, in bytes (1 MiB). */
export const BLOCK_SIZE: number = 2 ** 20;

/** Free blocks kept for the next need: a log under load has this many between two syncs ... */
const FREE_BLOCKS_MAX = 64;
/** ... and one at rest needs few. */
const FREE_BLOCKS_AT_REST = 4;

/** A range of positions in memory. */
export class MemoryBlock {
  readonly area: ByteArea;
  /** Position of the first byte. */
  start: number;
  /** Bytes in use from the first on. */
  used: number;
  /** References to records in it; only counted in the transient lane. */
  live: number;

  constructor(area: ByteArea) {
    this.area = area;
    this.start = 0;
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
  private readonly free: MemoryBlock[];
  /** Bytes in blocks handed out and kept free. */
  allocatedBytes: number;

  constructor() {
    this.free = [];
    this.allocatedBytes = 0;
  }

  /** Bytes in blocks handed out: those kept free are given back when memory is short. */
  get usedBytes(): number {
    return this.allocatedBytes - this.free.length * BLOCK_SIZE;
  }

  /** A block of at least `sizeMin` bytes for the positions from `start` on. */
  acquire(start: number, sizeMin: number): MemoryBlock {
    const recycled = sizeMin <= BLOCK_SIZE ? this.free.pop() : undefined;
    const block = recycled ?? this.allocate(Math.max(BLOCK_SIZE, sizeMin));
    block.start = start;
    block.used = 0;
    block.live = 0;
    return block;
  }

  /** Takes a block back; its content is gone. */
  release(block: MemoryBlock): void {
    block.start = -1;
    block.used = 0;
    if (block.area.buf.length === BLOCK_SIZE && this.free.length < FREE_BLOCKS_MAX) {
      this.free.push(block);
    } else {
      this.allocatedBytes -= block.area.buf.length;
    }
  }

  /** Gives free blocks back to the process: nobody is under load. */
  trim(): void {
    while (this.free.length > FREE_BLOCKS_AT_REST) {
      this.allocatedBytes -= this.free.pop()!.area.buf.length;
    }
  }

  private allocate(size: number): MemoryBlock {
    this.allocatedBytes += size;
    return new MemoryBlock(newByteArea(size));
  }
}
