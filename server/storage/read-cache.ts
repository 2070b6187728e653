/**
 * Blocks read back from segments, for messages that are no longer in the log's own memory.
 *
 * Reads run in the thread pool; nobody waits for them on the loop. A block is shared by all queues that come
 * to its positions while it is here, and goes when all take too much and it is the longest unused.
 *
 * One queue that is read from end to end wants each block once, and fastest into memory that the processor still has in
 * its caches: a few blocks are kept. Once a block is read that was dropped not long ago, many are, until nothing has
 * come of that for a while. Bench: scenario consume.
 */
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import { MESSAGE_HEAD_SIZE, messageSizeAt } from './record-format.ts';
import type { StorageError } from './storage-error.ts';

/** Memory kept in blocks, in bytes, when few are kept and when many are; the newest stays however large it is. */
const FEW_BYTES = 4 * 1024 * 1024;
const MANY_BYTES = 32 * 1024 * 1024;
/** So many of the newest used blocks would be there also when few are kept. */
const FEW_BLOCKS = 4;
/** Of so many dropped blocks it is remembered that they were here. */
const DROPPED_MAX = 32;
/** Few blocks are kept again when so many reads have come since one of the others was of use. */
const READS_WITHOUT_USE_MAX = 64;

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
  /** Where blocks began that had to go, the last one last. */
  private readonly dropped: number[];
  private bytes: number;
  private bytesMax: number;
  /** Reads since it was of use that many blocks are kept. */
  private readsWithoutUse: number;
  private closed: boolean;

  constructor(source: BlockSource, pool: BlockPool) {
    this.source = source;
    this.pool = pool;
    this.blocks = [];
    this.underWay = [];
    this.dropped = [];
    this.bytes = 0;
    this.bytesMax = FEW_BYTES;
    this.readsWithoutUse = 0;
    this.closed = false;
  }

  /** The block that holds the whole record at `position`, or null. */
  locate(position: number): MemoryBlock | null {
    const blocks = this.blocks;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i]!;
      if (!block.holds(position) || position + recordSize(block, position) > endOf(block)) continue;
      if (i < blocks.length - FEW_BLOCKS) this.readsWithoutUse = 0;
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
    if (this.dropped.includes(position)) {
      this.bytesMax = MANY_BYTES;
      this.readsWithoutUse = 0;
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

  /** A block has come. */
  private makeRoom(): void {
    this.readsWithoutUse++;
    if (this.readsWithoutUse > READS_WITHOUT_USE_MAX) this.bytesMax = FEW_BYTES;
    while (this.bytes > this.bytesMax && this.blocks.length > 1) {
      this.dropped.push(this.blocks[0]!.start);
      if (this.dropped.length > DROPPED_MAX) this.dropped.shift();
      this.drop(0);
    }
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
      this.makeRoom();
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
