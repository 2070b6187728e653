/**
 * Writes of the log into its segments, and the group sync that makes them stable.
 *
 * - One sync runs at a time and counts for what was written before it began.
 * - Files that records of the log refer to (large bodies) are synced first: a batch never becomes stable before what
 *   it names.
 * - What is not stable stays in memory (`keepFrom`). After a failure it goes into other files at the same offsets
 *   (segment-replacement.ts): a kernel that could not write a page may call it clean, and a later sync of it a
 *   success.
 */
import type { Clock } from '../base/clock.ts';
import type { BatchSink } from './batch-writer.ts';
import type { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import { positionAt } from './position.ts';
import type { Segment } from './segment.ts';
import { replaceFrom, type SegmentRun } from './segment-replacement.ts';

/** A file that the log syncs before itself. */
export interface SyncedFile {
  /**
   * Makes stable what was written before the call. After a failure it is called again, and must not resolve then
   * because the kernel has forgotten what it could not write.
   */
  datasync(): Promise<void>;
}

/** Told how a sync ended. */
export interface SyncListener {
  /** All before `target` that went to a file is stable. */
  synced(target: number): void;
  syncFailed(error: unknown): void;
}

/** What was written in one piece and is not known to be stable. */
interface WrittenRun extends SegmentRun {
  readonly segment: Segment;
}

/** Which writes are not synced, and the sync under way. */
export class LogSync implements BatchSink {
  /** The files hold, synced, all before it: gaps too. */
  stableUpTo: number;
  /** Bytes written and not yet stable. */
  unsyncedBytes: number;
  /** Monotonic time at which the oldest of them was written, or the last sync began. */
  unsyncedSinceMs: number;
  /** A sync is under way. */
  isRunning: boolean;
  /** The sync under way, or the last one; never rejects. */
  ended: Promise<void>;
  /** Something failed: nothing may be written before the next sync has made files anew. */
  needsReplacement: boolean;

  private readonly fs: FileSystem;
  private readonly cache: FileCache;
  private readonly directory: string;
  private readonly clock: Clock;
  private readonly listener: SyncListener;
  /** In the order of their positions. */
  private readonly runs: WrittenRun[];
  /** The segment of the last write. */
  private current: Segment | null;
  private directoryUnsynced: boolean;
  private readonly companions: Set<SyncedFile>;
  /** A segment whose next write failed, and where. */
  private failedWrite: { readonly segment: Segment; readonly offset: number } | null;

  constructor(
    fs: FileSystem,
    cache: FileCache,
    directory: string,
    clock: Clock,
    listener: SyncListener,
    position: number,
  ) {
    this.stableUpTo = position;
    this.unsyncedBytes = 0;
    this.unsyncedSinceMs = 0;
    this.isRunning = false;
    this.ended = Promise.resolve();
    this.needsReplacement = false;
    this.fs = fs;
    this.cache = cache;
    this.directory = directory;
    this.clock = clock;
    this.listener = listener;
    this.runs = [];
    this.current = null;
    this.directoryUnsynced = false;
    this.companions = new Set();
    this.failedWrite = null;
  }

  /** Nothing that was written waits for a sync, or for the end of one. */
  get isClean(): boolean {
    return this.runs.length === 0 && !this.isRunning;
  }

  /** The first position that must stay in memory, since no file holds it for certain; infinite without one. */
  get keepFrom(): number {
    const first = this.runs[0];
    if (first === undefined) return Number.POSITIVE_INFINITY;
    return positionAt(first.segment.number, first.offset);
  }

  /** The next sync begins with this file. */
  add(file: SyncedFile): void {
    this.companions.add(file);
  }

  write(segment: Segment, buf: Buffer, start: number, end: number, offset: number): void {
    if (segment !== this.current) this.current?.trim();
    this.current = segment;
    if (segment.write(buf, start, end, offset)) this.directoryUnsynced = true;
    segment.pin();
    if (this.runs.length === 0) this.unsyncedSinceMs = this.clock.monotonicMs;
    this.runs.push({ segment, buf, start, end, offset });
    this.unsyncedBytes += end - start;
  }

  /** The next bytes of the segment, at `offset`, could not be written: they get another file. */
  replaceAfterFailedWrite(segment: Segment, offset: number): void {
    this.needsReplacement = true;
    this.failedWrite = { segment, offset };
  }

  /** Lays out zeros, `count` at a time, up to an offset, behind what was written last ({@link Segment.layOut}). */
  layOut(count: number, endMax: number): void {
    if (!this.needsReplacement) this.current?.layOut(count, endMax);
  }

  /** Nothing more is written. */
  trim(): void {
    this.current?.trim();
  }

  isUnsynced(segment: Segment): boolean {
    return this.runs.some((run) => run.segment === segment);
  }

  /** Begins a sync of all that was written: up to `target`, and whole up to `stable`. */
  begin(target: number, stable: number): void {
    this.isRunning = true;
    this.ended = this.run(target, stable);
  }

  private async run(target: number, stable: number): Promise<void> {
    const { length } = this.runs;
    const startedMs = this.clock.monotonicMs;
    try {
      if (this.companions.size > 0) await this.syncCompanions();
      if (this.needsReplacement) await this.replace();
      else await this.syncSegments();
    } catch (error) {
      this.isRunning = false;
      this.listener.syncFailed(error);
      return;
    }
    this.isRunning = false;
    this.drop(length);
    this.unsyncedSinceMs = startedMs;
    this.stableUpTo = stable;
    this.listener.synced(target);
  }

  private async syncCompanions(): Promise<void> {
    const files = [...this.companions];
    this.companions.clear();
    try {
      await Promise.all(files.map((file) => file.datasync()));
    } catch (error) {
      for (const file of files) this.companions.add(file);
      throw error;
    }
  }

  private async syncSegments(): Promise<void> {
    const withDirectory = this.directoryUnsynced;
    this.directoryUnsynced = false;
    try {
      await Promise.all(this.segmentsOf(this.runs).map((segment) => segment.datasync()));
      if (withDirectory) await this.fs.syncDirectory(this.directory);
    } catch (error) {
      this.needsReplacement = true;
      throw error;
    }
  }

  /** Writes what is not stable anew. Nothing else is written meanwhile. */
  private async replace(): Promise<void> {
    const { failedWrite, runs } = this;
    const segments = new Set(this.segmentsOf(runs));
    if (failedWrite !== null) segments.add(failedWrite.segment);
    for (const segment of segments) {
      if (!segment.isOnDisk) continue;
      const own = runs.filter((run) => run.segment === segment);
      const from = own[0]?.offset ?? failedWrite!.offset;
      await replaceFrom(this.fs, this.cache, segment, from, own);
    }
    await this.fs.syncDirectory(this.directory);
    this.directoryUnsynced = false;
    this.failedWrite = null;
    this.needsReplacement = false;
  }

  /** The first `count` runs are stable. */
  private drop(count: number): void {
    const dropped = this.runs.splice(0, count);
    for (const { start, end } of dropped) this.unsyncedBytes -= end - start;
    for (const segment of this.segmentsOf(dropped)) {
      if (!this.isUnsynced(segment)) segment.unpin();
    }
  }

  private segmentsOf(runs: readonly WrittenRun[]): Segment[] {
    return [...new Set(runs.map(({ segment }) => segment))];
  }
}
