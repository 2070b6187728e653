/**
 * The chunk file of one queue: positions of full rows, each in a slot of its own. Its layout is in
 * chunk-file-format.ts.
 *
 * What is written in a slot is never changed while a checkpoint names it, but for damage, which is written over with
 * what it was (row-rebuild.ts); the tail's row may go on behind that.
 *
 * A slot whose row is gone is used again when no kept checkpoint names it. Which may is told by *attempts*: checkpoints
 * written, or tried, are counted, and a slot is named at most by those from its assignment to its release.
 *
 * The lowest such slot is used first, and where the last slots of the file are all of that kind they are cut off. A cut
 * is not synced: where a crash takes it back, the slots are there again, and nobody names them.
 *
 * The file is open only as long as the cache of open files likes. A page that the kernel could not write while nobody
 * had the file open may be lost without a word: the checksum in the checkpoint tells, and the log has it all.
 */
import {
  CHUNK_HEADER_SIZE,
  chunkFileName,
  decodeChunkHeader,
  encodeChunkHeader,
} from './chunk-file-format.ts';
import type { FileCache } from './file-cache.ts';
import type { OpenFile } from './fs.ts';
import type { IndexRow } from './index-row.ts';
import { bytesOfPositions, checksumOf } from './positions.ts';
import type { QueueIndex } from './queue-index.ts';
import { StorageError } from './storage-error.ts';

/**
 * Slots that are made stable without a checkpoint that asks for it, 256 KiB: the log's next sync waits behind them for a
 * millisecond, where it would wait behind all that a checkpoint names for fifty.
 * Bench: confirm-stalls of `npm run bench:storage`, 99 % of the row confirm of `npm run bench`.
 */
export const EARLY_SYNC_SLOTS = 4;
/** Slots cut off at a time, 4 MiB of them: a queue that soon grows again finds most of its file as it was. */
const CUT_SLOTS_MAX = 64;

/** A slot that its row has left. */
interface FreedSlot {
  readonly slot: number;
  /** The first and the last checkpoint attempt that may name it. */
  readonly since: number;
  readonly until: number;
}

/** One queue's chunk file. It is made by the first write. */
export class ChunkFile {
  readonly index: QueueIndex;
  readonly path: string;
  /** Slots written since the last sync began. */
  dirty: Set<number>;
  /** Slots that a failed sync may have lost: they have to be written again. */
  readonly suspect: Set<number>;
  /** Its name may not be stable yet. */
  isNew: boolean;
  /** The last attempt that may name it, once its queue is gone; -1 before. */
  droppedAt: number;
  /** Null: none. */
  private earlySync: Promise<void> | null;
  private readonly cache: FileCache;
  private readonly slotBytes: number;
  private readonly entries: number;
  /** Slots in use: the rows of the index tell which. */
  private usedCount: number;
  private freed: FreedSlot[];
  /** Slots that nothing names, the highest first. */
  private readonly reusable: number[];
  /** The first slot that was never used; -1: the file has not been looked at. */
  private next: number;
  /** The slots that are being cut off; null: none. */
  private cutUnderWay: readonly number[] | null;
  /** Its header is known to be right. */
  private hasHeader: boolean;
  private mayExist: boolean;
  /** It was made just now, and has no slot yet. */
  private isBare: boolean;

  constructor(cache: FileCache, folder: string, index: QueueIndex, entries: number) {
    this.index = index;
    this.path = `${folder}/${chunkFileName(index.number)}`;
    this.dirty = new Set();
    this.suspect = new Set();
    this.isNew = false;
    this.droppedAt = -1;
    this.earlySync = null;
    this.cache = cache;
    this.slotBytes = 8 * entries;
    this.entries = entries;
    this.usedCount = 0;
    this.freed = [];
    this.reusable = [];
    this.next = -1;
    this.cutUnderWay = null;
    this.hasHeader = false;
    this.mayExist = false;
    this.isBare = false;
  }

  /** A row of a checkpoint that was read names its slot. */
  adopt(): void {
    this.usedCount++;
    this.mayExist = true;
  }

  /**
   * A slot for a row, not used before it is written; -1 while the file's end is being cut off, where it would lie.
   *
   * @throws StorageError when the file cannot be opened
   */
  assign(): number {
    this.prepared();
    if (this.cutUnderWay !== null && this.reusable.length === 0) return -1;
    this.usedCount++;
    return this.reusable.pop() ?? this.next++;
  }

  /** The row of a slot is gone. The attempts `since` to `until` may name it. */
  free(slot: number, since: number, until: number): void {
    this.usedCount--;
    // It stays dirty: the checkpoint being written may name it.
    this.suspect.delete(slot);
    if (since > until) this.makeReusable([slot]);
    else this.freed.push({ slot, since, until });
  }

  /** These checkpoint attempts are kept from now on: what none of them may name can be used again. */
  keep(attempts: readonly number[]): void {
    const newest = Math.max(...attempts);
    // What was tried after the newest that is kept is under way, or has failed, and its file may be there all the same.
    const isNamed = ({ since, until }: FreedSlot): boolean =>
      until > newest || attempts.some((attempt) => since <= attempt && attempt <= until);
    this.makeReusable(this.freed.filter((freed) => !isNamed(freed)).map(({ slot }) => slot));
    this.freed = this.freed.filter(isNamed);
  }

  /**
   * The last slots of the file that nothing names, as many as are cut off at a time. What an earlier run has left behind
   * the last slot in use is known only when this run has written to the file.
   */
  get tailSlots(): number {
    const { reusable, next } = this;
    let count = 0;
    while (count < CUT_SLOTS_MAX && reusable[count] === next - 1 - count) count++;
    return count;
  }

  /**
   * Cuts off the {@link tailSlots}, in the pool; resolves to how many. A disk that refuses is asked again by the next
   * call. Until it resolves no slot behind them is given out. Nothing else of this kind may be under way.
   */
  async cutTail(): Promise<number> {
    const count = this.tailSlots;
    if (count === 0) return 0;
    const before = this.next;
    const slots = this.reusable.splice(0, count);
    for (const slot of slots) this.dirty.delete(slot);
    this.next = before - count;
    this.cutUnderWay = slots;
    try {
      // The last slot in use may not be full: the file must not grow.
      await this.cache.cut(this.path, this.offsetOf(this.next));
      return count;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // A file that was deleted meanwhile has nothing left to cut.
      if (this.cutUnderWay === slots) {
        this.next = before;
        this.makeReusable(slots);
      }
      return 0;
    } finally {
      if (this.cutUnderWay === slots) this.cutUnderWay = null;
    }
  }

  /** Nothing could be written to the slot of a row: it has none. A file that was made for it goes again. */
  giveUp(row: IndexRow): void {
    if (row.slot >= 0) this.free(row.slot, row.slotSince, row.slotSince - 1);
    row.slot = -1;
    if (this.isBare) this.delete();
  }

  /** Neither a row nor a kept checkpoint needs anything of the file. */
  get isUnneeded(): boolean {
    return this.usedCount === 0 && this.freed.length === 0;
  }

  /** Writes what of the row is not yet in its slot. @throws StorageError */
  write(row: IndexRow): void {
    const positions = row.positions!;
    this.dirty.add(row.slot);
    this.writeEntries(row.slot, positions, row.stored, row.count);
    row.stored = row.count;
    row.crc = checksumOf(positions, row.count);
  }

  /** Reads the positions of a row, in the pool. @throws StorageError also where they are not what was written */
  async read({ slot, stored, crc }: IndexRow, into: Float64Array): Promise<void> {
    const bytes = bytesOfPositions(into);
    const length = await this.cache.read(this.path, bytes, 0, 8 * stored, this.offsetOf(slot));
    this.verify(slot, into, length, stored, crc);
  }

  /** The same, waiting: for recovery. */
  readNow({ slot, stored, crc }: IndexRow, into: Float64Array): void {
    const file = this.cache.forReading(this.path);
    const length = file.readNow(bytesOfPositions(into), 0, 8 * stored, this.offsetOf(slot));
    this.verify(slot, into, length, stored, crc);
  }

  /** The rows whose slots failed syncs may have lost; who asks holds each of them. */
  suspectRows(): IndexRow[] {
    const found: IndexRow[] = [];
    if (this.suspect.size === 0) return found;
    const { rows } = this.index;
    for (let at = 0; at < rows.length; at++) {
      if (this.suspect.has(rows.view(at)!.slot)) found.push(rows.at(at)!);
    }
    for (const row of found) row.holders++;
    return found;
  }

  /** Writes again what a slot has, or should have: the same positions. @throws StorageError */
  rewrite(row: IndexRow, positions: Float64Array): void {
    this.dirty.add(row.slot);
    this.hasHeader = false;
    this.writeEntries(row.slot, positions, 0, row.stored);
    this.suspect.delete(row.slot);
  }

  /** Makes stable what was written, where that is much; what the disk refuses is suspect. */
  syncEarly(): void {
    if (this.earlySync !== null || this.dirty.size < EARLY_SYNC_SLOTS) return;
    const onEnd = (): void => {
      this.earlySync = null;
    };
    this.earlySync = this.syncDirty().then(onEnd, onEnd);
  }

  /** Makes all that was written before stable. @throws StorageError, and what was written is suspect then */
  async sync(): Promise<void> {
    await this.earlySync;
    if (this.dirty.size > 0) await this.syncDirty();
    // An early sync, this one or one before, may have lost what a checkpoint is about to name.
    if (this.suspect.size > 0) throw new StorageError(this.path, 'slots could not be synced');
  }

  private async syncDirty(): Promise<void> {
    const slots = this.dirty;
    this.dirty = new Set();
    try {
      await this.cache.datasync(this.path);
    } catch (error) {
      for (const { slot } of this.index.rows.views()) if (slots.has(slot)) this.suspect.add(slot);
      throw error;
    }
  }

  /** Whether something of it may not be stable. */
  get needsSync(): boolean {
    return this.dirty.size > 0 || this.earlySync !== null || this.suspect.size > 0;
  }

  /** Whether the file has all slots that are in use. @throws StorageError when it cannot be looked at */
  isComplete(): boolean {
    if (this.usedCount === 0) return true;
    try {
      const size = this.cache.forReading(this.path).size();
      for (const { slot, stored } of this.index.rows.views()) {
        if (slot >= 0 && this.offsetOf(slot) + 8 * stored > size) return false;
      }
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.errno === 'ENOENT') return false;
      throw error;
    }
  }

  close(): void {
    this.cache.forget(this.path);
  }

  /**
   * Closes and deletes the file; the next write makes a new one. Returns whether it is gone: where the disk refuses it
   * is left as it was, for another call.
   */
  delete(): boolean {
    try {
      if (this.mayExist) this.cache.delete(this.path);
    } catch (error) {
      if (error instanceof StorageError) return false;
      throw error;
    }
    this.mayExist = false;
    this.isBare = false;
    this.hasHeader = false;
    this.dirty.clear();
    this.suspect.clear();
    this.reusable.length = 0;
    this.next = 0;
    this.cutUnderWay = null;
    return true;
  }

  private offsetOf(slot: number): number {
    return CHUNK_HEADER_SIZE + slot * this.slotBytes;
  }

  private makeReusable(slots: readonly number[]): void {
    if (slots.length === 0) return;
    for (const slot of slots) this.reusable.push(slot);
    this.reusable.sort((a, b) => b - a);
  }

  private writeEntries(slot: number, positions: Float64Array, from: number, to: number): void {
    const offset = this.offsetOf(slot) + 8 * from;
    this.prepared().writeAt(bytesOfPositions(positions), 8 * from, 8 * to, offset);
    this.isBare = false;
  }

  private verify(
    slot: number,
    positions: Float64Array,
    length: number,
    count: number,
    crc: number,
  ): void {
    if (length === 8 * count && checksumOf(positions, count) === crc) return;
    throw new StorageError(this.path, `slot ${slot} is damaged`);
  }

  /** The file, with its header. */
  private prepared(): OpenFile {
    this.mayExist = true;
    const file = this.cache.forWriting(this.path);
    if (this.hasHeader) return file;
    const size = file.size();
    this.isBare = size === 0;
    if (!this.isHeaderRight(file)) {
      const header = encodeChunkHeader({ entries: this.entries, queue: this.index.number });
      file.writeAt(header, 0, header.length, 0);
      this.isNew = true;
    }
    if (this.next < 0) {
      this.find(size);
      // A killed run may have made the file, and never have synced its name.
      this.isNew = true;
    }
    this.hasHeader = true;
    return file;
  }

  private isHeaderRight(file: OpenFile): boolean {
    const head = Buffer.alloc(CHUNK_HEADER_SIZE);
    const length = file.readNow(head, 0, head.length, 0);
    const header = decodeChunkHeader(head.subarray(0, length));
    return (
      typeof header !== 'string' &&
      header.queue === this.index.number &&
      header.entries === this.entries
    );
  }

  /** The file is of an earlier run: slots that the checkpoint read does not name may be named by another one. */
  private find(size: number): void {
    this.next = Math.max(0, Math.ceil((size - CHUNK_HEADER_SIZE) / this.slotBytes));
    const known = new Set([...this.freed.map(({ slot }) => slot), ...this.reusable]);
    for (const { slot } of this.index.rows.views()) if (slot >= 0) known.add(slot);
    for (const slot of known) this.next = Math.max(this.next, slot + 1);
    for (let slot = 0; slot < this.next; slot++) {
      if (!known.has(slot)) this.freed.push({ slot, since: 0, until: 0 });
    }
  }
}
