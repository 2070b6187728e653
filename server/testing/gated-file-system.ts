/**
 * The real file system with a gate before what takes time: syncs and reads wait while theirs is held, so that
 * a test decides what happens in between. It can also be told to fail its syncs.
 */
import type { FileSystem, OpenFile } from '../storage/fs.ts';
import { realFileSystem } from '../storage/fs.ts';
import { StorageError } from '../storage/storage-error.ts';

/** Lets everybody through, or keeps them waiting. */
export class Gate {
  private waiting: (() => void)[] | null = null;

  /** From now on they wait. */
  hold(): void {
    this.waiting ??= [];
  }

  /** All who wait go on, and those to come. */
  release(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const goOn of waiting) goOn();
  }

  /** How many wait. */
  get waitingCount(): number {
    return this.waiting?.length ?? 0;
  }

  pass(): Promise<void> {
    const { waiting } = this;
    return waiting === null ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  }
}

/** A file system for one test. */
export class GatedFileSystem {
  readonly syncs: Gate = new Gate();
  readonly reads: Gate = new Gate();
  /** Syncs fail, as on a broken disk. */
  failsSyncs = false;
  /** Files whose path contains this cannot be written: the disk is full. '' stands for none. */
  fullFor = '';
  readonly fs: FileSystem = {
    ...realFileSystem,
    openForReading: (path) => this.gated(realFileSystem.openForReading(path)),
    openForWriting: (path) => this.gated(realFileSystem.openForWriting(path)),
  };

  private gated(file: OpenFile): OpenFile {
    return {
      path: file.path,
      size: () => file.size(),
      writeAt: (buf, start, end, position) => {
        if (this.fullFor !== '' && file.path.includes(this.fullFor)) {
          throw new StorageError(file.path, 'write failed as the test wished', 'ENOSPC');
        }
        file.writeAt(buf, start, end, position);
      },
      datasync: async () => {
        await this.syncs.pass();
        if (this.failsSyncs) throw StorageError.from(file.path, 'sync', new Error('broken disk'));
        await file.datasync();
      },
      datasyncNow: () => file.datasyncNow(),
      readAt: async (buf, start, length, position) => {
        await this.reads.pass();
        return file.readAt(buf, start, length, position);
      },
      readNow: (buf, start, length, position) => file.readNow(buf, start, length, position),
      truncate: (size) => file.truncate(size),
      truncateLater: (size) => file.truncateLater(size),
      close: () => file.close(),
      closeLater: () => file.closeLater(),
    };
  }
}
