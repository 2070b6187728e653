/**
 * Rewrites segments that a few stragglers keep alive, in the background, one at a time.
 *
 *     walk the indexes -> live offsets -> rewrite to NAME.compact -> sync -> [ rename, adopt ] -> sync the folder
 *
 * - Positions stay: nobody who holds one hears of it. The swap is one step between turns; a read that began before it
 *   ends on the old file.
 * - Only segments wholly before the replay start of both kept checkpoints are rewritten, so what recovery replays is
 *   never in compacted form.
 * - A record that gets a new reference while the indexes are walked may have been missed: the result is thrown away,
 *   and the segment is looked at again later.
 */
import type { FileSystem } from './fs.ts';
import { LiveOffsets } from './live-offsets.ts';
import { offsetOf } from './position.ts';
import { type Rewritten, type RewrittenSegment, rewriteSegment } from './segment-rewriter.ts';

const TEMPORARY_SUFFIX = '.compact';
/** What a record is guessed to take beside its body, in bytes, before it has been looked at. */
const RECORD_OVERHEAD_GUESS = 40;
/** A file is worth a rewrite when at most this share of it would stay. */
const WORTHWHILE_SHARE = 0.5;
/** Smaller files are left alone. */
const FILE_SIZE_MIN = 64 * 1024;

/** A segment as the compactor sees it. */
export interface CompactableSegment extends RewrittenSegment {
  /** References to its records, and the bytes of their bodies. */
  readonly live: number;
  readonly liveBytes: number;
  /** Size of its files, in bytes. */
  readonly fileSize: number;
  /** Raised whenever a record in it gets a reference after it was written. */
  readonly referencesAdded: number;
  /** What {@link live} was when a rewrite turned out not to be worth it; at first the references ever made. */
  examinedLive: number;
  /** The file of its name is now the compacted one. */
  adopt(rewritten: Rewritten): void;
  /** The folder is synced: what else there was of it may go. */
  deleteLeftovers(): void;
}

/** Knows the messages of all queues, durable and transient. */
export interface ReferenceSource {
  /** Shows the position of every unsettled message that lies in the segment; in slices, between turns. */
  forEachPositionIn(segment: number, visit: (position: number) => void): Promise<void>;
}

/** True when a look at the segment promises that a rewrite is worth it. */
export function isCandidate(segment: CompactableSegment): boolean {
  const { live, liveBytes, fileSize, examinedLive } = segment;
  if (live === 0 || fileSize < FILE_SIZE_MIN) return false;
  const guess = liveBytes + live * RECORD_OVERHEAD_GUESS;
  const isGuessedSmall = guess <= WORTHWHILE_SHARE * fileSize && live < examinedLive;
  // A message of many queues counts once for each, so the guess may be far too high.
  return isGuessedSmall || live <= examinedLive / 2;
}

/** Compacts the segments of one vhost. */
export class Compactor {
  private readonly fs: FileSystem;
  private readonly directory: string;

  constructor(fs: FileSystem, directory: string) {
    this.fs = fs;
    this.directory = directory;
  }

  /**
   * Rewrites one segment, unless that is not worth it.
   *
   * @returns whether the segment is in compacted form now, smaller than before
   * @throws StorageError when it cannot be read, or the disk refuses; the segment is as it was
   */
  async compact(segment: CompactableSegment, source: ReferenceSource): Promise<boolean> {
    const { live: liveBefore, referencesAdded } = segment;
    const live = new LiveOffsets(segment.size);
    await source.forEachPositionIn(segment.number, (position) => live.mark(offsetOf(position)));
    const temporary = `${segment.path}${TEMPORARY_SUFFIX}`;
    const rewritten = await this.rewrite(segment, live, temporary);
    const isMissed = segment.referencesAdded !== referencesAdded;
    if (rewritten === null || isMissed || segment.live === 0) {
      this.fs.delete(temporary);
      if (rewritten === null) segment.examinedLive = liveBefore;
      return false;
    }
    this.fs.rename(temporary, segment.path);
    segment.adopt(rewritten);
    segment.examinedLive = liveBefore;
    await this.fs.syncDirectory(this.directory);
    segment.deleteLeftovers();
    return true;
  }

  private async rewrite(
    segment: CompactableSegment,
    live: LiveOffsets,
    temporary: string,
  ): Promise<Rewritten | null> {
    const out = this.fs.openForWriting(temporary);
    try {
      out.truncate(0);
      return await rewriteSegment(segment, live, out, WORTHWHILE_SHARE * segment.fileSize);
    } finally {
      out.close();
    }
  }
}
