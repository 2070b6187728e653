/**
 * One segment of a vhost's log: a file `msgs.NNNNNNNNNN` and the count of what in it is still needed.
 *
 * The file is opened at the first write or read, and closed with the segment. A segment is deleted when
 * `live` is zero and no kept checkpoint needs it (message-store.ts decides).
 */
import { randomBytes } from 'node:crypto';
import type { SegmentHeader } from './batch-format.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import type { FileSystem, OpenFile } from './fs.ts';

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
export class Segment {
  readonly number: number;
  readonly path: string;
  readonly salt: number;
  readonly createdMs: number;
  readonly previousEnd: number;
  /** References to its records: by durable and transient queues. */
  live: number;
  /** End of its last batch, as an offset; the next one goes here. */
  size: number;
  private readonly fs: FileSystem;
  private file: OpenFile | null;
  private hasHeader: boolean;

  /** `onDisk` says whether the file exists, with this header. */
  constructor(fs: FileSystem, directory: string, header: SegmentHeader, onDisk: boolean) {
    this.number = header.number;
    this.path = `${directory}/${segmentFileName(header.number)}`;
    this.salt = header.salt;
    this.createdMs = header.createdMs;
    this.previousEnd = header.previousEnd;
    this.live = 0;
    this.size = SEGMENT_HEADER_SIZE;
    this.fs = fs;
    this.file = null;
    this.hasHeader = onDisk;
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

  /** Writes bytes at an offset, the header before the first ones. Returns true when that made the file. */
  write(buf: Buffer, start: number, end: number, offset: number): boolean {
    const isNew = !this.hasHeader;
    this.file ??= this.fs.openForWriting(this.path);
    if (isNew) {
      this.file.writeAt(encodeSegmentHeader(this), 0, SEGMENT_HEADER_SIZE, 0);
      this.hasHeader = true;
    }
    this.file.writeAt(buf, start, end, offset);
    return isNew;
  }

  /** Makes what was written stable. */
  async datasync(): Promise<void> {
    await this.file?.datasync();
  }

  /** The same, waiting: for recovery. */
  datasyncNow(): void {
    this.file ??= this.fs.openForWriting(this.path);
    this.file.datasyncNow();
  }

  /** Reads up to `length` bytes at `offset`; resolves to the number read. */
  read(buf: Buffer, length: number, offset: number): Promise<number> {
    this.file ??= this.fs.openForWriting(this.path);
    return this.file.readAt(buf, 0, length, offset);
  }

  /** Cuts the file, for recovery. */
  truncate(size: number): void {
    this.file ??= this.fs.openForWriting(this.path);
    this.file.truncate(size);
    this.datasyncNow();
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  /** Closes and deletes the file. */
  delete(): void {
    this.close();
    if (this.hasHeader) this.fs.delete(this.path);
  }
}
