/**
 * Rewrites segments that a few stragglers keep alive, in the background, one at a time.
 *
 *     walk the indexes -> live offsets -> rewrite to NAME.compact -> sync -> [ rename, adopt ] -> sync the folder
 *
 * - Positions stay: nobody who holds one hears of it. The swap is one step between turns; a read that began before it
 *   ends on the old file.
 * - Only segments wholly before the replay start of both kept checkpoints are rewritten, so what recovery replays is
 *   never in compacted form.
 * - A segment that a queue is being emptied of is left alone: a rewrite would read it all, and last no second.
 * - A record that gets a new reference while the indexes are walked may have been missed: the result is thrown away,
 *   and the segment is looked at again later.
 */
import { join } from 'node:path';
import type { ByteArea } from '../base/byte-area.ts';
import type { TableCache } from './compacted-reader.ts';
import type { FileSystem } from './fs.ts';
import { LiveOffsets } from './live-offsets.ts';
import { offsetOf } from './position.ts';
import { type Rewritten, type RewrittenSegment, rewriteSegment } from './segment-rewriter.ts';
import { newScanMemory } from './segment-scan.ts';

const TEMPORARY_SUFFIX = '.compact';
/** What a record is guessed to take beside its body, in bytes, before it has been looked at. */
const RECORD_OVERHEAD_GUESS = 40;
/** A file is worth a rewrite when at most this share of it would stay. */
const WORTHWHILE_SHARE = 0.5;
/** A segment is looked at again when at most this share of what it held then is left. */
const LOOK_AGAIN_SHARE = 0.75;
/** A segment that has no more than this share of what it held one look before is left to its consumers. */
const DRAINING_SHARE = 0.9;
/** Smaller files are left alone, in bytes. */
export const COMPACTED_FILE_SIZE_MIN: number = 64 * 1024;

/** A segment as the compactor sees it. */
export interface CompactableSegment extends RewrittenSegment {
  /** References to its records, and the bytes of their bodies. */
  readonly live: number;
  readonly liveBytes: number;
  /** Size of its files, in bytes. */
  readonly fileSize: number;
  /** Raised whenever a record in it gets a reference after it was written. */
  readonly referencesAdded: number;
  /** What {@link live} was when the segment was full, or was found at a boot. */
  readonly fullLive: number;
  /** What {@link live} was when it was last rewritten, or that turned out not to be worth it; at first infinite. */
  examinedLive: number;
  /** What {@link live} was at the last look ({@link lookAt}). */
  seenLive: number;
  /** It empties by itself: what would be rewritten of it is gone soon. */
  isDraining: boolean;
  /** The file of its name is now the compacted one. */
  adopt(rewritten: Rewritten, tables: TableCache): void;
  /** The folder is synced: what else there was of it may go. */
  deleteLeftovers(): void;
}

interface Workspace {
  readonly live: LiveOffsets;
  readonly memory: ByteArea;
}

/** Knows the messages of all queues, durable and transient. */
export interface ReferenceSource {
  /**
   * Shows the position of every unsettled message that lies in the segment; in slices, between turns. Resolves when it
   * is stable that the others are settled: a crash that brought one of them back would find its record gone.
   */
  forEachPositionIn(segment: number, visit: (position: number) => void): Promise<void>;
}

/** True when a look at the segment promises that a rewrite is worth it. */
export function isCandidate(
  segment: CompactableSegment,
  fileSizeMin: number = COMPACTED_FILE_SIZE_MIN,
): boolean {
  const { live, liveBytes, fileSize, fullLive, examinedLive } = segment;
  if (live === 0 || fileSize < fileSizeMin || live > LOOK_AGAIN_SHARE * examinedLive) return false;
  if (segment.isDraining) return false;
  const guess = liveBytes + live * RECORD_OVERHEAD_GUESS;
  // A message of many queues counts once for each, so the guess may be far too high.
  return guess <= WORTHWHILE_SHARE * fileSize || live <= WORTHWHILE_SHARE * fullLive;
}

/** Tells the segments that are emptied from those that stay as they are. Called now and then, at a steady pace. */
export function lookAt(segments: Iterable<CompactableSegment>): void {
  for (const segment of segments) {
    segment.isDraining = segment.live <= DRAINING_SHARE * segment.seenLive;
    segment.seenLive = segment.live;
  }
}

/** Deletes what a compaction that was broken off has left behind. */
export function deleteUnfinished(fs: FileSystem, directory: string): void {
  for (const name of fs.list(directory)) {
    if (name.endsWith(TEMPORARY_SUFFIX)) fs.delete(join(directory, name));
  }
}

/** Compacts the segments of one vhost. */
export class Compactor {
  private readonly fs: FileSystem;
  private readonly directory: string;
  private readonly tables: TableCache;
  private readonly fileSizeMin: number;
  private isStopped: boolean;
  /** What one rewrite after the other works with; null while there is nothing to rewrite. */
  private workspace: Workspace | null;
  /** Null while nothing is rewritten. */
  private underWay: Promise<boolean> | null;

  constructor(
    fs: FileSystem,
    directory: string,
    tables: TableCache,
    fileSizeMin: number = COMPACTED_FILE_SIZE_MIN,
  ) {
    this.fs = fs;
    this.directory = directory;
    this.tables = tables;
    this.fileSizeMin = fileSizeMin;
    this.isStopped = false;
    this.workspace = null;
    this.underWay = null;
  }

  /** Whether a rewrite of the segment promises to be worth it. */
  isCandidate(segment: CompactableSegment): boolean {
    return isCandidate(segment, this.fileSizeMin);
  }

  get isBusy(): boolean {
    return this.underWay !== null;
  }

  /**
   * Rewrites the segment of which the least is left, if that is worth it. Nothing else may be under way.
   *
   * @returns whether a segment is smaller now
   * @throws StorageError when it cannot be read, or the disk refuses; the segment is as it was
   */
  async compactOne(
    segments: readonly CompactableSegment[],
    source: ReferenceSource,
  ): Promise<boolean> {
    if (this.isBusy) return false;
    const candidates = segments.filter((segment) => this.isCandidate(segment));
    const [first] = candidates.sort((a, b) => a.live / a.fileSize - b.live / b.fileSize);
    if (first === undefined || this.isStopped) {
      this.workspace = null;
      return false;
    }
    this.underWay = this.compact(first, source).finally(() => {
      this.underWay = null;
    });
    return this.underWay;
  }

  /** Nothing is rewritten from now on; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.underWay?.catch(() => {});
  }

  private async compact(segment: CompactableSegment, source: ReferenceSource): Promise<boolean> {
    const { live: liveBefore, referencesAdded } = segment;
    this.workspace ??= { live: new LiveOffsets(), memory: newScanMemory() };
    const { live, memory } = this.workspace;
    live.clear();
    await source.forEachPositionIn(segment.number, (position) => live.mark(offsetOf(position)));
    const temporary = `${segment.path}${TEMPORARY_SUFFIX}`;
    const rewritten = await this.rewrite(segment, live, memory, temporary);
    const isMissed = segment.referencesAdded !== referencesAdded;
    if (rewritten === null || isMissed || segment.live === 0) {
      this.fs.delete(temporary);
      if (!isMissed) segment.examinedLive = liveBefore;
      return false;
    }
    this.rename(temporary, segment.path);
    segment.adopt(rewritten, this.tables);
    segment.examinedLive = liveBefore;
    await this.fs.syncDirectory(this.directory);
    segment.deleteLeftovers();
    return true;
  }

  private rename(temporary: string, path: string): void {
    try {
      this.fs.rename(temporary, path);
    } catch (error) {
      this.fs.delete(temporary);
      throw error;
    }
  }

  private async rewrite(
    segment: CompactableSegment,
    live: LiveOffsets,
    memory: ByteArea,
    temporary: string,
  ): Promise<Rewritten | null> {
    const out = this.fs.openForWriting(temporary);
    const sizeMax = WORTHWHILE_SHARE * segment.fileSize;
    try {
      out.truncate(0);
      const isStopped = () => this.isStopped;
      return await rewriteSegment(segment, live, out, sizeMax, isStopped, memory);
    } catch (error) {
      this.fs.delete(temporary);
      // The last of its messages went, and the segment with it.
      if (segment.live === 0) return null;
      throw error;
    } finally {
      out.close();
    }
  }
}
