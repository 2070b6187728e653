/**
 * Open files, at most so many: the longest unused is closed for the next one.
 *
 * - A pinned file is never closed by itself. What was written and not synced is pinned: the kernel tells of a page
 *   that it could not write only those who have the file open.
 * - When the process may open no more files, the colder half is closed and the open tried again.
 * - A deleted file is closed at once, or when its last use ends: its space comes back, in steps.
 */
import type { FileSystem, OpenFile } from './fs.ts';
import { StorageError } from './storage-error.ts';

/** Files kept open. */
const FILES_MAX = 256;

/** A file that stays open. */
export interface PinnedFile {
  readonly file: OpenFile;
  unpin(): void;
}

interface CachedFile {
  readonly path: string;
  readonly file: OpenFile;
  readonly isWritable: boolean;
  pins: number;
  /** No longer to be found here: closed with the last pin. */
  isOut: boolean;
  /** Its path leads elsewhere, or nowhere. */
  isForgotten: boolean;
}

/** Open files by path. */
export class FileCache {
  /** Resolves when what {@link deleteInTurn} was told of is gone. */
  deletionsEnded: Promise<void>;
  private readonly fs: FileSystem;
  private readonly filesMax: number;
  /** Least recently used first. */
  private readonly files: Map<string, CachedFile>;

  constructor(fs: FileSystem, filesMax: number = FILES_MAX) {
    this.fs = fs;
    this.filesMax = filesMax;
    this.files = new Map();
    this.deletionsEnded = Promise.resolve();
  }

  /** Files open now, but for those that were forgotten and are still in use. */
  get openCount(): number {
    return this.files.size;
  }

  /**
   * The file at `path`, created where there is none; valid until the next call of this cache unless it is pinned.
   *
   * @throws StorageError
   */
  forWriting(path: string): OpenFile {
    return this.find(path, true).file;
  }

  /**
   * The file at `path`, which is there; valid until the next call of this cache.
   *
   * @throws StorageError
   */
  forReading(path: string): OpenFile {
    return this.find(path, false).file;
  }

  /**
   * As {@link forWriting}, but kept open until it is unpinned, once.
   *
   * @throws StorageError
   */
  pin(path: string): PinnedFile {
    const cached = this.find(path, true);
    cached.pins++;
    return { file: cached.file, unpin: () => this.ended(cached) };
  }

  /** Reads up to `length` bytes at `position` into `buf[start..]`; resolves to their number. */
  read(
    path: string,
    buf: Buffer,
    start: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.use(path, false, (file) => file.readAt(buf, start, length, position));
  }

  /** Makes stable what was written to the file before this call. */
  datasync(path: string): Promise<void> {
    return this.use(path, true, (file) => file.datasync());
  }

  /** Cuts the file to `size`, in the pool, where it is longer. Nothing is written behind `size` meanwhile. */
  cut(path: string, size: number): Promise<void> {
    return this.use(path, true, async (file) => {
      if (file.size() > size) await file.truncateLater(size);
    });
  }

  /** Closes the file, in the pool: it is deleted, or its name leads elsewhere. */
  forget(path: string): void {
    const cached = this.files.get(path);
    if (cached === undefined) return;
    cached.isForgotten = true;
    this.takeOut(cached);
  }

  /** Deletes the file. */
  delete(path: string): void {
    this.forget(path);
    this.fs.delete(path);
  }

  /** The same, the deletion itself in the pool: for files that may be large. */
  async deleteLater(path: string): Promise<void> {
    const cached = this.files.get(path);
    this.forget(path);
    await this.deleteForgotten(path, cached);
  }

  /**
   * The same, one file after the other, so that reads and syncs find room in the pool. What the disk refuses is left
   * to the next boot.
   */
  deleteInTurn(path: string): void {
    const cached = this.files.get(path);
    this.forget(path);
    this.deletionsEnded = this.deletionsEnded.then(() =>
      this.deleteForgotten(path, cached).catch(() => {}),
    );
  }

  /**
   * Deletes a file that was forgotten. Kept open it loses no more than its name by that, and its blocks in steps when it is
   * closed; whoever still reads it closes it last.
   */
  private async deleteForgotten(path: string, cached: CachedFile | undefined): Promise<void> {
    const isRead = cached !== undefined && cached.pins > 0;
    const held = isRead ? null : this.tryOpen(path);
    try {
      await this.fs.deleteLater(path);
    } finally {
      await held?.closeLater();
    }
  }

  /** Null when it cannot be, as when the process may open no more files: none is closed for this. */
  private tryOpen(path: string): OpenFile | null {
    try {
      return this.fs.openForWriting(path);
    } catch {
      return null;
    }
  }

  private async use<T>(
    path: string,
    isForWriting: boolean,
    action: (file: OpenFile) => Promise<T>,
  ): Promise<T> {
    const cached = this.find(path, isForWriting);
    cached.pins++;
    try {
      return await action(cached.file);
    } finally {
      this.ended(cached);
    }
  }

  private find(path: string, isForWriting: boolean): CachedFile {
    const found = this.files.get(path);
    if (found !== undefined && (found.isWritable || !isForWriting)) {
      this.files.delete(path);
      this.files.set(path, found);
      return found;
    }
    if (found !== undefined) this.takeOut(found);
    const file = this.open(path, isForWriting);
    const cached = {
      path,
      file,
      isWritable: isForWriting,
      pins: 0,
      isOut: false,
      isForgotten: false,
    };
    this.files.set(path, cached);
    this.closeColdest(this.filesMax, cached);
    return cached;
  }

  private open(path: string, isForWriting: boolean): OpenFile {
    const open = (): OpenFile =>
      isForWriting ? this.fs.openForWriting(path) : this.fs.openForReading(path);
    try {
      return open();
    } catch (error) {
      const isOutOfFiles =
        error instanceof StorageError && (error.errno === 'EMFILE' || error.errno === 'ENFILE');
      if (!isOutOfFiles) throw error;
      this.closeColdest(this.files.size >> 1, null);
      return open();
    }
  }

  /** Closes the longest unused until `count` are left, as far as they are not pinned. */
  private closeColdest(count: number, newest: CachedFile | null): void {
    for (const cached of this.files.values()) {
      if (this.files.size <= count) return;
      if (cached.pins === 0 && cached !== newest) this.takeOut(cached);
    }
  }

  private takeOut(cached: CachedFile): void {
    this.files.delete(cached.path);
    cached.isOut = true;
    if (cached.pins === 0) close(cached);
  }

  private ended(cached: CachedFile): void {
    cached.pins--;
    if (cached.pins > 0) return;
    if (cached.isOut) close(cached);
    // While it was in use there may have been too many.
    else this.closeColdest(this.filesMax, null);
  }
}

function close({ file, isForgotten }: CachedFile): void {
  if (isForgotten) void file.closeLater();
  else file.close();
}
