/**
 * The chunk file of one queue: positions of full rows, each in a slot of its own.
 *
 *     0         8         12        16          24                32      36         4096
 *     +---------+---------+---------+-----------+-----------------+-------+- zeros --+--------+--------+---
 *     | FIRNENQF| version | entries | queue f64 | zeros           | crc   |          | slot 0 | slot 1 | ...
 *     +---------+---------+---------+-----------+-----------------+-------+----------+--------+--------+---
 *
 * A slot holds `entries` positions, f64 little-endian: entry i is the position of the row's first number + i. What is
 * written in a slot is never changed while a checkpoint names it; the tail's row may go on behind that.
 *
 * A slot whose row is gone is used again when no kept checkpoint names it. Which may is told by *attempts*: checkpoints
 * written, or tried, are counted, and a slot is named at most by those from its assignment to its release.
 */
import { crc32 } from 'node:zlib';
import { writeFormatHead } from './format-version.ts';
import type { FileSystem, OpenFile } from './fs.ts';
import type { IndexRow } from './index-row.ts';
import { StorageError } from './storage-error.ts';

/** What a chunk file begins with. */
export const CHUNK_MAGIC: string = 'FIRNENQF';
const HEADER_USED = 36;
/** Bytes before the first slot: a page, so that slots are aligned. */
export const CHUNK_HEADER_SIZE = 4096;

const NAME_DIGITS = 10;

/** The file name of a queue's chunks. */
export function chunkFileName(queue: number): string {
  return String(queue).padStart(NAME_DIGITS, '0');
}

/** A slot that its row has left. */
interface FreedSlot {
  readonly slot: number;
  /** The first and the last checkpoint attempt that may name it. */
  readonly since: number;
  readonly until: number;
}

/** One queue's chunk file. It is made by the first write. */
export class ChunkFile {
  readonly queue: number;
  readonly path: string;
  /** Slots written since the last sync that succeeded began. */
  dirty: Set<number>;
  /** Slots that a failed sync may have lost: they have to be written again. */
  readonly suspect: Set<number>;
  /** Reads and syncs under way: it cannot be closed. */
  busy: number;
  /** Its name may not be stable yet. */
  isNew: boolean;
  /** The last attempt that may name it, once its queue is gone; -1 before. */
  droppedAt: number;
  private readonly fs: FileSystem;
  private readonly slotBytes: number;
  private readonly entries: number;
  private file: OpenFile | null;
  /** Slots in use, and by which row. */
  private readonly used: Map<number, IndexRow>;
  private freed: FreedSlot[];
  private readonly reusable: number[];
  /** The first slot that was never used; -1: the file has not been looked at. */
  private next: number;
  private mayExist: boolean;

  constructor(fs: FileSystem, folder: string, queue: number, entries: number) {
    this.queue = queue;
    this.path = `${folder}/${chunkFileName(queue)}`;
    this.dirty = new Set();
    this.suspect = new Set();
    this.busy = 0;
    this.isNew = false;
    this.droppedAt = -1;
    this.fs = fs;
    this.slotBytes = 8 * entries;
    this.entries = entries;
    this.file = null;
    this.used = new Map();
    this.freed = [];
    this.reusable = [];
    this.next = -1;
    this.mayExist = false;
  }

  get isOpen(): boolean {
    return this.file !== null;
  }

  /** A row of a checkpoint that was read names its slot. */
  adopt(row: IndexRow): void {
    this.used.set(row.slot, row);
    this.mayExist = true;
  }

  /** A slot for a row, not used before it is written. @throws StorageError when the file cannot be opened */
  assign(row: IndexRow): number {
    this.opened();
    const slot = this.reusable.pop() ?? this.next++;
    this.used.set(slot, row);
    return slot;
  }

  /** The row of a slot is gone. The attempts `since` to `until` may name it. */
  free(slot: number, since: number, until: number): void {
    this.used.delete(slot);
    // It stays dirty: the checkpoint being written may name it.
    this.suspect.delete(slot);
    if (since > until) this.reusable.push(slot);
    else this.freed.push({ slot, since, until });
  }

  /** These checkpoint attempts are kept from now on: what none of them may name can be used again. */
  keep(attempts: readonly number[]): void {
    const newest = Math.max(...attempts);
    // What was tried after the newest that is kept is under way, or has failed, and its file may be there all the same.
    const isNamed = ({ since, until }: FreedSlot): boolean =>
      until > newest || attempts.some((attempt) => since <= attempt && attempt <= until);
    for (const freed of this.freed) if (!isNamed(freed)) this.reusable.push(freed.slot);
    this.freed = this.freed.filter(isNamed);
  }

  /** Neither a row nor a kept checkpoint needs anything of the file. */
  get isUnneeded(): boolean {
    return this.used.size === 0 && this.freed.length === 0;
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
  async read(row: IndexRow, into: Float64Array): Promise<void> {
    const { slot, stored, crc } = row;
    const file = this.existing();
    this.busy++;
    try {
      const length = await file.readAt(bytesOf(into), 0, 8 * stored, this.offsetOf(slot));
      this.verify(slot, into, length, stored, crc);
    } finally {
      this.busy--;
    }
  }

  /** The same, waiting: for recovery. */
  readNow({ slot, stored, crc }: IndexRow, into: Float64Array): void {
    const length = this.existing().readNow(bytesOf(into), 0, 8 * stored, this.offsetOf(slot));
    this.verify(slot, into, length, stored, crc);
  }

  /** Writes again what failed syncs may have lost; `scratch` holds a row. @throws StorageError */
  async repair(scratch: Float64Array): Promise<void> {
    for (const slot of [...this.suspect]) {
      const row = this.used.get(slot);
      const stored = row?.stored ?? 0;
      if (row !== undefined && row.positions === null) await this.read(row, scratch);
      // The row may have gone while it was read.
      if (row !== undefined && this.used.get(slot) === row) {
        this.dirty.add(slot);
        this.writeEntries(slot, row.positions ?? scratch, 0, stored);
      }
      this.suspect.delete(slot);
    }
  }

  /** Makes all that was written before stable. @throws StorageError, and what was written is suspect then */
  async sync(): Promise<void> {
    const slots = this.dirty;
    this.dirty = new Set();
    this.busy++;
    try {
      await this.opened().datasync();
    } catch (error) {
      for (const slot of slots) if (this.used.has(slot)) this.suspect.add(slot);
      throw error;
    } finally {
      this.busy--;
    }
  }

  /** Whether the file has all slots that are in use. @throws StorageError when it cannot be looked at */
  isComplete(): boolean {
    if (this.used.size === 0) return true;
    try {
      const size = this.existing().size();
      for (const [slot, { stored }] of this.used) {
        if (this.offsetOf(slot) + 8 * stored > size) return false;
      }
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.errno === 'ENOENT') return false;
      throw error;
    }
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  /** Closes and deletes the file; the next write makes a new one. */
  delete(): void {
    this.close();
    if (this.mayExist) this.fs.delete(this.path);
    this.mayExist = false;
    this.dirty.clear();
    this.suspect.clear();
    this.reusable.length = 0;
    this.next = 0;
  }

  private offsetOf(slot: number): number {
    return CHUNK_HEADER_SIZE + slot * this.slotBytes;
  }

  private writeEntries(slot: number, positions: Float64Array, from: number, to: number): void {
    this.opened().writeAt(bytesOf(positions), 8 * from, 8 * to, this.offsetOf(slot) + 8 * from);
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

  /** The file, which has to be there. @throws StorageError with ENOENT when it is not */
  private existing(): OpenFile {
    if (this.file === null) this.fs.openForReading(this.path).close();
    return this.opened();
  }

  private opened(): OpenFile {
    if (this.file !== null) return this.file;
    const file = this.fs.openForWriting(this.path);
    try {
      const size = file.size();
      if (size < CHUNK_HEADER_SIZE) {
        const header = this.header();
        file.writeAt(header, 0, header.length, 0);
        this.isNew = true;
      }
      if (this.next < 0) {
        this.find(size);
        // A killed run may have made the file, and never have synced its name.
        this.isNew = true;
      }
    } catch (error) {
      file.close();
      throw error;
    }
    this.file = file;
    this.mayExist = true;
    return file;
  }

  /** The file is of an earlier run: slots that the checkpoint read does not name may be named by another one. */
  private find(size: number): void {
    this.next = Math.max(0, Math.ceil((size - CHUNK_HEADER_SIZE) / this.slotBytes));
    for (const slot of this.used.keys()) this.next = Math.max(this.next, slot + 1);
    const known = new Set([...this.used.keys(), ...this.freed.map(({ slot }) => slot)]);
    for (let slot = 0; slot < this.next; slot++) {
      if (!known.has(slot)) this.freed.push({ slot, since: 0, until: 0 });
    }
  }

  private header(): Buffer {
    const header = Buffer.alloc(CHUNK_HEADER_SIZE);
    writeFormatHead(header, CHUNK_MAGIC);
    header.writeUInt32BE(this.entries, 12);
    header.writeDoubleBE(this.queue, 16);
    header.writeUInt32BE(crc32(header.subarray(0, HEADER_USED - 4)), HEADER_USED - 4);
    return header;
  }
}

/** Checksum of the first `count` positions. */
export function checksumOf(positions: Float64Array, count: number): number {
  return crc32(bytesOf(positions).subarray(0, 8 * count));
}

function bytesOf(positions: Float64Array): Buffer {
  return Buffer.from(positions.buffer, positions.byteOffset, positions.byteLength);
}
