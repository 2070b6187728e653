/**
 * Writing a segment's unsynced end anew, into another file: what failed to reach the disk once is never trusted to
 * the same file again.
 *
 * The file is written under a temporary name, synced, and renamed to `msgs.N.OFFSET`. So under that name it always
 * holds what it was made for, and whoever finds it there need not look at what the file before has from OFFSET on.
 */
import { nextTurn } from '../base/next-turn.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import type { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import type { Segment } from './segment.ts';

/** Bytes written between two turns of the event loop. */
const BYTES_PER_TURN = 4 * 1024 * 1024;

/** Bytes of memory that belong at an offset of a segment. */
export interface SegmentRun {
  readonly buf: Buffer;
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/**
 * Makes a file with `runs` hold the segment from offset `from` on. It is stable when the promise resolves, but for
 * its name: the caller syncs the folder.
 *
 * @throws StorageError with the segment as it was
 */
export async function replaceFrom(
  fs: FileSystem,
  cache: FileCache,
  segment: Segment,
  from: number,
  runs: readonly SegmentRun[],
): Promise<void> {
  const path = segment.pathFrom(from);
  const temporary = `${path}.tmp`;
  try {
    cache.delete(temporary);
    await write(cache, temporary, encodeSegmentHeader(segment), runs);
    fs.rename(temporary, path);
  } catch (error) {
    giveUp(cache, temporary);
    throw error;
  }
  segment.continueIn(from);
}

async function write(
  cache: FileCache,
  path: string,
  header: Buffer,
  runs: readonly SegmentRun[],
): Promise<void> {
  const { file, unpin } = cache.pin(path);
  try {
    file.writeAt(header, 0, SEGMENT_HEADER_SIZE, 0);
    let bytes = 0;
    for (const { buf, start, end, offset } of runs) {
      file.writeAt(buf, start, end, offset);
      bytes += end - start;
      if (bytes < BYTES_PER_TURN) continue;
      bytes = 0;
      await nextTurn();
    }
    await file.datasync();
  } finally {
    cache.forget(path);
    unpin();
  }
}

/** Frees the space of a file that came to nothing; where even that fails, the next attempt or boot does it. */
function giveUp(cache: FileCache, path: string): void {
  try {
    cache.delete(path);
  } catch {
    // The failure that led here is the one to tell.
  }
}
