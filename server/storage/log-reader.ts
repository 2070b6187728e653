/**
 * Reads a segment from disk into its valid batches and the stretches between them that are none.
 *
 * Nothing is decided here: recovery.ts knows how far the log was synced, and so whether such a stretch is the
 * unsynced tail (the log ends there) or damage (it is skipped and reported).
 */
import { ByteArea } from '../base/byte-area.ts';
import { isZero } from '../base/is-zero.ts';
import type { BatchHeader, SegmentHeader } from './batch-format.ts';
import { batchLengthAt, GAP_SIZE, readBatch, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { positionAt } from './position.ts';
import type { SegmentStretch } from './segment-files.ts';

/** Bytes `from` up to `to` (offsets in the segment) that are no valid batch. */
export interface InvalidStretch {
  readonly from: number;
  readonly to: number;
}

/** A segment's content. */
export interface SegmentContent {
  /** Bytes in the file, but for the zeros laid out at its end. */
  readonly length: number;
  readonly batches: readonly BatchHeader[];
  readonly invalid: readonly InvalidStretch[];
  /** Offset behind the last valid batch or gap. */
  readonly validEnd: number;
  /** The highest position that a batch here knew to be synced. */
  readonly syncedUpTo: number;
}

const BATCH_MAGIC_BYTES = Buffer.from('FBAT', 'latin1');
const GAP_MAGIC_BYTES = Buffer.from('FGAP', 'latin1');

/** Cuts the file of a segment into batches, from the offset `from` on, where a batch or gap begins. */
export function readSegment(
  bytes: Buffer,
  header: SegmentHeader,
  from: number = SEGMENT_HEADER_SIZE,
): SegmentContent {
  const area = new ByteArea(bytes);
  const batches: BatchHeader[] = [];
  const invalid: InvalidStretch[] = [];
  let syncedUpTo = 0;
  let at = from;
  let validEnd = Math.min(from, Math.max(SEGMENT_HEADER_SIZE, bytes.length));
  while (at < bytes.length) {
    const batch = readBatch(area, at, bytes.length, positionAt(header.number, at), header.salt);
    if (batch !== null) {
      batches.push(batch);
      syncedUpTo = Math.max(syncedUpTo, batch.syncedUpTo);
      at += batch.length;
      validEnd = at;
      continue;
    }
    // Zeros up to the end were laid out for batches that never came (segment.ts). Where batches came and got lost,
    // the next segment tells, or a later "synced up to".
    if (isZero(bytes, at, bytes.length)) break;
    const next = findBatch(area, at + 1, header);
    invalid.push({ from: at, to: next });
    at = next;
  }
  return { length: Math.min(at, bytes.length), batches, invalid, validEnd, syncedUpTo };
}

/** Shows the bytes of a segment from an offset on, `length` of them at least where there are so many. */
export type StretchReader = (start: number, length: number) => SegmentStretch;

/** As much of {@link readSegment} as is valid from the offset `from` on, without a break, read in stretches. */
export function readValidRun(
  read: StretchReader,
  header: SegmentHeader,
  from: number,
): { readonly batches: BatchHeader[]; readonly end: number } {
  const batches: BatchHeader[] = [];
  let stretch = read(from, GAP_SIZE);
  let at = from;
  for (;;) {
    const { area, start, end } = stretch;
    const position = positionAt(header.number, at);
    const batch = readBatch(area, at - start, end - start, position, header.salt);
    if (batch !== null) {
      batches.push(batch);
      at += batch.length;
      continue;
    }
    // It may be whole in a stretch that begins with it, and is long enough.
    const length = batchLengthAt(area, at - start, end - start);
    if (at === start && length <= end - start) return { batches, end: at };
    stretch = read(at, length);
    if (stretch.start === start && stretch.end === end) return { batches, end: at };
  }
}

/** The offset of the next valid batch or gap from `from` on; the end of the bytes when there is none. */
function findBatch(area: ByteArea, from: number, header: SegmentHeader): number {
  const { buf } = area;
  let at = from;
  for (;;) {
    const batchAt = buf.indexOf(BATCH_MAGIC_BYTES, at);
    const gapAt = buf.indexOf(GAP_MAGIC_BYTES, at);
    if (batchAt < 0 && gapAt < 0) return buf.length;
    at = batchAt < 0 ? gapAt : gapAt < 0 ? batchAt : Math.min(batchAt, gapAt);
    if (buf.length - at < GAP_SIZE) return buf.length;
    if (readBatch(area, at, buf.length, positionAt(header.number, at), header.salt) !== null) {
      return at;
    }
    at++;
  }
}
