/**
 * What recovery does to an index: messages enter under the numbers that the log gives, and leave before anybody has
 * taken them. Rows that lie on disk stay there: only a row whose messages lie in several segments is read, when one
 * of them leaves, since their counts must stay right.
 */
import { type IndexRow, TRIPLET } from './index-row.ts';
import { segmentOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import { ReturnCounts } from './return-counts.ts';

/** Enters a message under a given number, higher than all before it. */
export function restoreMessage(
  index: QueueIndex,
  sequence: number,
  position: number,
  bodySize: number,
): void {
  const tail = index.rows.at(index.rows.length - 1);
  if (tail !== undefined && tail.positions !== null) fillHole(index, tail, sequence);
  index.nextSequence = sequence;
  index.append(position, bodySize);
}

/** The messages `first` to `last`, as far as they are there, have left. */
export function discardRange(index: QueueIndex, first: number, last: number): void {
  const { rows } = index;
  for (let at = index.findRow(first); at < rows.length && rows.first(at) <= last; ) {
    const row = rows.at(at)!;
    const from = Math.max(0, first - row.first);
    const to = Math.min(row.count, last - row.first + 1);
    if (from <= row.nextUnsettled(0) && to === row.count) discardRow(index, row);
    else for (let entry = from; entry < to; entry++) discardEntry(index, row, entry);
    // A row of which nothing is left has gone.
    if (!row.isGone && rows.at(at) === row) at++;
  }
}

/** All up to `upTo` has left but for the ranges (first, last in turn) in `kept`. */
export function discardAllBut(index: QueueIndex, upTo: number, kept: readonly number[]): void {
  let from = 0;
  for (let i = 0; i < kept.length && kept[i]! <= upTo; i += 2) {
    discardRange(index, from, kept[i]! - 1);
    from = kept[i + 1]! + 1;
  }
  discardRange(index, from, upTo);
}

/** The message came back, having been delivered `count` times; nothing when it has left. */
export function restoreDeliveryCount(index: QueueIndex, sequence: number, count: number): void {
  if (!index.isUnsettled(sequence)) return;
  const row = index.rowOf(sequence);
  row.returns ??= new ReturnCounts(index.rowEntries);
  row.returns.set(sequence - row.first, count);
}

/** The messages of a row that lie in one of these segments have left; returns their number. */
export function discardIn(
  index: QueueIndex,
  row: IndexRow,
  isLost: (segment: number) => boolean,
): number {
  let lost = 0;
  for (let at = 0; at < row.segments.length; at += TRIPLET) {
    if (row.segments[at + 1]! > 0 && isLost(row.segments[at]!)) lost += row.segments[at + 1]!;
  }
  if (lost === 0) return 0;
  if (lost === row.live) {
    discardRow(index, row);
    return lost;
  }
  const positions = index.positionsOf(row);
  for (let entry = row.nextUnsettled(0); entry < row.count; entry = row.nextUnsettled(entry + 1)) {
    if (isLost(segmentOf(positions[entry]!))) discardEntry(index, row, entry);
  }
  return lost;
}

/**
 * After recovery: everything unsettled is ready, `bytes` in all. Deliveries go in order, so all that
 * stands before a message that had come back was delivered as well.
 */
export function finishReplay(index: QueueIndex, bytes: number): void {
  index.readyBytes = bytes;
  for (const row of index.rows.views()) {
    row.returns?.forEach((entry) => {
      index.redeliveredUpTo = Math.max(index.redeliveredUpTo, row.first + entry);
    });
  }
}

function discardRow(index: QueueIndex, row: IndexRow): void {
  index.readyCount -= row.live;
  row.live = 0;
  row.settledPrefix = row.count;
  row.settledBits = null;
  row.returns = null;
  row.segments.length = 0;
  finishRow(index, row);
}

function discardEntry(index: QueueIndex, row: IndexRow, entry: number): void {
  if (!row.isUnsettled(entry)) return;
  row.mark(entry, index.rowEntries);
  row.returns?.delete(entry);
  index.readyCount--;
  row.live--;
  const { segments } = row;
  const at =
    segments.length === TRIPLET ? 0 : row.triplet(segmentOf(index.positionsOf(row)[entry]!));
  // The log tells the bytes of all that left together: here each has its share.
  segments[at + 2]! -= Math.round(segments[at + 2]! / segments[at + 1]!);
  segments[at + 1]!--;
  if (row.live === 0) finishRow(index, row);
}

function finishRow(index: QueueIndex, row: IndexRow): void {
  index.forgetTailSegment();
  // The cursor stands at the first row, and may leave it: nothing has been taken.
  if (row === index.cursorRow) index.peekSequence();
  else index.rowFinished(row);
}

/** Numbers left out before `sequence` count as settled where they fit the row: a hole needs no new one. */
function fillHole(index: QueueIndex, row: IndexRow, sequence: number): void {
  if (sequence - row.first >= index.rowEntries || row.live === 0) return;
  while (row.first + row.count < sequence) {
    index.enterSettled(row);
  }
}
