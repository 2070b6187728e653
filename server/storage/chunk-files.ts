/**
 * The chunk files of a vhost, one for each queue that has or had a row on disk, and what checkpoints mean to them:
 * what is made stable before one counts, and what nobody needs any more behind it.
 */
import { join } from 'node:path';
import { ChunkFile } from './chunk-file.ts';
import { CHUNK_FOLDER, queueOfChunkFile } from './chunk-file-format.ts';
import type { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import type { IndexRow } from './index-row.ts';
import type { QueueIndex } from './queue-index.ts';

/** Files synced side by side. */
const SYNCS_AT_ONCE = 8;

/** The files under `enq/`. */
export class ChunkFiles {
  /** Checkpoints tried so far; each try has this number. 0: those of earlier runs. */
  attempt: number;
  private attemptUnderWay: boolean;
  private keptAttempts: readonly number[];
  private readonly fs: FileSystem;
  private readonly folder: string;
  private readonly cache: FileCache;
  private readonly rowEntries: number;
  private readonly files: Map<number, ChunkFile>;
  private hasFolder: boolean;
  private deletes: boolean;

  /** Those in `directory`, the vhost's folder, with slots of `rowEntries` positions. */
  constructor(fs: FileSystem, cache: FileCache, directory: string, rowEntries: number) {
    this.attempt = 0;
    this.attemptUnderWay = false;
    this.keptAttempts = [0];
    this.fs = fs;
    this.folder = join(directory, CHUNK_FOLDER);
    this.cache = cache;
    this.rowEntries = rowEntries;
    this.files = new Map();
    this.hasFolder = false;
    this.deletes = true;
  }

  // --- for the rows ----------------------------------------------------------------------------

  /** The file of a queue; it need not be on the disk. */
  of(index: QueueIndex): ChunkFile {
    let file = this.files.get(index.number);
    if (file === undefined) {
      file = new ChunkFile(this.cache, this.folder, index, this.rowEntries);
      this.files.set(index.number, file);
    }
    return file;
  }

  /** All files. */
  all(): Iterable<ChunkFile> {
    return this.files.values();
  }

  /** Whether the slots of a recovered index are there. @throws StorageError when the file cannot be looked at */
  isComplete(index: QueueIndex): boolean {
    const file = this.files.get(index.number);
    if (file === undefined) return true;
    return file.isComplete();
  }

  /**
   * Writes what of the row is not yet in its slot; gives it one where it has none. False: there is none just now.
   *
   * @throws StorageError
   */
  write(index: QueueIndex, row: IndexRow): boolean {
    if (!this.hasFolder) {
      this.fs.makeDirectory(this.folder);
      this.hasFolder = true;
    }
    const file = this.of(index);
    try {
      if (row.slot < 0) {
        const slot = file.assign();
        if (slot < 0) return false;
        row.slot = slot;
        row.slotSince = this.attemptUnderWay ? this.attempt : this.attempt + 1;
      }
      file.write(row);
      return true;
    } catch (error) {
      if (row.stored === 0) file.giveUp(row);
      throw error;
    }
  }

  /** The row's slot is not needed any more. */
  freeSlot(index: QueueIndex, row: IndexRow): void {
    if (row.slot < 0) return;
    this.of(index).free(row.slot, row.slotSince, this.attempt);
    row.slot = -1;
    row.stored = 0;
  }

  /** The queue is gone, and its index cleared. */
  dropped(index: QueueIndex): void {
    const file = this.files.get(index.number);
    if (file === undefined || !index.durable) return;
    file.droppedAt = this.attempt;
    this.deleteUnneeded(file);
  }

  close(): void {
    for (const file of this.files.values()) file.close();
  }

  // --- for checkpoints -------------------------------------------------------------------------

  /** A checkpoint is about to be written; the slots in use from now on may be named by it. */
  beginAttempt(): void {
    this.attempt++;
    this.attemptUnderWay = true;
  }

  /** ... and no part of it will be encoded any more. */
  endParts(): void {
    this.attemptUnderWay = false;
  }

  /** Makes all that was written to chunk files stable. @throws StorageError */
  async sync(): Promise<void> {
    const files = [...this.files.values()].filter((file) => file.needsSync);
    for (let at = 0; at < files.length; at += SYNCS_AT_ONCE) {
      const some = files.slice(at, at + SYNCS_AT_ONCE);
      const results = await Promise.allSettled(some.map((file) => file.sync()));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    }
    const created = [...this.files.values()].filter((file) => file.isNew);
    if (created.length === 0) return;
    await this.fs.syncDirectory(this.folder);
    for (const file of created) file.isNew = false;
  }

  /** The attempts whose checkpoints are kept; slots and files that only others named are free. */
  keep(attempts: readonly number[]): void {
    const isEarlierRunKept = this.keptAttempts.includes(0);
    this.keptAttempts = attempts;
    for (const file of this.files.values()) {
      file.keep(attempts);
      this.deleteUnneeded(file);
    }
    if (this.deletes && isEarlierRunKept && !attempts.includes(0)) this.deleteLeftovers();
  }

  /** Cuts off what nobody needs at the ends of the files, a piece of each, one file after the other. */
  async cutTails(): Promise<void> {
    for (const file of this.files.values()) if (file.tailSlots > 0) await file.cutTail();
  }

  /** Nothing of earlier runs is deleted: there was damage. */
  deleteNothing(): void {
    this.deletes = false;
  }

  // --- inside ----------------------------------------------------------------------------------

  /** Deletes chunk files of earlier runs that no kept checkpoint names; where the disk refuses, a later run does. */
  private deleteLeftovers(): void {
    for (const name of this.fs.list(this.folder)) {
      if (this.files.has(queueOfChunkFile(name))) continue;
      this.fs.deleteLater(join(this.folder, name)).catch(() => {});
    }
  }

  private deleteUnneeded(file: ChunkFile): void {
    if (file.droppedAt >= 0) file.keep(this.keptAttempts);
    if (!file.isUnneeded || !this.deletes) return;
    const isGone = file.delete();
    if (isGone && file.droppedAt >= 0) this.files.delete(file.index.number);
  }
}
