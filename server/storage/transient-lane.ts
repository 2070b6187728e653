/**
 * @hot The lane of messages that no durable queue wants: memory only, gone with the process.
 *
 * Each block is a segment of its own in the position space, numbered from TRANSIENT_SEGMENT_FIRST on. A
 * block goes back to the pool when its last reference is released, and only then may its number be
 * used again: nobody holds a position in it any more.
 */
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import { BLOCK_SIZE } from './memory-block.ts';
import { positionAt, segmentOf, TRANSIENT_SEGMENT_FIRST } from './position.ts';
import type { MessageParts } from './record-format.ts';
import { sizeOfMessage, writeMessage } from './record-format.ts';

/** Appends transient messages and frees their memory block by block. */
export class TransientLane {
  private readonly pool: BlockPool;
  /** Indexed by segment number minus TRANSIENT_SEGMENT_FIRST; null where the number is free. */
  private readonly blocks: (MemoryBlock | null)[];
  private readonly freeNumbers: number[];
  private current: MemoryBlock | null;

  constructor(pool: BlockPool) {
    this.pool = pool;
    this.blocks = [];
    this.freeNumbers = [];
    this.current = null;
  }

  /** HOT. Stores a message with `references` queues waiting for it; returns its position. */
  append(message: MessageParts, references: number): number {
    const size = sizeOfMessage(message);
    let block = this.current;
    if (block === null || block.used + size > block.area.buf.length) block = this.nextBlock(size);
    const at = block.used;
    block.used = writeMessage(block.area, at, message, 0, 0);
    block.live += references;
    return block.start + at;
  }

  /** The block that holds `position`, or null when it was freed. */
  locate(position: number): MemoryBlock | null {
    return this.blocks[segmentOf(position) - TRANSIENT_SEGMENT_FIRST] ?? null;
  }

  /** HOT. Gives up one reference to the record at `position`. */
  release(position: number): void {
    const index = segmentOf(position) - TRANSIENT_SEGMENT_FIRST;
    const block = this.blocks[index];
    if (block === null || block === undefined) throw new Error('released a transient record twice');
    block.live--;
    if (block.live > 0) return;
    if (block === this.current) {
      // Nothing refers to it any more, and its memory is warm: begin anew at its first byte. The
      // positions repeat, but nobody holds the old ones.
      block.used = 0;
      return;
    }
    this.blocks[index] = null;
    this.freeNumbers.push(index);
    this.pool.release(block);
  }

  /** Frees all memory. */
  close(): void {
    for (const block of this.blocks) if (block !== null) this.pool.release(block);
    this.blocks.length = 0;
    this.freeNumbers.length = 0;
    this.current = null;
  }

  private nextBlock(size: number): MemoryBlock {
    const full = this.current;
    const index = this.freeNumbers.pop() ?? this.blocks.length;
    const start = positionAt(TRANSIENT_SEGMENT_FIRST + index, 0);
    const block = this.pool.acquire(start, Math.max(size, BLOCK_SIZE));
    this.blocks[index] = block;
    this.current = block;
    // The last references to the full block may have gone while it was current.
    if (full !== null && full.live === 0) {
      const fullIndex = segmentOf(full.start) - TRANSIENT_SEGMENT_FIRST;
      this.blocks[fullIndex] = null;
      this.freeNumbers.push(fullIndex);
      this.pool.release(full);
    }
    return block;
  }
}
