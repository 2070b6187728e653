/**
 * Reads a large body from its file, piece by piece in order, for one delivery, get or return.
 *
 * The checksum is followed along the way, so that a body that is not as it came is never completed. The file need not
 * stay open between two pieces.
 */
import { crc32 } from 'node:zlib';
import type { FileCache } from './file-cache.ts';
import { decodeLargeHeader, LARGE_HEADER_SIZE } from './large-file-format.ts';
import type { LargeReference } from './record-format.ts';
import { StorageError } from './storage-error.ts';

/** Reads one body once. */
export class LargeBodyReader {
  readonly size: number;
  /** Bytes read. */
  at: number;
  private readonly cache: FileCache;
  private readonly path: string;
  private readonly body: LargeReference;
  private readonly onClose: () => void;
  /** The header is that of the body. */
  private isVerified: boolean;
  private sum: number;
  private isClosed: boolean;

  constructor(cache: FileCache, path: string, body: LargeReference, onClose: () => void) {
    this.size = body.size;
    this.at = 0;
    this.cache = cache;
    this.path = path;
    this.body = body;
    this.onClose = onClose;
    this.isVerified = false;
    this.sum = 0;
    this.isClosed = false;
  }

  /**
   * Reads the next bytes into `buf[0..)`: `length` of them, or all that are left. Not called again before it has
   * resolved, to their number.
   *
   * @throws StorageError when the file is gone, too short, not of this body, or not what was written
   */
  async read(buf: Buffer, length: number): Promise<number> {
    if (!this.isVerified) await this.verify();
    const wanted = Math.min(length, this.size - this.at);
    for (let done = 0; done < wanted; ) {
      const at = LARGE_HEADER_SIZE + this.at + done;
      const count = await this.cache.read(this.path, buf, done, wanted - done, at);
      if (count === 0) throw new StorageError(this.path, `the body ends early, at byte ${at}`);
      done += count;
    }
    this.sum = crc32(buf.subarray(0, wanted), this.sum);
    this.at += wanted;
    if (this.at === this.size && this.sum !== this.body.crc32) {
      throw new StorageError(this.path, 'checksum of the body differs');
    }
    return wanted;
  }

  /** Nothing more is read. Closing twice is fine. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onClose();
  }

  private async verify(): Promise<void> {
    const head = Buffer.alloc(LARGE_HEADER_SIZE);
    const length = await this.cache.read(this.path, head, 0, head.length, 0);
    const number = decodeLargeHeader(head.subarray(0, length));
    if (typeof number === 'string') throw new StorageError(this.path, number);
    if (number !== this.body.file) throw new StorageError(this.path, `it is of body ${number}`);
    this.isVerified = true;
  }
}
