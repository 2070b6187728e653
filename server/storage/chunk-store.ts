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
 * - A slot that cannot be read as it was written is found again from the log (row-rebuild.ts): whoever asked for its
 *   row waits for that as for a slow read.
 */
import type { ChunkFile } from './chunk-file.ts';
import { ChunkFiles } from './chunk-files.ts';
import { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import type { ChunkHome } from './index-home.ts';
import { type IndexRow, ROW_ENTRIES, type RowListener } from './index-row.ts';
import { isDiskFull } from './log-health.ts';
import { checksumOf } from './positions.ts';
import type { QueueIndex } from './queue-index.ts';
import { reachesInto } from './release-row.ts';
import { type LostRow, placeMissing, type RowFinder } from './row-rebuild.ts';
import { StorageError } from './storage-error.ts';

/** Arrays kept for the next row. */
const FREE_ARRAYS_MAX = 8;
/** Damaged rows of a queue that are found again in one walk over the log. */
const REBUILT_ROWS_MAX = 64;
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

/** What the chunk store needs of others when the disk does not do as it should. */
export interface ChunkRescue extends RowFinder {
  /** Told what was damaged, and what became of it. */
  damaged(path: string, reason: string): void;
  /** The messages at some entries of a row, in memory by now, are in no batch. */
  lost(index: QueueIndex, row: IndexRow, entries: readonly number[]): void;
}

/** The rows of a vhost's queues. */
export class ChunkStore implements ChunkHome {
  readonly rowEntries: number;
  chunkBytes: number;
  /** All log records before this position are in the file; rows with later ones stay in memory. */
  writtenUpTo: () => number;
  /** The disk has no room for a chunk file. */
  spaceRefused: () => void;
  /** Null: what is damaged stays so. */
  rescue: ChunkRescue | null;
  readonly files: ChunkFiles;
  private readonly nowMs: () => number;
  private readonly freeArrays: Float64Array[];
  private readonly resting: QueueIndex[];
  private noWriteBefore: number;
  /** The rebuild under way, or the last one; never rejects. */
  private rebuilding: Promise<void>;

  constructor(options: ChunkStoreOptions) {
    this.rowEntries = options.rowEntries ?? ROW_ENTRIES;
    this.chunkBytes = 0;
    this.writtenUpTo = () => Number.POSITIVE_INFINITY;
    this.spaceRefused = () => {};
    this.rescue = null;
    const cache = options.cache ?? new FileCache(options.fs);
    this.files = new ChunkFiles(options.fs, cache, options.directory, this.rowEntries);
    this.nowMs = options.nowMs;
    this.freeArrays = [];
    this.resting = [];
    this.noWriteBefore = 0;
    this.rebuilding = Promise.resolve();
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
    if (index.isResting) return;
    index.isResting = true;
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
      if (this.rescue === null || !isRebuildable(error)) throw error;
      const lost = { row, positions: this.takeZeros() };
      this.rescue.findNow(index.number, [lost]);
      // Nothing is written now: the row gets another slot with the next checkpoint.
      this.freeSlot(index, row);
      this.install(index, [lost]);
      return row.positions!;
    }
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
        for (const row of rows) release(file.index, row);
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
      release(index, row);
    }
  }

  close(): void {
    this.files.close();
  }

  // --- inside ----------------------------------------------------------------------------------

  /** Takes a row out of memory, unless it is small, not yet in the log's file, or the disk refuses. */
  private spill(index: QueueIndex, row: IndexRow): void {
    if (row.count < SLOT_WORTH_SHARE * this.rowEntries) return;
    if (reachesInto(row, this.writtenUpTo())) return;
    if (row.stored !== row.count && !this.write(index, row)) return;
    this.letGo(row);
    index.pack(row);
  }

  private write(index: QueueIndex, row: IndexRow): boolean {
    if (this.noWriteBefore > 0) {
      if (this.nowMs() < this.noWriteBefore) return false;
      this.noWriteBefore = 0;
    }
    try {
      this.files.write(index, row);
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
      if (this.rescue === null || !isRebuildable(error)) throw error;
      await this.rebuild(index, row, this.rescue);
      return null;
    }
  }

  // --- damage ----------------------------------------------------------------------------------

  /** One rebuild at a time: what one finds may be what the next would look for. */
  private rebuild(index: QueueIndex, row: IndexRow, rescue: ChunkRescue): Promise<void> {
    const before = this.rebuilding;
    const result = before.then(() => this.rebuildFrom(index, row, rescue));
    this.rebuilding = result.catch(() => {});
    return result;
  }

  private async rebuildFrom(
    index: QueueIndex,
    asked: IndexRow,
    rescue: ChunkRescue,
  ): Promise<void> {
    const lost: LostRow[] = [];
    try {
      await this.findDamaged(index, asked, lost);
      if (lost.length > 0) await this.rebuildRows(index, asked, lost, rescue);
    } finally {
      for (const { row } of lost) release(index, row);
    }
  }

  /** Enters the rows that cannot be read, from the cursor's or the one `asked` for on, into `lost`, and holds them. */
  private async findDamaged(index: QueueIndex, asked: IndexRow, lost: LostRow[]): Promise<void> {
    for (let at = firstToRebuild(index, asked); lost.length < REBUILT_ROWS_MAX; at++) {
      const row = asked.isGone ? undefined : index.rows.at(at);
      if (row === undefined) break;
      row.holders++;
      let positions: Float64Array | null = null;
      try {
        positions = await this.probe(index, row, row === asked);
        if (positions !== null) lost.push({ row, positions });
        at = index.indexOf(row);
      } finally {
        if (positions === null) release(index, row);
      }
    }
  }

  private async rebuildRows(
    index: QueueIndex,
    asked: IndexRow,
    lost: readonly LostRow[],
    rescue: ChunkRescue,
  ): Promise<void> {
    try {
      await rescue.find(index.number, lost);
    } catch (error) {
      for (const { positions } of lost) this.giveBack(positions);
      throw error;
    }
    for (const { row, positions } of lost) this.mendSlot(index, row, positions);
    this.install(index, lost);
    for (const { row } of lost) {
      if (row !== asked && !row.isGone && row.positions !== null) this.spill(index, row);
    }
  }

  /** Whether a row cannot be read: then an array for what is to be found. One that is `asked` for is kept when it can. */
  private async probe(
    index: QueueIndex,
    row: IndexRow,
    isAsked: boolean,
  ): Promise<Float64Array | null> {
    if (row.positions !== null || row.live === 0) return null;
    const positions = this.takeArray();
    try {
      await this.files.of(index).read(row, positions);
      if (isAsked && !row.isGone && row.positions === null) row.positions = positions;
      else this.giveBack(positions);
      return null;
    } catch (error) {
      if (isRebuildable(error)) return positions.fill(0);
      this.giveBack(positions);
      throw error;
    }
  }

  /** Writes over a damaged slot what it had; where not all of that was found, the row gets another one. */
  private mendSlot(index: QueueIndex, row: IndexRow, positions: Float64Array): void {
    if (row.isGone || row.positions !== null || row.slot < 0) return;
    if (checksumOf(positions, row.stored) === row.crc) {
      try {
        this.files.of(index).rewrite(row, positions);
        return;
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        if (isDiskFull(error)) this.spaceRefused();
      }
    }
    this.freeSlot(index, row);
  }

  /** What was found is in memory from now on, and what was not is no longer in the queue. */
  private install(index: QueueIndex, lost: readonly LostRow[]): void {
    let missing = 0;
    let mended = 0;
    for (const each of lost) {
      const { row, positions } = each;
      if (row.isGone || row.positions !== null) {
        this.giveBack(positions);
        continue;
      }
      mended++;
      row.positions = positions;
      const entries = placeMissing(each);
      missing += entries.length;
      if (row.slot < 0) slotsChanged(index);
      if (entries.length > 0) this.rescue?.lost(index, row, entries);
    }
    const left = missing === 0 ? '' : `; ${missing} messages were in no batch, and are dropped`;
    this.rescue?.damaged(
      this.files.of(index).path,
      `${mended} rows of positions were damaged: they were found again in the log${left}`,
    );
  }

  private takeZeros(): Float64Array {
    return this.takeArray().fill(0);
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
}

/** Somebody has held a row over an await, and does no longer. */
function release(index: QueueIndex, row: IndexRow): void {
  row.holders--;
  index.pack(row);
}

/** Whether a slot that could not be read for this reason is to be found again: not where the process lacks something. */
function isRebuildable(error: unknown): boolean {
  return error instanceof StorageError && ['', 'ENOENT', 'EIO'].includes(error.errno);
}

/** A row is often read before the one at which the queue stands. */
function firstToRebuild(index: QueueIndex, asked: IndexRow): number {
  const at = index.indexOf(asked);
  const cursor = index.cursorRow === null ? at : index.indexOf(index.cursorRow);
  return cursor < at && at - cursor < REBUILT_ROWS_MAX ? cursor : at;
}

/** The next checkpoint is to name the slots anew, though the queue itself has not changed. */
function slotsChanged(index: QueueIndex): void {
  if (index.checkpointed !== null) {
    index.checkpointed = { ...index.checkpointed, unsettledCount: -1 };
  }
}
