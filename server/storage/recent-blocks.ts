/**
 * @hot The log's newest blocks, which stay in memory behind the open one: the files do not hold them for certain
 * yet, and queues that keep up read them here.
 */
import type { BlockPool, MemoryBlock } from './memory-block.ts';

/** Blocks that nobody needs any more stay readable up to this many bytes. */
const RECENT_BYTES = 4 * 1024 * 1024;

/** Full blocks of the log, oldest first. */
export class RecentBlocks {
  private readonly pool: BlockPool;
  private readonly blocks: MemoryBlock[];
  private bytes: number;

  constructor(pool: BlockPool) {
    this.pool = pool;
    this.blocks = [];
    this.bytes = 0;
  }

  /** Keeps a block whose positions lie behind those of all others. */
  add(block: MemoryBlock): void {
    this.blocks.push(block);
    this.bytes += block.area.buf.length;
  }

  /** HOT per block of a queue. The block that holds the record at `position`, or null. */
  locate(position: number): MemoryBlock | null {
    const { blocks } = this;
    let low = 0;
    let high = blocks.length - 1;
    if (high < 0 || position < blocks[0]!.start) return null;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (blocks[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    const block = blocks[low]!;
    return block.holds(position) ? block : null;
  }

  /** Gives back the oldest blocks, as far as they end before `position`. */
  evict(position: number): void {
    let count = 0;
    for (const block of this.blocks) {
      if (this.bytes <= RECENT_BYTES || block.start + block.used > position) break;
      this.bytes -= block.area.buf.length;
      this.pool.release(block);
      count++;
    }
    if (count > 0) this.blocks.splice(0, count);
  }

  clear(): void {
    for (const block of this.blocks) this.pool.release(block);
    this.blocks.length = 0;
    this.bytes = 0;
  }
}
