/**
 * The one door to the disk: every byte that storage keeps goes through a {@link FileSystem}.
 *
 * Tests put another one behind the same port (testing/simulated-fs.ts), which forgets what was not
 * synced. Rules that every implementation keeps:
 * - A write that returns is visible to every read, but stable only after a sync that *began* later.
 * - A new, renamed or deleted name is stable only after {@link FileSystem.syncDirectory} on its folder.
 * - Failures are thrown as {@link StorageError} with the path; a short write is an error, never silent.
 *
 * Calls that may wait for the disk are promises (they run in the thread pool); those that only move
 * bytes into the page cache, or happen at boot and stop, are synchronous. A change of a name or of a size is a
 * transaction of the file system's own, which waits for one that is being written: a rename, a deletion, a cut may take
 * 15 ms, and has a form that runs in the pool.
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StorageError } from './storage-error.ts';

/**
 * So much of a file without a name is freed in one step. For 32 MiB the kernel takes 10 to 30 ms, of which a thread of the
 * pool gives little to the loop where both share a core (`npm run perf -- fairness`, a long queue that is drained).
 */
const FREED_BYTES = 4 * 1024 * 1024;

const close = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const move = promisify(fs.rename);
const remove = promisify(fs.rm);

/** An open file. Positions and sizes are in bytes. */
export interface OpenFile {
  readonly path: string;
  /** The file's length in bytes. */
  size(): number;
  /** Writes `buf[start..end)` at `position`, whole, into the page cache. */
  writeAt(buf: Buffer, start: number, end: number, position: number): void;
  /** Makes everything written before this call stable (fdatasync, in the pool). */
  datasync(): Promise<void>;
  /** The same, waiting: for boot and stop. */
  datasyncNow(): void;
  /** Reads up to `length` bytes at `position` into `buf[start..]`, in the pool; resolves to their number. */
  readAt(buf: Buffer, start: number, length: number, position: number): Promise<number>;
  /** The same, waiting: for recovery. */
  readNow(buf: Buffer, start: number, length: number, position: number): number;
  truncate(size: number): void;
  /** The same in the pool. Nothing is written behind `size` before it resolves. */
  truncateLater(size: number): Promise<void>;
  close(): void;
  /**
   * The same in the pool. The last close of a file that has no name any more frees its blocks, and so does this one, in
   * steps: nobody else has it open then. Never rejects.
   */
  closeLater(): Promise<void>;
}

/** What storage asks of a file system. Paths are absolute or relative to the working directory. */
export interface FileSystem {
  /** Creates a folder and its parents; an existing one is fine. */
  makeDirectory(path: string): void;
  /** The names in a folder, sorted; empty when it does not exist. */
  list(path: string): readonly string[];
  /** Opens an existing file for reading. */
  openForReading(path: string): OpenFile;
  /** Opens a file for reading and writing, creating it empty when it does not exist. */
  openForWriting(path: string): OpenFile;
  /** A whole file, or null when it does not exist. */
  readFile(path: string): Buffer | null;
  rename(from: string, to: string): void;
  /** The same in the pool. */
  renameLater(from: string, to: string): Promise<void>;
  /** Deletes a file; one that does not exist is fine. */
  delete(path: string): void;
  /** The same in the pool. */
  deleteLater(path: string): Promise<void>;
  /** Bytes that may still be written on the disk of a folder. */
  freeBytes(path: string): number;
  /** Makes the names in a folder stable. */
  syncDirectory(path: string): Promise<void>;
  syncDirectoryNow(path: string): void;
}

function guard<T>(path: string, action: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw StorageError.from(path, action, cause);
  }
}

async function guardAsync<T>(path: string, action: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw StorageError.from(path, action, cause);
  }
}

class RealFile implements OpenFile {
  readonly path: string;
  private readonly fd: number;

  constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  size(): number {
    return guard(this.path, 'stat', () => fs.fstatSync(this.fd).size);
  }

  // HOT once per flush, not per message. A short write is continued, since the kernel may take less.
  writeAt(buf: Buffer, start: number, end: number, position: number): void {
    let at = start;
    try {
      while (at < end) at += fs.writeSync(this.fd, buf, at, end - at, position + at - start);
    } catch (cause) {
      throw StorageError.from(this.path, 'write', cause);
    }
  }

  datasync(): Promise<void> {
    return guardAsync(this.path, 'sync', fdatasync(this.fd));
  }

  datasyncNow(): void {
    guard(this.path, 'sync', () => fs.fdatasyncSync(this.fd));
  }

  readAt(buf: Buffer, start: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.fd, buf, start, length, position, (error, count) => {
        if (error === null) resolve(count);
        else reject(StorageError.from(this.path, 'read', error));
      });
    });
  }

  readNow(buf: Buffer, start: number, length: number, position: number): number {
    return guard(this.path, 'read', () => fs.readSync(this.fd, buf, start, length, position));
  }

  truncate(size: number): void {
    guard(this.path, 'truncate', () => fs.ftruncateSync(this.fd, size));
  }

  truncateLater(size: number): Promise<void> {
    return guardAsync(this.path, 'truncate', ftruncate(this.fd, size));
  }

  close(): void {
    guard(this.path, 'close', () => fs.closeSync(this.fd));
  }

  async closeLater(): Promise<void> {
    // What was to be stable has been synced: a failure loses nothing.
    await this.free().catch(() => {});
    await close(this.fd).catch(() => {});
  }

  /** Frees all but the last step of a file that has no name. */
  private async free(): Promise<void> {
    const { nlink, size } = fs.fstatSync(this.fd);
    if (nlink > 0) return;
    for (let left = size - FREED_BYTES; left > 0; left -= FREED_BYTES) {
      await ftruncate(this.fd, left);
    }
  }
}

function openFile(path: string, flags: number): OpenFile {
  return new RealFile(
    path,
    guard(path, 'open', () => fs.openSync(path, flags, 0o640)),
  );
}

/**
 * Creates a folder and its parents; an existing one is fine. Node's recursive `mkdir` tries for ever, and hears no signal,
 * where none can be made in a folder that is there, as in /proc.
 *
 * @throws Error of Node's, with a code, when that cannot be
 */
export function makeFolder(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !fs.existsSync(parent)) makeFolder(parent);
  try {
    fs.mkdirSync(path, { mode: 0o750 });
  } catch (error) {
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

/** The machine's own file system. */
export const realFileSystem: FileSystem = {
  makeDirectory(path) {
    guard(path, 'create folder', () => makeFolder(path));
  },

  list(path) {
    try {
      return fs.readdirSync(path).sort();
    } catch (cause) {
      const error = StorageError.from(path, 'list', cause);
      if (error.errno === 'ENOENT') return [];
      throw error;
    }
  },

  openForReading(path) {
    return openFile(path, fs.constants.O_RDONLY);
  },

  openForWriting(path) {
    return openFile(path, fs.constants.O_RDWR | fs.constants.O_CREAT);
  },

  readFile(path) {
    try {
      return fs.readFileSync(path);
    } catch (cause) {
      const error = StorageError.from(path, 'read', cause);
      if (error.errno === 'ENOENT') return null;
      throw error;
    }
  },

  rename(from, to) {
    guard(from, `rename to ${to}`, () => fs.renameSync(from, to));
  },

  async renameLater(from, to) {
    await guardAsync(from, `rename to ${to}`, move(from, to));
  },

  delete(path) {
    guard(path, 'delete', () => fs.rmSync(path, { force: true }));
  },

  async deleteLater(path) {
    await guardAsync(path, 'delete', remove(path, { force: true }));
  },

  freeBytes(path) {
    const { bavail, bsize } = guard(path, 'measure', () => fs.statfsSync(path));
    return bavail * bsize;
  },

  async syncDirectory(path) {
    const fd = guard(path, 'open folder', () => fs.openSync(path, fs.constants.O_RDONLY));
    try {
      await guardAsync(path, 'sync folder', fsync(fd));
    } finally {
      fs.closeSync(fd);
    }
  },

  syncDirectoryNow(path) {
    guard(path, 'sync folder', () => {
      const fd = fs.openSync(path, fs.constants.O_RDONLY);
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  },
};
