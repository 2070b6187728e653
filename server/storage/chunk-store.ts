/**
 * Keeps the rows of all indexes of a vhost: in memory those that are about to be used, the rest in chunk files.
 *
 *     rows of a queue   [ disk ] ... [ disk ][ memory ][ cursor ][ memory ][ disk ] ... [ disk ][ memory ][ tail ]
 *
 * - A full row goes to its slot as soon as it is full and in nobody's way, into the page cache alone; its array is
 *   used again. It stays in memory while one of its records is not yet written, and where the disk refuses.
 * - When the cursor enters a row, the next one is read ahead; the one it left stays for a while, since its acks may
 *   be on the way and a row that goes soon need not be written.
 * - What a checkpoint names is made stable by {@link ChunkFiles.sync}; nothing here is needed to recover without one.
 * - A slot that cannot be read as it was written is found again in the log (slot-mender.ts): whoever asked for its
 *   row waits for that as for a slow read.
 */
import type { ChunkFile } from './chunk-file.ts';
import { ChunkFiles } from './chunk-files.ts';
import { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import type { ChunkHome } from './index-home.ts';
import { type IndexRow, ROW_ENTRIES, type RowListener } from './index-row.ts';
import { isDiskFull } from './log-health.ts';
import type { QueueIndex } from './queue-index.ts';
import { reachesInto } from './release-row.ts';
import { type ChunkRescue, isMendable, type RowKeeper, SlotMender } from './slot-mender.ts';
import { StorageError } from './storage-error.ts';

/** Arrays kept for the next row: many queues may end one in the same turn. */
const FREE_ARRAYS_MAX = 32;
/** After a write that failed none is tried for this long. */
const WRITE_RETRY_MS = 1000;
/** A row with fewer messages than this share of a full one's, waiting, is not worth a slot. */
const SLOT_WORTH_SHARE = 1 / 16;

/** What the chunk store is told of its surroundings. */
export interface ChunkStoreOptions {
  readonly fs: FileSystem;
  /** The vhost's folder. */
  readonly directory: string;
  /** Open files, where others share them. */
  readonly cache?: FileCache;
  /** Entries of a full row, a multiple of eight; other than 8,192 only in tests. */
  readonly rowEntries?: number | undefined;
  /** Milliseconds that never run backward. */
  readonly nowMs: () => number;
}

/** The rows of a vhost's queues. */
export class ChunkStore implements ChunkHome, RowKeeper {
  readonly rowEntries: number;
  chunkBytes: number;
  /** All log records before this position are in the file; rows with later ones stay in memory. */
  writtenUpTo: () => number;
  /** Somebody waits for the disk, now and then: it must not have much to make stable at once. */
  isWaitedFor: () => boolean;
  /** The disk has no room for a chunk file. */
  spaceRefused: () => void;
  /** Null: what is damaged stays so. */
  rescue: ChunkRescue | null;
  readonly files: ChunkFiles;
  private readonly nowMs: () => number;
  private readonly freeArrays: Float64Array[];
  private resting: QueueIndex[];
  private noWriteBefore: number;
  private readonly mender: SlotMender;

  constructor(options: ChunkStoreOptions) {
    this.rowEntries = options.rowEntries ?? ROW_ENTRIES;
    this.chunkBytes = 0;
    this.writtenUpTo = () => Number.POSITIVE_INFINITY;
    this.isWaitedFor = () => false;
    this.spaceRefused = () => {};
    this.rescue = null;
    const cache = options.cache ?? new FileCache(options.fs);
    this.files = new ChunkFiles(options.fs, cache, options.directory, this.rowEntries);
    this.nowMs = options.nowMs;
    this.freeArrays = [];
    this.resting = [];
    this.noWriteBefore = 0;
    this.mender = new SlotMender(this);
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
    for (let at = rows.length - 2; at > cursor + 1; at--) {
      const row = rows.loaded(at);
      if (row === null) break;
      this.spill(index, row);
    }
  }

  cursorMoved(index: QueueIndex): void {
    const { rows } = index;
    const cursor = index.indexOf(index.cursorRow!);
    const next = rows.at(cursor + 1);
    if (next !== undefined && next.live > 0 && next.positions === null && next.listeners === null) {
      this.load(index, next, () => {});
    }
    if (!index.durable) return;
    for (let at = cursor - 2; at >= 0; at--) {
      const row = rows.loaded(at);
      if (row === null) break;
      this.spill(index, row);
    }
  }

  rested(index: QueueIndex): void {
    if (index.restedAt > 0) return;
    index.restedAt = index.nextSequence;
    this.resting.push(index);
  }

  freeSlot(index: QueueIndex, row: IndexRow): void {
    this.files.freeSlot(index, row);
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
    try {
      this.files.of(index).readNow(row, positions);
      return positions;
    } catch (error) {
      if (this.rescue === null || !isMendable(error)) throw error;
      this.mender.mendNow(index, row, this.rescue);
      return row.positions!;
    }
  }

  // --- for the store ---------------------------------------------------------------------------

  /**
   * Gives back the arrays of queues that were empty the last time, or became so since, and have got nothing more: a
   * queue that is emptied again and again keeps its own. Called now and then.
   */
  sweep(): void {
    this.resting = this.resting.filter((index) => {
      const isInUse = index.nextSequence > index.restedAt;
      if (!isInUse) index.shrink();
      index.restedAt = isInUse ? index.nextSequence : 0;
      return isInUse;
    });
  }

  /** Gives back the arrays that are kept for the next row. */
  rest(): void {
    this.freeArrays.length = 0;
  }

  /** The index of a recovered queue, whose rows name slots, has its home here. */
  adoptRecovered(index: QueueIndex): void {
    index.home = this;
    for (const row of index.rows.views()) {
      if (row.slot >= 0) this.files.of(index).adopt();
      if (row.positions !== null) this.chunkBytes += row.positions.byteLength;
    }
  }

  /** Full rows that could not be spilled, and the tail where it is worth it, are put into slots. */
  store(index: QueueIndex, row: IndexRow): boolean {
    if (row.positions === null || row.stored === row.count) return true;
    const waiting = row.count - row.settledPrefix;
    if (row.stored === 0 && waiting < SLOT_WORTH_SHARE * this.rowEntries) return false;
    return this.write(index, row);
  }

  /** Writes again what failed syncs may have lost. @throws StorageError */
  async repair(): Promise<void> {
    for (const file of this.files.all()) {
      const rows = file.suspectRows();
      try {
        for (const row of rows) await this.repairRow(file, row);
      } finally {
        for (const row of rows) this.release(file.index, row);
      }
    }
  }

  private async repairRow(file: ChunkFile, row: IndexRow): Promise<void> {
    const read = row.positions === null ? await this.read(file.index, row) : null;
    const positions = read ?? row.positions;
    // The row may have gone while it was read, or have got another slot.
    if (positions !== null && file.suspect.has(row.slot)) file.rewrite(row, positions);
    if (read !== null) this.giveBack(read);
  }

  /** Shows the positions of a row that lies on disk, read in the pool, unless it has gone meanwhile. @throws StorageError */
  async withPositions(
    index: QueueIndex,
    row: IndexRow,
    use: (positions: Float64Array) => void,
  ): Promise<void> {
    row.holders++;
    try {
      const positions = await this.read(index, row);
      if (positions !== null) {
        if (!row.isGone) use(positions);
        this.giveBack(positions);
      } else if (row.positions !== null) {
        use(row.positions);
        if (row !== index.cursorRow) this.spill(index, row);
      }
    } finally {
      this.release(index, row);
    }
  }

  close(): void {
    this.files.close();
  }

  // --- for mending ----------------------------------------------------------------------------

  /** Takes a row out of memory, unless it is small, not yet in the log's file, or the disk refuses. */
  spill(index: QueueIndex, row: IndexRow): void {
    if (row.count < SLOT_WORTH_SHARE * this.rowEntries) return;
    if (reachesInto(row, this.writtenUpTo())) return;
    if (row.stored !== row.count && !this.write(index, row)) return;
    this.letGo(row);
    index.pack(row);
  }

  release(index: QueueIndex, row: IndexRow): void {
    row.holders--;
    index.pack(row);
  }

  giveBack(positions: Float64Array): void {
    this.chunkBytes -= positions.byteLength;
    if (positions.length === this.rowEntries && this.freeArrays.length < FREE_ARRAYS_MAX) {
      this.freeArrays.push(positions);
    }
  }

  // --- inside ----------------------------------------------------------------------------------

  private write(index: QueueIndex, row: IndexRow): boolean {
    if (this.noWriteBefore > 0) {
      if (this.nowMs() < this.noWriteBefore) return false;
      this.noWriteBefore = 0;
    }
    try {
      if (!this.files.write(index, row)) return false;
      if (this.isWaitedFor()) this.files.of(index).syncEarly();
      return true;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.noWriteBefore = this.nowMs() + WRITE_RETRY_MS;
      if (isDiskFull(error)) this.spaceRefused();
      return false;
    }
  }

  /** The positions of a row; null when they are in memory by now, or not needed. @throws StorageError */
  private async read(index: QueueIndex, row: IndexRow): Promise<Float64Array | null> {
    const positions = this.takeArray();
    try {
      await this.files.of(index).read(row, positions);
      return positions;
    } catch (error) {
      this.giveBack(positions);
      if (this.rescue === null || !isMendable(error)) throw error;
      await this.mender.mend(index, row, this.rescue);
      return null;
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
}
