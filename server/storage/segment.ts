/**
 * One segment of a vhost's log: its files, and the count of what in it is still needed.
 *
 *     msgs.0000000007               the segment
 *     msgs.0000000007.0000065576    takes its place from offset 65,576 on, after a failed write or sync
 *
 * Which file holds an offset is known here alone: the last one that begins at or before it. Each has the segment's
 * header; a later one is empty from there up to where it begins. A segment is deleted when `live` is zero and no kept
 * checkpoint needs it (message-store.ts decides). One that a few messages keep alive is rewritten in compacted form
 * (compactor.ts), as one file; who reads it sees no difference. The file that is written to may have zeros behind its
 * last batch, laid out for the next ones: they mean nothing, and are cut off when the segment is complete.
 */
import { randomBytes } from 'node:crypto';
import type { SegmentHeader } from './batch-format.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { COMPACTED_HEADER_SIZE, type CompactedHeader } from './compacted-format.ts';
import { CompactedReader, type TableCache } from './compacted-reader.ts';
import type { CompactableSegment } from './compactor.ts';
import type { FileCache, PinnedFile } from './file-cache.ts';
import type { Rewritten } from './segment-rewriter.ts';
import { StorageError } from './storage-error.ts';

const NAME = /^msgs\.(\d{10})(?:\.(\d{10}))?$/;
const NAME_DIGITS = 10;
const UNFINISHED_NAME = /^msgs\.\d{10}\.\d{10}\.tmp$/;

/** What {@link Segment.layOut} writes; never written to. */
let zeros = Buffer.alloc(0);

/** The file name of a segment, or of what takes its place from an offset on. */
export function segmentFileName(number: number, from: number = 0): string {
  const first = `msgs.${String(number).padStart(NAME_DIGITS, '0')}`;
  return from === 0 ? first : `${first}.${String(from).padStart(NAME_DIGITS, '0')}`;
}

/** The number of the segment whose file this is, first or later; -1 when it is no segment's name. */
export function segmentNumberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? -1);
}

/** The offset from which on the file with this segment file name holds the segment; 0 for the first. */
export function segmentOffsetOf(name: string): number {
  return Number(NAME.exec(name)?.[2] ?? 0);
}

/** Whether the file was to take a segment's place, and was never finished. */
export function isUnfinishedSegmentFile(name: string): boolean {
  return UNFINISHED_NAME.test(name);
}

/** A file that holds a segment from an offset on, up to where the next one begins. */
export interface SegmentFile {
  readonly path: string;
  readonly from: number;
}

/** A segment of the log, its files and its live counter. */
export class Segment implements CompactableSegment {
  readonly number: number;
  /** Of the first file. */
  readonly path: string;
  readonly salt: number;
  readonly createdMs: number;
  readonly previousEnd: number;
  /** References to its records: by durable and transient queues. */
  live: number;
  /** Bytes of the bodies of those references. */
  liveBytes: number;
  referencesAdded: number;
  fullLive: number;
  examinedLive: number;
  seenLive: number;
  isDraining: boolean;
  /** Once nothing in it is live: the position that must be durable before it may go; -1: not known. */
  spentBehind: number;
  /** End of its last batch, as an offset; the next one goes here. */
  size: number;
  /** Raised when a file of another layout takes the name of the first: what was read of both means nothing. */
  fileVersion: number;
  private readonly cache: FileCache;
  /** Ascending by offset; empty as long as nothing was written. */
  private parts: SegmentFile[];
  private pinned: PinnedFile | null;
  /** Offset behind what was written to the last file, and behind the zeros laid out there; infinite: it takes none. */
  private writtenTo: number;
  private laidOutTo: number;
  private isDeleted: boolean;
  private compacted: CompactedReader | null;
  /** Size of the compacted file, in bytes. */
  private compactedSize: number;
  /** Files that the compacted one has made superfluous. */
  private leftovers: readonly string[];

  /** `offsets` says which files exist: where each begins, ascending. */
  constructor(
    cache: FileCache,
    directory: string,
    header: SegmentHeader,
    offsets: readonly number[],
  ) {
    this.number = header.number;
    this.path = `${directory}/${segmentFileName(header.number)}`;
    this.salt = header.salt;
    this.createdMs = header.createdMs;
    this.previousEnd = header.previousEnd;
    this.live = 0;
    this.liveBytes = 0;
    this.referencesAdded = 0;
    this.fullLive = 0;
    this.examinedLive = Number.POSITIVE_INFINITY;
    this.seenLive = 0;
    this.isDraining = false;
    this.spentBehind = -1;
    this.size = SEGMENT_HEADER_SIZE;
    this.fileVersion = 0;
    this.cache = cache;
    this.parts = offsets.map((from) => ({ path: this.pathFrom(from), from }));
    this.pinned = null;
    this.writtenTo = 0;
    this.laidOutTo = 0;
    this.isDeleted = false;
    this.compacted = null;
    this.compactedSize = 0;
    this.leftovers = [];
  }

  /** A segment whose file is in compacted form, of `fileSize` bytes. */
  static compacted(
    cache: FileCache,
    directory: string,
    header: CompactedHeader,
    fileSize: number,
    tables: TableCache,
  ): Segment {
    const segment = new Segment(cache, directory, header, [0]);
    segment.size = header.endOffset;
    segment.become(header, fileSize, tables);
    return segment;
  }

  /** A segment whose file does not exist yet. */
  static create(
    cache: FileCache,
    directory: string,
    number: number,
    createdMs: number,
    previousEnd: number,
  ): Segment {
    const salt = randomBytes(4).readUInt32BE(0);
    return new Segment(cache, directory, { number, salt, createdMs, previousEnd }, []);
  }

  /** The files, ascending by where they begin. */
  get files(): readonly SegmentFile[] {
    return this.parts;
  }

  get isOnDisk(): boolean {
    return this.parts.length > 0;
  }

  get isCompacted(): boolean {
    return this.compacted !== null;
  }

  get fileSize(): number {
    return this.compacted === null ? this.size : this.compactedSize;
  }

  get scanEnd(): number {
    return this.compacted?.header.tableAt ?? this.size;
  }

  /** Offset in the file of its first batch or block. */
  get scanStart(): number {
    return this.isCompacted ? COMPACTED_HEADER_SIZE : SEGMENT_HEADER_SIZE;
  }

  /** Path of the file that takes the segment's place from an offset on. */
  pathFrom(from: number): string {
    if (from === 0) return this.path;
    return `${this.path}.${String(from).padStart(NAME_DIGITS, '0')}`;
  }

  /**
   * Writes bytes at an offset behind all others, the header before the first ones. Returns true when that made the
   * file.
   *
   * @throws StorageError
   */
  write(buf: Buffer, start: number, end: number, offset: number): boolean {
    const last = this.parts.at(-1);
    const file = this.cache.forWriting(last?.path ?? this.path);
    if (last === undefined) {
      file.writeAt(encodeSegmentHeader(this), 0, SEGMENT_HEADER_SIZE, 0);
    }
    file.writeAt(buf, start, end, offset);
    this.writtenTo = offset + end - start;
    if (last !== undefined) return false;
    this.parts.push({ path: this.path, from: 0 });
    return true;
  }

  /**
   * Has zeros behind what was written, `count` of them where none were left, up to the offset `endMax`: a sync of what
   * takes their place need not make stable a new size of the file as well, which takes as long as the bytes themselves
   * (`npm run bench:storage -- --rows confirm-latency`). Does nothing where the disk refuses.
   */
  layOut(count: number, endMax: number): void {
    const last = this.parts.at(-1);
    const from = this.writtenTo;
    const length = Math.min(count, endMax - from);
    if (last === undefined || from < this.laidOutTo || length <= 0) return;
    try {
      if (zeros.length < length) zeros = Buffer.alloc(length);
      this.cache.forWriting(last.path).writeAt(zeros, 0, length, from);
      this.laidOutTo = from + length;
    } catch {
      // What is written next meets the same refusal, and reports it.
      this.laidOutTo = Number.POSITIVE_INFINITY;
    }
  }

  /** Cuts off the zeros that were laid out and not used: nothing more is written to the file. */
  trim(): void {
    const last = this.parts.at(-1);
    if (last === undefined || this.laidOutTo <= this.writtenTo) return;
    this.laidOutTo = 0;
    try {
      this.cache.forWriting(last.path).truncate(this.writtenTo);
    } catch {
      // They are read as the end of the file.
    }
  }

  /** Keeps the file that is written to open, until {@link unpin}. */
  pin(): void {
    this.pinned ??= this.cache.pin(this.parts.at(-1)!.path);
  }

  unpin(): void {
    this.pinned?.unpin();
    this.pinned = null;
  }

  /** Makes what was written stable. */
  async datasync(): Promise<void> {
    const last = this.parts.at(-1);
    if (last !== undefined) await this.cache.datasync(last.path);
  }

  /** The file `pathFrom(from)` holds the segment from there on: it has just got this name. */
  continueIn(from: number): void {
    const path = this.pathFrom(from);
    this.unpin();
    this.laidOutTo = 0;
    this.cache.forget(path);
    this.parts = [...this.parts.filter((part) => part.from < from), { path, from }];
  }

  /** Reads up to `length` bytes at `offset`, as the log wrote them; resolves to the number read. */
  async read(buf: Buffer, length: number, offset: number): Promise<number> {
    for (;;) {
      const { fileVersion } = this;
      try {
        const reading = this.compacted?.read(buf, length, offset);
        const count = await (reading ?? this.readFile(buf, length, offset));
        if (fileVersion === this.fileVersion) return count;
      } catch (error) {
        if (fileVersion === this.fileVersion) throw error;
      }
      // It was compacted in between, and a part may be of the new file: once more.
    }
  }

  /** Reads up to `length` bytes of its files at `offset`; resolves to the number read. */
  async readFile(buf: Buffer, length: number, offset: number): Promise<number> {
    if (this.isDeleted) throw new StorageError(this.path, 'the segment is deleted');
    let done = 0;
    while (done < length) {
      const at = offset + done;
      // Where the first file has lost its name the next one is all there is, with nothing before where it begins.
      const index = Math.max(
        0,
        this.parts.findLastIndex(({ from }) => from <= at),
      );
      const part = this.parts[index];
      if (part === undefined) return done;
      const next = this.parts[index + 1];
      const end = next?.from ?? Number.POSITIVE_INFINITY;
      const wanted = Math.min(length - done, end - at);
      const count = await this.cache.read(part.path, buf, done, wanted, at);
      if (count < wanted && next === undefined) return done + count;
      // What a file has lost of its end before the next one begins was never stable: nobody needs it.
      buf.fill(0, done + count, done + wanted);
      done += wanted;
    }
    return done;
  }

  adopt(rewritten: Rewritten, tables: TableCache): void {
    this.compacted?.close();
    this.close();
    this.laidOutTo = 0;
    this.fileVersion++;
    this.leftovers = this.parts.filter(({ from }) => from > 0).map(({ path }) => path);
    this.parts = [{ path: this.path, from: 0 }];
    this.become(rewritten.header, rewritten.fileSize, tables);
  }

  deleteLeftovers(): void {
    for (const path of this.leftovers) this.cache.deleteInTurn(path);
    this.leftovers = [];
  }

  /** Cuts the segment, for recovery. @throws StorageError */
  truncate(size: number): void {
    while (this.parts.length > 1 && this.parts.at(-1)!.from > size) {
      this.cache.delete(this.parts.at(-1)!.path);
      this.parts.pop();
    }
    const file = this.cache.forWriting(this.parts.at(-1)!.path);
    file.truncate(size);
    file.datasyncNow();
  }

  /** Closes its files. */
  close(): void {
    this.unpin();
    for (const { path } of this.parts) this.cache.forget(path);
  }

  /** Closes and deletes its files at once, for recovery: the caller makes stable that they are gone. @throws StorageError */
  deleteNow(): void {
    this.isDeleted = true;
    this.compacted?.close();
    for (const { path } of this.parts.splice(0).reverse()) this.cache.delete(path);
  }

  /** Closes and deletes its files, the latter in the pool. */
  delete(): void {
    this.unpin();
    this.isDeleted = true;
    this.compacted?.close();
    this.deleteLeftovers();
    for (const { path } of this.parts.splice(0).reverse()) this.cache.deleteInTurn(path);
  }

  private become(header: CompactedHeader, fileSize: number, tables: TableCache): void {
    const readBytes = (buf: Buffer, length: number, offset: number) =>
      this.readFile(buf, length, offset);
    this.compacted = new CompactedReader(this.path, header, readBytes, tables);
    this.compactedSize = fileSize;
  }
}
