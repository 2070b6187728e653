/**
 * Writes of the log into its segments, and the group sync that makes them stable.
 *
 * One sync runs at a time and counts for what was written before it began. Files that records of the log refer to
 * (large bodies) are synced first: a batch never becomes stable before what it names.
 */
import type { BatchSink } from './batch-writer.ts';
import type { FileSystem } from './fs.ts';
import type { Segment } from './segment.ts';

/** A file that the log syncs before itself. */
export interface SyncedFile {
  /** Makes stable what was written before the call. */
  datasync(): Promise<void>;
}

/** Told how a sync ended. */
export interface SyncListener {
  /** All before `target` that went to a file is stable; the files are whole up to `stable`. */
  synced(target: number, stable: number): void;
  syncFailed(error: unknown): void;
}

/** Which segments are not synced, and the sync under way. */
export class LogSync implements BatchSink {
  /** The files hold, synced, all before it: gaps too. */
  stableUpTo: number;
  /** Bytes written since the last sync began. */
  unsyncedBytes: number;
  /** A sync is under way. */
  isRunning: boolean;
  /** The sync under way, or the last one; never rejects. */
  ended: Promise<void>;

  private readonly fs: FileSystem;
  private readonly directory: string;
  private readonly listener: SyncListener;
  private readonly unsynced: Set<Segment>;
  private directoryUnsynced: boolean;
  private readonly companions: Set<SyncedFile>;

  constructor(fs: FileSystem, directory: string, listener: SyncListener, position: number) {
    this.stableUpTo = position;
    this.unsyncedBytes = 0;
    this.isRunning = false;
    this.ended = Promise.resolve();
    this.fs = fs;
    this.directory = directory;
    this.listener = listener;
    this.unsynced = new Set();
    this.directoryUnsynced = false;
    this.companions = new Set();
  }

  /** Nothing that was written waits for a sync, or for the end of one. */
  get isClean(): boolean {
    return this.unsynced.size === 0 && !this.isRunning;
  }

  /** The next sync begins with this file. */
  add(file: SyncedFile): void {
    this.companions.add(file);
  }

  write(segment: Segment, buf: Buffer, start: number, end: number, offset: number): void {
    if (segment.write(buf, start, end, offset)) this.directoryUnsynced = true;
    this.unsynced.add(segment);
    this.unsyncedBytes += end - start;
  }

  isUnsynced(segment: Segment): boolean {
    return this.unsynced.has(segment);
  }

  /** Begins a sync of all that was written: up to `target`, and whole up to `stable`. */
  begin(target: number, stable: number): void {
    this.isRunning = true;
    this.ended = this.run(target, stable);
  }

  private async run(target: number, stable: number): Promise<void> {
    const segments = [...this.unsynced];
    const companions = [...this.companions];
    const withDirectory = this.directoryUnsynced;
    this.unsynced.clear();
    this.companions.clear();
    this.unsyncedBytes = 0;
    this.directoryUnsynced = false;
    try {
      if (companions.length > 0) await Promise.all(companions.map((file) => file.datasync()));
      await Promise.all(segments.map((segment) => segment.datasync()));
      if (withDirectory) await this.fs.syncDirectory(this.directory);
    } catch (error) {
      this.isRunning = false;
      this.listener.syncFailed(error);
      return;
    }
    this.isRunning = false;
    this.stableUpTo = stable;
    this.listener.synced(target, stable);
  }
}
