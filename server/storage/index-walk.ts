/** Walks the messages of all queues that lie in one segment: for compaction, which must see every reference to it. */
import { nextTurn } from '../base/next-turn.ts';
import type { ChunkStore } from './chunk-store.ts';
import type { IndexRow } from './index-row.ts';
import { segmentOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';

/** Rows looked at between two turns of the event loop. */
const ROWS_PER_SLICE = 16;

/** Shown an unsettled message. */
export type SegmentVisitor = (index: QueueIndex, sequence: number, position: number) => void;

/**
 * Shows every unsettled message of `indexes`, durable or not, whose record lies in `segment`. Rows that name the segment
 * and lie on disk are read in the pool; messages that leave meanwhile may be shown or not, and so may those that come.
 *
 * @throws StorageError when a row cannot be read
 */
export async function forEachMessageIn(
  indexes: Iterable<QueueIndex>,
  chunks: ChunkStore,
  segment: number,
  visit: SegmentVisitor,
): Promise<void> {
  let rowsLeft = ROWS_PER_SLICE;
  for (const index of [...indexes]) {
    for (const first of rowsIn(index, segment)) {
      if (rowsLeft-- === 0) {
        await nextTurn();
        rowsLeft = ROWS_PER_SLICE;
      }
      const row = index.rows.at(index.findRow(first));
      if (row === undefined || row.first !== first) continue;
      const show = (positions: Float64Array) => showRow(index, row, positions, segment, visit);
      if (row.positions !== null) show(row.positions);
      else await chunks.withPositions(index, row, show);
    }
  }
}

/** The first numbers of the rows with messages in a segment. */
function rowsIn(index: QueueIndex, segment: number): number[] {
  const firsts: number[] = [];
  for (const row of index.rows.views()) if (row.countIn(segment) > 0) firsts.push(row.first);
  return firsts;
}

function showRow(
  index: QueueIndex,
  row: IndexRow,
  positions: Float64Array,
  segment: number,
  visit: SegmentVisitor,
): void {
  for (let entry = row.nextUnsettled(0); entry < row.count; entry = row.nextUnsettled(entry + 1)) {
    const position = positions[entry]!;
    if (segmentOf(position) === segment) visit(index, row.first + entry, position);
  }
}
