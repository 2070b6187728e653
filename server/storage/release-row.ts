/**
 * Gives up the references of whole rows, or of what is ready in one: by the counts per segment, without a look at
 * positions, but where records are not written yet.
 */
import type { ReferenceSink } from './index-home.ts';
import { type IndexRow, TRIPLET } from './index-row.ts';
import { segmentOf, TRANSIENT_POSITION_FIRST } from './position.ts';

/** Gives up all unsettled messages of a row that goes; its counts stay as they were. */
export function releaseRow(row: IndexRow, sink: ReferenceSink): void {
  const isWritten = !reachesInto(row, sink.unwrittenFrom);
  const { segments } = row;
  for (let at = 0; at < segments.length; at += TRIPLET) {
    const count = segments[at + 1]!;
    if (count > 0) sink.releaseMany(segments[at]!, isWritten ? count : 0, segments[at + 2]!);
  }
  if (isWritten) return;
  for (let entry = row.nextUnsettled(0); entry < row.count; entry = row.nextUnsettled(entry + 1)) {
    sink.release(row.positions![entry]!, 0);
  }
}

/**
 * Gives up the unsettled messages from entry `from` on, whose bodies have `bytes` octets in all, and marks them
 * settled; those before stay. Their counts by segment are exact; the bytes are apportioned.
 */
export function releaseReady(
  row: IndexRow,
  from: number,
  bytes: number,
  rowEntries: number,
  sink: ReferenceSink,
): void {
  const first = row.nextUnsettled(from);
  if (first >= row.count) return;
  if (row.nextUnsettled(0) >= from) {
    releaseRow(row, sink);
    row.segments.length = 0;
    row.live = 0;
    row.settledPrefix = row.count;
    row.settledBits = null;
    row.returns = null;
    return;
  }
  // The cursor has taken from this row, so its positions are in memory.
  const positions = row.positions!;
  const gone = new Map<number, number>();
  for (let entry = first; entry < row.count; entry = row.nextUnsettled(entry + 1)) {
    const position = positions[entry]!;
    const segment = segmentOf(position);
    gone.set(segment, (gone.get(segment) ?? 0) + 1);
    sink.release(position, 0);
    row.mark(entry, rowEntries);
    row.returns?.delete(entry);
    row.live--;
  }
  let left = bytes;
  let segmentsLeft = gone.size;
  for (const [segment, count] of gone) {
    const at = row.triplet(segment);
    const { segments } = row;
    const share = Math.round((segments[at + 2]! * count) / segments[at + 1]!);
    const given = --segmentsLeft === 0 ? left : Math.min(left, share);
    segments[at + 1]! -= count;
    segments[at + 2]! -= given;
    left -= given;
    sink.releaseMany(segment, 0, given);
  }
}

/** Whether a record of the row lies at or behind `position` in the log. Only rows in memory do. */
export function reachesInto(row: IndexRow, position: number): boolean {
  const { segments, positions } = row;
  if (positions === null) return false;
  const segment = segmentOf(position);
  const transient = segmentOf(TRANSIENT_POSITION_FIRST);
  let isNear = false;
  for (let at = 0; at < segments.length; at += TRIPLET) {
    if (segments[at]! >= segment && segments[at]! < transient) isNear = true;
  }
  if (!isNear) return false;
  for (let entry = 0; entry < row.count; entry++) {
    if (positions[entry]! >= position && positions[entry]! < TRANSIENT_POSITION_FIRST) return true;
  }
  return false;
}
