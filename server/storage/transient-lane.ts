/**
 * @hot The lane of messages that no durable queue wants: in memory, past a mark in files, gone with the process.
 *
 * Each block is a segment of its own in the position space, numbered from TRANSIENT_SEGMENT_FIRST on. A
 * block goes back to the pool when its last reference is released, and only then may its number be
 * used again: nobody holds a position in it any more.
 *
 * When the blocks take more memory than they may, the oldest are spilled: each to a file of its own, read back through
 * the read cache, deleted with its last reference. The files mean nothing to a boot, which deletes them.
 */
import { join } from 'node:path';
import type { FileSystem } from './fs.ts';
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import { BLOCK_SIZE } from './memory-block.ts';
import type { MessageRun } from './message-run.ts';
import { positionAt, segmentOf, TRANSIENT_SEGMENT_FIRST } from './position.ts';
import type { MessageParts } from './record-format.ts';
import { sizeOfMessage, writeMessage } from './record-format.ts';
import { StorageError } from './storage-error.ts';

/** The folder of the spilled blocks, in the vhost's. */
export const SPILL_FOLDER: string = 'spill';

/** A block whose bytes lie in a file. */
interface SpilledBlock {
  readonly path: string;
  readonly start: number;
  readonly used: number;
  live: number;
}

/** Told when positions become free, before they may be used again. */
export type PositionsFreed = (from: number, to: number) => void;

/** Appends transient messages and frees their memory block by block. */
export class TransientLane {
  private readonly pool: BlockPool;
  private readonly fs: FileSystem;
  private readonly folder: string;
  private readonly memoryMax: number;
  private readonly freed: PositionsFreed;
  /** Indexed by segment number minus TRANSIENT_SEGMENT_FIRST; null where the number is free or spilled. */
  private readonly blocks: (MemoryBlock | null)[];
  private readonly spilled: Map<number, SpilledBlock>;
  /** Indexes of the full blocks in memory, oldest first. */
  private readonly full: Set<number>;
  private readonly freeNumbers: number[];
  private current: MemoryBlock | null;
  /** Bytes of the blocks in memory. */
  private memoryBytes: number;
  private hasFolder: boolean;

  /**
   * @param directory the vhost's; a folder is made in it when blocks are spilled, and emptied here
   * @param memoryMax bytes that the blocks may take before the oldest are spilled
   */
  constructor(
    pool: BlockPool,
    fs: FileSystem,
    directory: string,
    memoryMax: number,
    freed: PositionsFreed,
  ) {
    this.pool = pool;
    this.fs = fs;
    this.folder = join(directory, SPILL_FOLDER);
    this.memoryMax = memoryMax;
    this.freed = freed;
    this.blocks = [];
    this.spilled = new Map();
    this.full = new Set();
    this.freeNumbers = [];
    this.current = null;
    this.memoryBytes = 0;
    this.hasFolder = false;
    for (const name of fs.list(this.folder)) fs.delete(join(this.folder, name));
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

  /** HOT per run. The same for a piece of a run: those that fit into the block, at least one. */
  appendRun(run: MessageRun, references: number): void {
    const size = run.nextSize;
    let block = this.current;
    if (block === null || block.used + size > block.area.buf.length) block = this.nextBlock(size);
    const { area, used, start } = block;
    block.used = run.write(area, used, area.buf.length, start, 0, 0);
    block.live += references * run.pieceCount;
  }

  /** The block that holds `position`, or null when it was freed or spilled. */
  locate(position: number): MemoryBlock | null {
    return this.blocks[segmentOf(position) - TRANSIENT_SEGMENT_FIRST] ?? null;
  }

  /** HOT. Gives up one reference to the record at `position`. */
  release(position: number): void {
    this.releaseMany(segmentOf(position), 1);
  }

  /** Gives up `count` references to records of the block that has this segment number. */
  releaseMany(segment: number, count: number): void {
    const index = segment - TRANSIENT_SEGMENT_FIRST;
    const block = this.blocks[index];
    if (block === null || block === undefined) {
      this.releaseSpilled(index, count);
      return;
    }
    block.live -= count;
    if (block.live > 0) return;
    if (block === this.current) {
      // Nothing refers to it any more, and its memory is warm: begin anew at its first byte. The
      // positions repeat, but nobody holds the old ones.
      block.used = 0;
      return;
    }
    this.freeBlock(index, block);
  }

  /** Takes `count` references more to the record at `position`, which somebody refers to already. */
  refer(position: number, count: number): void {
    const index = segmentOf(position) - TRANSIENT_SEGMENT_FIRST;
    const holder = this.blocks[index] ?? this.spilled.get(index);
    if (holder === undefined) throw new Error('referred to a transient record that is gone');
    holder.live += count;
  }

  /**
   * Reads up to `length` bytes of a spilled block at `position` into `block`; nothing where it has been freed
   * meanwhile.
   *
   * @throws StorageError when the file cannot be read
   */
  async read(block: MemoryBlock, position: number, length: number): Promise<void> {
    const spilled = this.spilled.get(segmentOf(position) - TRANSIENT_SEGMENT_FIRST);
    if (spilled === undefined) return;
    const at = position - spilled.start;
    const wanted = Math.min(length, spilled.used - at);
    const file = this.fs.openForReading(spilled.path);
    try {
      const count = await file.readAt(block.area.buf, 0, wanted, at);
      if (count < wanted) throw new StorageError(spilled.path, `ends before byte ${at + wanted}`);
      block.used = count;
    } finally {
      file.close();
    }
  }

  /** Frees all memory and files. */
  close(): void {
    for (const block of this.blocks) if (block !== null) this.pool.release(block);
    for (const { path } of this.spilled.values()) this.fs.delete(path);
    this.blocks.length = 0;
    this.spilled.clear();
    this.full.clear();
    this.freeNumbers.length = 0;
    this.current = null;
    this.memoryBytes = 0;
  }

  private nextBlock(size: number): MemoryBlock {
    const last = this.current;
    const index = this.freeNumbers.pop() ?? this.blocks.length;
    const start = positionAt(TRANSIENT_SEGMENT_FIRST + index, 0);
    const block = this.pool.acquire(start, Math.max(size, BLOCK_SIZE));
    this.blocks[index] = block;
    this.current = block;
    this.memoryBytes += block.area.buf.length;
    if (last !== null) {
      const lastIndex = segmentOf(last.start) - TRANSIENT_SEGMENT_FIRST;
      // The last references to the full block may have gone while it was current.
      if (last.live === 0) this.freeBlock(lastIndex, last);
      else this.full.add(lastIndex);
    }
    if (this.memoryBytes > this.memoryMax) this.spill();
    return block;
  }

  private freeBlock(index: number, block: MemoryBlock): void {
    this.takeOut(index, block);
    this.freeNumbers.push(index);
  }

  private takeOut(index: number, block: MemoryBlock): void {
    this.blocks[index] = null;
    this.full.delete(index);
    this.memoryBytes -= block.area.buf.length;
    this.pool.release(block);
  }

  /** Spills the oldest full blocks. A disk that refuses costs memory: nobody is promised anything of them. */
  private spill(): void {
    for (const index of this.full) {
      if (this.memoryBytes <= this.memoryMax) return;
      const block = this.blocks[index]!;
      const { start, used, live } = block;
      const path = join(this.folder, String(index).padStart(8, '0'));
      try {
        this.write(path, block);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        this.fs.delete(path);
        return;
      }
      this.spilled.set(index, { path, start, used, live });
      this.takeOut(index, block);
    }
  }

  private write(path: string, block: MemoryBlock): void {
    if (!this.hasFolder) this.fs.makeDirectory(this.folder);
    this.hasFolder = true;
    const file = this.fs.openForWriting(path);
    try {
      file.writeAt(block.area.buf, 0, block.used, 0);
    } finally {
      file.close();
    }
  }

  private releaseSpilled(index: number, count: number): void {
    const spilled = this.spilled.get(index);
    if (spilled === undefined) throw new Error('released a transient record twice');
    spilled.live -= count;
    if (spilled.live > 0) return;
    this.spilled.delete(index);
    this.fs.delete(spilled.path);
    this.freed(spilled.start, spilled.start + spilled.used);
    this.freeNumbers.push(index);
  }
}
