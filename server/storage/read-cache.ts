/**
 * Blocks read back from segments, for messages that are no longer in the log's own memory.
 *
 * Reads run in the thread pool; nobody waits for them on the loop. A block is shared by all queues that come
 * to its positions while it is here, and goes when all take more than {@link BYTES_MAX} and it is the
 * longest unused.
 */
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import { MESSAGE_HEAD_SIZE, messageSizeAt } from './record-format.ts';
import type { StorageError } from './storage-error.ts';

/** Memory kept in blocks, in bytes; the newest stays however large it is. */
const BYTES_MAX = 32 * 1024 * 1024;

/** Called when a read has ended; the bytes are in the cache unless `error` says why not. */
export type ReadListener = (error: StorageError | null) => void;

/** The same, told the position behind the last byte read. */
type ReadEnded = (error: StorageError | null, end: number) => void;

/** Where the blocks come from. */
export interface BlockSource {
  /** Reads up to `length` bytes at `position` into `block`, and sets how much of it is used. */
  read(block: MemoryBlock, position: number, length: number): Promise<void>;
}

interface ReadUnderWay {
  readonly from: number;
  readonly to: number;
  readonly listeners: ReadEnded[];
  /** What it reads was freed meanwhile. */
  isStale: boolean;
}

/** Reads log blocks from disk and keeps the newest used. */
export class ReadCache {
  private readonly source: BlockSource;
  private readonly pool: BlockPool;
  /** Least recently used first. */
  private readonly blocks: MemoryBlock[];
  private readonly underWay: ReadUnderWay[];
  private bytes: number;
  private closed: boolean;

  constructor(source: BlockSource, pool: BlockPool) {
    this.source = source;
    this.pool = pool;
    this.blocks = [];
    this.underWay = [];
    this.bytes = 0;
    this.closed = false;
  }

  /** The block that holds the whole record at `position`, or null. */
  locate(position: number): MemoryBlock | null {
    const blocks = this.blocks;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i]!;
      if (!block.holds(position) || position + recordSize(block, position) > endOf(block)) continue;
      if (i < blocks.length - 1) {
        blocks.splice(i, 1);
        blocks.push(block);
      }
      return block;
    }
    return null;
  }

  /** Size of the record at `position`, when its head is here; otherwise 0. */
  sizeAt(position: number): number {
    for (const block of this.blocks) {
      if (!block.holds(position)) continue;
      const size = recordSize(block, position);
      if (Number.isFinite(size)) return size;
    }
    return 0;
  }

  /** Reads `length` bytes from `position` on; `listener` is called when they have come. */
  read(position: number, length: number, listener: ReadEnded): void {
    const same = this.underWay.find(
      (read) => !read.isStale && read.from <= position && position + length <= read.to,
    );
    if (same !== undefined) {
      same.listeners.push(listener);
      return;
    }
    const to = position + length;
    const read: ReadUnderWay = { from: position, to, listeners: [listener], isStale: false };
    this.underWay.push(read);
    const block = this.pool.acquireFor(position, length);
    this.source.read(block, position, length).then(
      () => this.ended(read, block, null),
      (error: StorageError) => this.ended(read, block, error),
    );
  }

  /** The positions from `from` up to `to` are free, and may come to mean something else. */
  forget(from: number, to: number): void {
    for (const read of this.underWay) if (read.from < to && from < read.to) read.isStale = true;
    for (let i = this.blocks.length - 1; i >= 0; i--) {
      const block = this.blocks[i]!;
      if (block.start < to && endOf(block) > from) this.drop(i);
    }
  }

  /** Gives all memory back; what is asked for next is read again. */
  clear(): void {
    for (const block of this.blocks) this.pool.release(block);
    this.blocks.length = 0;
    this.bytes = 0;
  }

  close(): void {
    this.closed = true;
    this.clear();
  }

  private drop(at: number): void {
    const [block] = this.blocks.splice(at, 1);
    this.bytes -= block!.area.buf.length;
    this.pool.release(block!);
  }

  private ended(read: ReadUnderWay, block: MemoryBlock, error: StorageError | null): void {
    this.underWay.splice(this.underWay.indexOf(read), 1);
    const end = endOf(block);
    const isUseless = error !== null || read.isStale || block.used === 0;
    if (this.closed || isUseless) this.pool.release(block);
    else {
      // An earlier read from there ended where the log did then.
      const shorter = this.blocks.findIndex(({ start }) => start === block.start);
      if (shorter >= 0) this.drop(shorter);
      this.blocks.push(block);
      this.bytes += block.area.buf.length;
      while (this.bytes > BYTES_MAX && this.blocks.length > 1) this.drop(0);
    }
    if (!this.closed) for (const listener of read.listeners) listener(error, end);
  }
}

function endOf(block: MemoryBlock): number {
  return block.start + block.used;
}

/** Infinite when not even the record's head lies in the block. */
function recordSize(block: MemoryBlock, position: number): number {
  const at = position - block.start;
  if (at + MESSAGE_HEAD_SIZE > block.used) return Number.POSITIVE_INFINITY;
  return messageSizeAt(block.area.view, at);
}
