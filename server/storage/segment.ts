/**
 * One segment of a vhost's log: a file `msgs.NNNNNNNNNN` and the count of what in it is still needed.
 *
 * The file is opened at the first write or read, and closed with the segment. A segment is deleted when
 * `live` is zero and no kept checkpoint needs it (message-store.ts decides). One that a few messages keep alive
 * is rewritten in compacted form (compactor.ts): who reads it sees no difference.
 */
import { randomBytes } from 'node:crypto';
import type { SegmentHeader } from './batch-format.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { COMPACTED_HEADER_SIZE, type CompactedHeader } from './compacted-format.ts';
import { CompactedReader, type TableCache } from './compacted-reader.ts';
import type { CompactableSegment } from './compactor.ts';
import type { FileSystem, OpenFile } from './fs.ts';
import type { Rewritten } from './segment-rewriter.ts';
import { StorageError } from './storage-error.ts';

const NAME_PREFIX = 'msgs.';
const NAME_DIGITS = 10;

/** The file name of a segment. */
export function segmentFileName(number: number): string {
  return NAME_PREFIX + String(number).padStart(NAME_DIGITS, '0');
}

/** The number of the segment with this file name, or -1 when it is no segment's name. */
export function segmentNumberOf(name: string): number {
  const digits = name.slice(NAME_PREFIX.length);
  return name.startsWith(NAME_PREFIX) && /^\d{10}$/.test(digits) ? Number(digits) : -1;
}

/** A segment of the log, its file and its live counter. */
export class Segment implements CompactableSegment {
  readonly number: number;
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
  /** End of its last batch, as an offset; the next one goes here. */
  size: number;
  private readonly fs: FileSystem;
  private file: SharedFile | null;
  private hasHeader: boolean;
  private isDeleted: boolean;
  private compacted: CompactedReader | null;
  /** Size of the compacted file, in bytes. */
  private compactedSize: number;

  /** `onDisk` says whether the file exists, with this header. */
  constructor(fs: FileSystem, directory: string, header: SegmentHeader, onDisk: boolean) {
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
    this.size = SEGMENT_HEADER_SIZE;
    this.fs = fs;
    this.file = null;
    this.hasHeader = onDisk;
    this.isDeleted = false;
    this.compacted = null;
    this.compactedSize = 0;
  }

  /** A segment whose file is in compacted form, of `fileSize` bytes. */
  static compacted(
    fs: FileSystem,
    directory: string,
    header: CompactedHeader,
    fileSize: number,
    tables: TableCache,
  ): Segment {
    const segment = new Segment(fs, directory, header, true);
    segment.size = header.endOffset;
    segment.become(header, fileSize, tables);
    return segment;
  }

  /** A segment whose file does not exist yet. */
  static create(
    fs: FileSystem,
    directory: string,
    number: number,
    createdMs: number,
    previousEnd: number,
  ): Segment {
    const salt = randomBytes(4).readUInt32BE(0);
    return new Segment(fs, directory, { number, salt, createdMs, previousEnd }, false);
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

  /** Writes bytes at an offset, the header before the first ones. Returns true when that made the file. */
  write(buf: Buffer, start: number, end: number, offset: number): boolean {
    const isNew = !this.hasHeader;
    const { file } = this.open();
    if (isNew) {
      file.writeAt(encodeSegmentHeader(this), 0, SEGMENT_HEADER_SIZE, 0);
      this.hasHeader = true;
    }
    file.writeAt(buf, start, end, offset);
    return isNew;
  }

  /** Makes what was written stable. */
  async datasync(): Promise<void> {
    await this.file?.file.datasync();
  }

  /** The same, waiting: for recovery. */
  datasyncNow(): void {
    this.open().file.datasyncNow();
  }

  /** Reads up to `length` bytes at `offset`, as the log wrote them; resolves to the number read. */
  read(buf: Buffer, length: number, offset: number): Promise<number> {
    return this.compacted?.read(buf, length, offset) ?? this.readFile(buf, length, offset);
  }

  /** Reads up to `length` bytes of the file at `offset`; resolves to the number read. */
  async readFile(buf: Buffer, length: number, offset: number): Promise<number> {
    return this.open().readAt(buf, length, offset);
  }

  adopt(rewritten: Rewritten, tables: TableCache): void {
    this.compacted?.close();
    this.close();
    this.become(rewritten.header, rewritten.fileSize, tables);
  }

  deleteLeftovers(): void {
    // The name that was replaced is all there was of it.
  }

  /** Cuts the file, for recovery. */
  truncate(size: number): void {
    this.open().file.truncate(size);
    this.datasyncNow();
  }

  /** Lets go of the file; reads under way end first. */
  close(): void {
    this.file?.retire();
    this.file = null;
  }

  /** Closes and deletes the file. */
  delete(): void {
    this.close();
    this.isDeleted = true;
    this.compacted?.close();
    if (this.hasHeader) this.fs.delete(this.path);
  }

  /** @throws StorageError when it was deleted: its name must not come back */
  private open(): SharedFile {
    if (this.isDeleted) throw new StorageError(this.path, 'the segment is deleted');
    this.file ??= new SharedFile(this.fs.openForWriting(this.path));
    return this.file;
  }

  private become(header: CompactedHeader, fileSize: number, tables: TableCache): void {
    const readBytes = (buf: Buffer, length: number, offset: number) =>
      this.readFile(buf, length, offset);
    this.compacted = new CompactedReader(this.path, header, readBytes, tables);
    this.compactedSize = fileSize;
  }
}

/** An open file that is closed when nobody reads it any more. */
class SharedFile {
  readonly file: OpenFile;
  private reads: number;
  private isRetired: boolean;

  constructor(file: OpenFile) {
    this.file = file;
    this.reads = 0;
    this.isRetired = false;
  }

  async readAt(buf: Buffer, length: number, offset: number): Promise<number> {
    this.reads++;
    try {
      return await this.file.readAt(buf, 0, length, offset);
    } finally {
      this.reads--;
      if (this.isRetired && this.reads === 0) this.file.close();
    }
  }

  retire(): void {
    this.isRetired = true;
    if (this.reads === 0) this.file.close();
  }
}
