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

  /**
   * Gives back blocks: those before `writtenUpTo` of which nothing went to a file, for nobody wants anything of them,
   * and the oldest others, as far as they end before `stableUpTo`.
   */
  evict(writtenUpTo: number, stableUpTo: number): void {
    const { blocks } = this;
    let kept = 0;
    for (let i = 0; i < blocks.length; i++) {
      const block = blocks[i]!;
      const end = block.start + block.used;
      const isSpent = end <= writtenUpTo && !block.isWritten;
      if (isSpent || (kept === 0 && end <= stableUpTo && this.bytes > RECENT_BYTES)) {
        this.bytes -= block.area.buf.length;
        this.pool.release(block);
      } else {
        blocks[kept] = block;
        kept++;
      }
    }
    blocks.length = kept;
  }

  clear(): void {
    for (const block of this.blocks) this.pool.release(block);
    this.blocks.length = 0;
    this.bytes = 0;
  }
}
