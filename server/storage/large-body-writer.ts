/**
 * A large body on its way into its file, and that file until it is on stable storage.
 *
 *     append ... append, finish ──> kept: the log syncs it with its record ──> closed
 *          └──────────┴───────────> aborted: the file is deleted
 *
 * - Bytes come as the socket brings them, are gathered to {@link STAGING_SIZE} and written into the page cache.
 * - Every {@link SYNC_BYTES} a sync runs in the pool, so that the kernel never has to stop the loop for its own.
 * - A sync that failed never counts, nor does the next one of the same pages, which the kernel has marked clean:
 *   the body is then copied into a new file, which takes the name of the old one.
 * - The file is made by the first write, and kept open only while bytes in it are not synced: a body that comes slowly
 *   costs no open file.
 */
import { crc32 } from 'node:zlib';
import type { FileCache, PinnedFile } from './file-cache.ts';
import type { FileSystem, OpenFile } from './fs.ts';
import { encodeLargeHeader, LARGE_HEADER_SIZE } from './large-file-format.ts';
import type { LargeBody } from './record-format.ts';
import { StorageError } from './storage-error.ts';

/** Bytes gathered for one write. */
const STAGING_SIZE = 256 * 1024;
/** A sync begins when this many bytes of the file are not yet synced. */
const SYNC_BYTES = 32 * 1024 * 1024;

/** What a writer tells the registry of the files. */
export interface LargeWriterOwner {
  /** So many bytes and files more are, or if negative are no longer, in the page cache alone. */
  unsyncedChanged(bytes: number, files: number): void;
  /** The file is about to be made. @throws StorageError when its folder cannot be */
  making(): void;
  /** The disk refused bytes. */
  refused(error: StorageError): void;
  /** Somebody waits for bytes to be synced. */
  readonly isWaitedFor: boolean;
  /** The disk has no room; what is left of it is for records that make some. */
  readonly isFull: boolean;
  /** Nothing more of the file is to be written or synced. */
  ended(writer: LargeBodyWriter): void;
  /** The body will not be kept: its file is of no use to anybody. */
  aborted(writer: LargeBodyWriter): void;
  /** The file of that name is another one. */
  renamed(): void;
  /** Makes the names of all files stable. */
  syncNames(): Promise<void>;
}

/** Writes one body. */
export class LargeBodyWriter implements LargeBody {
  readonly file: number;
  readonly path: string;
  readonly size: number;
  crc32: number;
  private readonly fs: FileSystem;
  private readonly cache: FileCache;
  private readonly owner: LargeWriterOwner;
  /** The file, while something in it is not synced; null otherwise. */
  private pinned: PinnedFile | null;
  private isMade: boolean;
  /** Null before the first byte and behind the last. */
  private staging: Buffer | null;
  private stagedBytes: number;
  /** Bytes of the body in the file. */
  private writtenBytes: number;
  private unsyncedBytes: number;
  /** The sync in the background, or null. */
  private syncing: Promise<void> | null;
  /** Why a sync failed: the pages it was to sync are not to be trusted. */
  private syncFailure: StorageError | null;
  private isEnded: boolean;

  constructor(
    fs: FileSystem,
    cache: FileCache,
    path: string,
    file: number,
    size: number,
    owner: LargeWriterOwner,
  ) {
    this.file = file;
    this.path = path;
    this.size = size;
    this.crc32 = 0;
    this.fs = fs;
    this.cache = cache;
    this.owner = owner;
    this.pinned = null;
    this.isMade = false;
    this.staging = null;
    this.stagedBytes = 0;
    this.writtenBytes = 0;
    this.unsyncedBytes = 0;
    this.syncing = null;
    this.syncFailure = null;
    this.isEnded = false;
  }

  /** Memory that it holds. */
  get stagingBytes(): number {
    return this.staging?.length ?? 0;
  }

  /**
   * Takes the next bytes of the body.
   *
   * @throws StorageError when the disk refuses them
   */
  append(buf: Buffer, start: number, end: number): void {
    this.staging ??= Buffer.allocUnsafeSlow(Math.min(STAGING_SIZE, this.size));
    const { staging } = this;
    for (let at = start; at < end; ) {
      const count = buf.copy(staging, this.stagedBytes, at, end);
      this.stagedBytes += count;
      at += count;
      if (this.stagedBytes === staging.length) this.writeStaged(staging);
    }
  }

  /**
   * The last byte has come: the file is complete in the page cache.
   *
   * @throws StorageError when the disk refuses
   */
  finish(): void {
    if (this.staging !== null) this.writeStaged(this.staging);
    this.staging = null;
  }

  /** Gives the body up, unless it has been kept: its file is deleted. */
  abort(): void {
    if (this.isEnded) return;
    this.end();
    if (this.isMade) this.owner.aborted(this);
  }

  /** Nothing more is to be written or synced; a sync under way ends before the file is closed. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.staging = null;
    this.owner.ended(this);
    this.countUnsynced(-this.unsyncedBytes);
    if (this.syncing === null) this.unpin();
    else void this.syncing.then(() => this.unpin());
  }

  /** Somebody waits for bytes to be synced: also for few. */
  hurry(): void {
    const { pinned } = this;
    if (pinned === null || this.isEnded || this.syncing !== null) return;
    if (this.syncFailure !== null || this.unsyncedBytes === 0) return;
    void this.track(this.sync(pinned.file)).then(() => this.syncIfDue());
  }

  /** For the log, which counts the message's record as synced only if this resolves. */
  async datasync(): Promise<void> {
    while (this.syncing !== null) await this.syncing;
    const { pinned } = this;
    if (!this.isEnded && pinned !== null) {
      const { file } = pinned;
      await this.track(this.syncFailure === null ? this.sync(file) : this.rewrite(file));
    }
    if (!this.isEnded && this.syncFailure !== null) throw this.syncFailure;
    // Also when nobody wants this body any more: it may have been the one that was to do it for others.
    await this.owner.syncNames();
    if (!this.isEnded) this.end();
  }

  private writeStaged(staging: Buffer): void {
    const { stagedBytes } = this;
    if (this.isEnded || stagedBytes === 0) return;
    if (this.owner.isFull) {
      throw new StorageError(this.path, 'write refused: no space left on the disk', 'ENOSPC');
    }
    try {
      if (this.syncFailure !== null) throw this.syncFailure;
      const { file } = this.opened();
      file.writeAt(staging, 0, stagedBytes, LARGE_HEADER_SIZE + this.writtenBytes);
    } catch (error) {
      if (error instanceof StorageError) this.owner.refused(error);
      throw error;
    }
    this.crc32 = crc32(staging.subarray(0, stagedBytes), this.crc32);
    this.writtenBytes += stagedBytes;
    this.stagedBytes = 0;
    this.countUnsynced(stagedBytes);
    this.syncIfDue();
  }

  private opened(): PinnedFile {
    if (!this.isMade) this.owner.making();
    this.pinned ??= this.cache.pin(this.path);
    if (!this.isMade) {
      this.isMade = true;
      this.pinned.file.writeAt(encodeLargeHeader(this.file), 0, LARGE_HEADER_SIZE, 0);
    }
    return this.pinned;
  }

  private syncIfDue(): void {
    if (this.unsyncedBytes >= SYNC_BYTES || this.owner.isWaitedFor) this.hurry();
  }

  private countUnsynced(bytes: number): void {
    const before = this.unsyncedBytes;
    this.unsyncedBytes += bytes;
    this.owner.unsyncedChanged(bytes, Number(this.unsyncedBytes > 0) - Number(before > 0));
  }

  /** Notes that the file must stay open until `work`, which never rejects, has ended. */
  private track(work: Promise<void>): Promise<void> {
    this.syncing = work.then(() => {
      this.syncing = null;
    });
    return this.syncing;
  }

  /** Never rejects: what failed is remembered. */
  private async sync(handle: OpenFile): Promise<void> {
    const bytes = this.unsyncedBytes;
    try {
      await handle.datasync();
    } catch (error) {
      this.syncFailure = StorageError.from(this.path, 'sync', error);
      // No sync will ever bring these to the disk: who waits for them is to go on, and to be told.
      if (!this.isEnded) this.countUnsynced(-this.unsyncedBytes);
      return;
    }
    if (this.isEnded) return;
    this.countUnsynced(-bytes);
    if (this.unsyncedBytes === 0) this.unpin();
  }

  /** Copies the body into a new file. What is read back must be what came. Never rejects, like {@link sync}. */
  private async rewrite(from: OpenFile): Promise<void> {
    const temporary = `${this.path}.tmp`;
    let to: OpenFile | null = null;
    try {
      to = this.fs.openForWriting(temporary);
      to.truncate(0);
      to.writeAt(encodeLargeHeader(this.file), 0, LARGE_HEADER_SIZE, 0);
      await this.copyBody(from, to);
      await to.datasync();
      if (this.isEnded) throw new StorageError(this.path, 'the body is not wanted any more');
      this.fs.rename(temporary, this.path);
      this.owner.renamed();
      this.cache.forget(this.path);
      this.unpin();
      this.syncFailure = null;
    } catch (error) {
      this.syncFailure = StorageError.from(this.path, 'sync', error);
    } finally {
      to?.close();
    }
  }

  private async copyBody(from: OpenFile, to: OpenFile): Promise<void> {
    const piece = Buffer.allocUnsafeSlow(STAGING_SIZE);
    let sum = 0;
    for (let at = 0; at < this.size; ) {
      const wanted = Math.min(piece.length, this.size - at);
      const count = await from.readAt(piece, 0, wanted, LARGE_HEADER_SIZE + at);
      if (count === 0) break;
      sum = crc32(piece.subarray(0, count), sum);
      to.writeAt(piece, 0, count, LARGE_HEADER_SIZE + at);
      at += count;
    }
    if (sum !== this.crc32) throw new StorageError(this.path, 'the body was lost before its sync');
  }

  private unpin(): void {
    this.pinned?.unpin();
    this.pinned = null;
  }
}
