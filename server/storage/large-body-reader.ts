/**
 * Reads a large body from its file, piece by piece in order, for one delivery, get or return.
 *
 * The checksum is followed along the way, so that a body that is not as it came is never completed.
 */
import { crc32 } from 'node:zlib';
import type { FileSystem, OpenFile } from './fs.ts';
import { decodeLargeHeader, LARGE_HEADER_SIZE } from './large-file-format.ts';
import type { LargeReference } from './record-format.ts';
import { StorageError } from './storage-error.ts';

/** Reads one body once. */
export class LargeBodyReader {
  readonly size: number;
  /** Bytes read. */
  at: number;
  private readonly fs: FileSystem;
  private readonly path: string;
  private readonly body: LargeReference;
  private readonly onClose: () => void;
  /** Null before the first read and when closed. */
  private file: OpenFile | null;
  private sum: number;
  private isReading: boolean;
  private isClosed: boolean;

  constructor(fs: FileSystem, path: string, body: LargeReference, onClose: () => void) {
    this.size = body.size;
    this.at = 0;
    this.fs = fs;
    this.path = path;
    this.body = body;
    this.onClose = onClose;
    this.file = null;
    this.sum = 0;
    this.isReading = false;
    this.isClosed = false;
  }

  /**
   * Reads the next bytes into `buf[0..)`: `length` of them, or all that are left. Not called again before it has
   * resolved, to their number.
   *
   * @throws StorageError when the file is gone, too short, not of this body, or not what was written
   */
  async read(buf: Buffer, length: number): Promise<number> {
    this.isReading = true;
    try {
      this.file ??= await this.open();
      const wanted = Math.min(length, this.size - this.at);
      for (let done = 0; done < wanted; ) {
        const at = LARGE_HEADER_SIZE + this.at + done;
        const count = await this.file.readAt(buf, done, wanted - done, at);
        if (count === 0) throw new StorageError(this.path, `the body ends early, at byte ${at}`);
        done += count;
      }
      this.sum = crc32(buf.subarray(0, wanted), this.sum);
      this.at += wanted;
      if (this.at === this.size && this.sum !== this.body.crc32) {
        throw new StorageError(this.path, 'checksum of the body differs');
      }
      return wanted;
    } finally {
      this.isReading = false;
      if (this.isClosed) this.closeFile();
    }
  }

  /** Nothing more is read; a read under way ends first. Closing twice is fine. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (!this.isReading) this.closeFile();
    this.onClose();
  }

  private async open(): Promise<OpenFile> {
    const file = this.fs.openForReading(this.path);
    try {
      const head = Buffer.alloc(LARGE_HEADER_SIZE);
      const length = await file.readAt(head, 0, head.length, 0);
      const number = decodeLargeHeader(head.subarray(0, length));
      if (typeof number === 'string') throw new StorageError(this.path, number);
      if (number !== this.body.file) throw new StorageError(this.path, `it is of body ${number}`);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  private closeFile(): void {
    this.file?.close();
    this.file = null;
  }
}
