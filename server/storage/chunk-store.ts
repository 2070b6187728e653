/**
 * Keeps the rows of all indexes of a vhost: in memory those that are about to be used, the rest in chunk files.
 *
 *     rows of a queue   [ disk ] ... [ disk ][ memory ][ cursor ][ memory ][ disk ] ... [ disk ][ memory ][ tail ]
 *
 * - A full row goes to its slot as soon as it is full and in nobody's way, into the page cache alone; its array is
 *   used again. It stays in memory while one of its records is not yet written, and where the disk refuses.
 * - When the cursor enters a row, the next one is read ahead; the one it left stays for a while, since its acks may
 *   be on the way and a row that goes soon need not be written.
 * - What a checkpoint names is made stable by {@link ChunkStore.sync}; nothing here is needed to recover without one.
 */
import { join } from 'node:path';
import { ChunkFile, chunkFileName } from './chunk-file.ts';
import type { FileSystem } from './fs.ts';
import type { ChunkHome } from './index-home.ts';
import { type IndexRow, ROW_ENTRIES, type RowListener } from './index-row.ts';
import type { QueueIndex } from './queue-index.ts';
import { reachesInto } from './release-row.ts';
import { StorageError } from './storage-error.ts';

/** The folder of the chunk files in a vhost's folder. */
export const CHUNK_FOLDER = 'enq';
/** Arrays kept for the next row. */
const FREE_ARRAYS_MAX = 8;
/** Chunk files open at a time; those with a read or sync under way come on top. */
const OPEN_FILES_MAX = 128;
/** Files synced side by side. */
const SYNCS_AT_ONCE = 8;
/** After a write that failed none is tried for this long. */
const WRITE_RETRY_MS = 1000;
/** A row with fewer messages than this share of a full one's, waiting, is not worth a slot. */
const SLOT_WORTH_SHARE = 1 / 16;

/** What the chunk store is told of its surroundings. */
export interface ChunkStoreOptions {
  readonly fs: FileSystem;
  /** The vhost's folder. */
  readonly directory: string;
  /** Entries of a full row, a multiple of eight; other than 8,192 only in tests. */
  readonly rowEntries?: number | undefined;
  /** Milliseconds that never run backward. */
  readonly nowMs: () => number;
}

/** The rows of a vhost's queues. */
export class ChunkStore implements ChunkHome {
  readonly rowEntries: number;
  chunkBytes: number;
  /** All log records before this position are in the file; rows with later ones stay in memory. */
  writtenUpTo: () => number;
  /** Checkpoints tried so far; each try has this number. 0: those of earlier runs. */
  attempt: number;
  private attemptUnderWay: boolean;
  private keptAttempts: readonly number[];
  private readonly fs: FileSystem;
  private readonly folder: string;
  private readonly nowMs: () => number;
  private readonly files: Map<number, ChunkFile>;
  /** Open files, least recently used first. */
  private readonly openFiles: Set<ChunkFile>;
  private readonly freeArrays: Float64Array[];
  private readonly resting: QueueIndex[];
  private noWriteBefore: number;
  private hasFolder: boolean;
  private deletes: boolean;

  constructor(options: ChunkStoreOptions) {
    this.rowEntries = options.rowEntries ?? ROW_ENTRIES;
    this.chunkBytes = 0;
    this.writtenUpTo = () => Number.POSITIVE_INFINITY;
    this.attempt = 0;
    this.attemptUnderWay = false;
    this.keptAttempts = [0];
    this.fs = options.fs;
    this.folder = join(options.directory, CHUNK_FOLDER);
    this.nowMs = options.nowMs;
    this.files = new Map();
    this.openFiles = new Set();
    this.freeArrays = [];
    this.resting = [];
    this.noWriteBefore = 0;
    this.hasFolder = false;
    this.deletes = true;
  }

  // --- for the indexes -------------------------------------------------------------------------

  takeArray(): Float64Array {
    this.chunkBytes += 8 * this.rowEntries;
    return this.freeArrays.pop() ?? new Float64Array(this.rowEntries);
  }

  letGo(row: IndexRow): void {
    if (row.positions !== null) this.giveBack(row.positions);
    row.positions = null;
  }

  rowClosed(index: QueueIndex): void {
    if (!index.durable) return;
    const { rows } = index;
    const cursor = index.cursorRow === null ? 0 : index.indexOf(index.cursorRow);
    for (let at = rows.length - 2; at > cursor + 1 && rows[at]!.positions !== null; at--) {
      this.spill(index, rows[at]!);
    }
  }

  cursorMoved(index: QueueIndex): void {
    const { rows } = index;
    const cursor = index.indexOf(index.cursorRow!);
    const next = rows[cursor + 1];
    if (next !== undefined && next.live > 0 && next.positions === null && next.listeners === null) {
      this.load(index, next, () => {});
    }
    if (!index.durable) return;
    for (let at = cursor - 2; at >= 0 && rows[at]!.positions !== null; at--) {
      this.spill(index, rows[at]!);
    }
  }

  rested(index: QueueIndex): void {
    if (index.isResting) return;
    index.isResting = true;
    this.resting.push(index);
  }

  freeSlot(index: QueueIndex, row: IndexRow): void {
    if (row.slot < 0) return;
    this.fileOf(index).free(row.slot, row.slotSince, this.attempt);
    row.slot = -1;
    row.stored = 0;
  }

  load(index: QueueIndex, row: IndexRow, listener: RowListener): void {
    if (row.listeners !== null) {
      row.listeners.push(listener);
      return;
    }
    row.listeners = [listener];
    this.read(index, row).then(
      (positions) => this.loaded(row, positions, null),
      (error: unknown) => this.loaded(row, null, error as Error),
    );
  }

  readNow(index: QueueIndex, row: IndexRow): Float64Array {
    const positions = new Float64Array(this.rowEntries);
    const file = this.fileOf(index);
    file.readNow(row, positions);
    this.used(file);
    return positions;
  }

  // --- for the store ---------------------------------------------------------------------------

  /** Gives back the arrays of queues that are still empty. Called now and then. */
  sweep(): void {
    for (const index of this.resting) {
      index.isResting = false;
      index.shrink();
    }
    this.resting.length = 0;
  }

  /** The index of a recovered queue, whose rows name slots, has its home here. */
  adoptRecovered(index: QueueIndex): void {
    index.home = this;
    for (const row of index.rows) {
      if (row.slot >= 0) this.fileOf(index).adopt(row);
      if (row.positions !== null) this.chunkBytes += row.positions.byteLength;
    }
  }

  /** Whether the slots of a recovered index are there. @throws StorageError when the file cannot be looked at */
  isComplete(index: QueueIndex): boolean {
    const file = this.files.get(index.number);
    if (file === undefined) return true;
    const isComplete = file.isComplete();
    this.used(file);
    return isComplete;
  }

  /** Forgets the slots that indexes of an unusable checkpoint named. */
  forgetAll(): void {
    this.close();
    this.files.clear();
    this.chunkBytes = 0;
  }

  /** The queue is gone, and its index cleared. */
  dropped(index: QueueIndex): void {
    const file = this.files.get(index.number);
    if (file === undefined || !index.durable) return;
    file.droppedAt = this.attempt;
    this.deleteUnneeded(file);
  }

  /** Full rows that could not be spilled, and the tail where it is worth it, are put into slots. */
  store(index: QueueIndex, row: IndexRow): boolean {
    if (row.positions === null || row.stored === row.count) return true;
    const waiting = row.count - row.settledPrefix;
    if (row.stored === 0 && waiting < SLOT_WORTH_SHARE * this.rowEntries) return false;
    return this.write(index, row);
  }

  /** A checkpoint is about to be written; the slots in use from now on may be named by it. */
  beginAttempt(): void {
    this.attempt++;
    this.attemptUnderWay = true;
  }

  /** ... and no part of it will be encoded any more. */
  endParts(): void {
    this.attemptUnderWay = false;
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

  /** Nothing of earlier runs is deleted: there was damage. */
  deleteNothing(): void {
    this.deletes = false;
  }

  /** Writes again what failed syncs may have lost. @throws StorageError */
  async repair(): Promise<void> {
    for (const file of this.files.values()) {
      if (file.suspect.size === 0) continue;
      await file.repair(new Float64Array(this.rowEntries));
      this.used(file);
    }
  }

  /** Makes all that was written to chunk files stable. @throws StorageError */
  async sync(): Promise<void> {
    const files = [...this.files.values()].filter((file) => file.dirty.size > 0);
    for (let at = 0; at < files.length; at += SYNCS_AT_ONCE) {
      const some = files.slice(at, at + SYNCS_AT_ONCE);
      const results = await Promise.allSettled(some.map((file) => this.syncFile(file)));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    }
    const created = [...this.files.values()].filter((file) => file.isNew);
    if (created.length === 0) return;
    await this.fs.syncDirectory(this.folder);
    for (const file of created) file.isNew = false;
  }

  /** Deletes chunk files of earlier runs that no kept checkpoint names. */
  private deleteLeftovers(): void {
    for (const name of this.fs.list(this.folder)) {
      const file = this.files.get(Number(name));
      if (file === undefined || chunkFileName(file.queue) !== name) {
        this.fs.delete(join(this.folder, name));
      }
    }
  }

  /** Shows the positions of a row that lies on disk, read in the pool, unless it has gone meanwhile. @throws StorageError */
  async withPositions(
    index: QueueIndex,
    row: IndexRow,
    use: (positions: Float64Array) => void,
  ): Promise<void> {
    const positions = await this.read(index, row);
    if (!row.isGone) use(positions);
    this.giveBack(positions);
  }

  close(): void {
    for (const file of this.files.values()) file.close();
    this.openFiles.clear();
  }

  // --- inside ----------------------------------------------------------------------------------

  /** Takes a row out of memory, unless it is small, not yet in the log's file, or the disk refuses. */
  private spill(index: QueueIndex, row: IndexRow): void {
    if (row.count < SLOT_WORTH_SHARE * this.rowEntries) return;
    if (reachesInto(row, this.writtenUpTo())) return;
    if (row.stored === row.count || this.write(index, row)) this.letGo(row);
  }

  private write(index: QueueIndex, row: IndexRow): boolean {
    if (this.noWriteBefore > 0) {
      if (this.nowMs() < this.noWriteBefore) return false;
      this.noWriteBefore = 0;
    }
    try {
      this.writeSlot(index, row);
      return true;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.noWriteBefore = this.nowMs() + WRITE_RETRY_MS;
      return false;
    }
  }

  private writeSlot(index: QueueIndex, row: IndexRow): void {
    if (!this.hasFolder) {
      this.fs.makeDirectory(this.folder);
      this.hasFolder = true;
    }
    const file = this.fileOf(index);
    if (row.slot < 0) {
      row.slot = file.assign(row);
      row.slotSince = this.attemptUnderWay ? this.attempt : this.attempt + 1;
    }
    file.write(row);
    this.used(file);
  }

  private async read(index: QueueIndex, row: IndexRow): Promise<Float64Array> {
    const positions = this.takeArray();
    try {
      const file = this.fileOf(index);
      const reading = file.read(row, positions);
      this.used(file);
      await reading;
      return positions;
    } catch (error) {
      this.giveBack(positions);
      throw error;
    }
  }

  private loaded(row: IndexRow, positions: Float64Array | null, error: Error | null): void {
    const listeners = row.listeners ?? [];
    row.listeners = null;
    if (positions !== null) {
      if (row.isGone || row.positions !== null) this.giveBack(positions);
      else row.positions = positions;
    }
    for (const listener of listeners) listener(error);
  }

  private giveBack(positions: Float64Array): void {
    this.chunkBytes -= positions.byteLength;
    if (positions.length === this.rowEntries && this.freeArrays.length < FREE_ARRAYS_MAX) {
      this.freeArrays.push(positions);
    }
  }

  private fileOf(index: QueueIndex): ChunkFile {
    let file = this.files.get(index.number);
    if (file === undefined) {
      file = new ChunkFile(this.fs, this.folder, index.number, this.rowEntries);
      this.files.set(index.number, file);
    }
    return file;
  }

  private async syncFile(file: ChunkFile): Promise<void> {
    const syncing = file.sync();
    this.used(file);
    await syncing;
  }

  /** The file was used just now: the least recently used ones are closed. */
  private used(file: ChunkFile): void {
    this.openFiles.delete(file);
    if (file.isOpen) this.openFiles.add(file);
    if (this.openFiles.size <= OPEN_FILES_MAX) return;
    for (const other of this.openFiles) {
      if (other === file || other.busy > 0) continue;
      other.close();
      this.openFiles.delete(other);
      if (this.openFiles.size <= OPEN_FILES_MAX) return;
    }
  }

  private deleteUnneeded(file: ChunkFile): void {
    if (file.droppedAt >= 0) file.keep(this.keptAttempts);
    if (!file.isUnneeded || file.busy > 0 || !this.deletes) return;
    this.openFiles.delete(file);
    file.delete();
    if (file.droppedAt >= 0) this.files.delete(file.queue);
  }
}
