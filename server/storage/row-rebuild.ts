/**
 * Finds the positions of rows again whose slots cannot be read: the log's batches say which sequence number each of
 * their messages got, and so do the blocks of a compacted segment.
 *
 * The segments that a row names are walked first; then, where a message was entered by reference, those behind the
 * first of them. What is damaged in the log is stepped over.
 */
import { ByteArea } from '../base/byte-area.ts';
import type { FileSystem } from './fs.ts';
import { type IndexRow, TRIPLET } from './index-row.ts';
import { positionAt, segmentOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import { enqueuedPositionAt, RECORD_ENQUEUE } from './record-format.ts';
import type { Segment } from './segment.ts';
import { SegmentFiles } from './segment-files.ts';
import { type RecordScanner, scanBytes, scanSegment } from './segment-scan.ts';
import { StorageError } from './storage-error.ts';

/** A row whose slot is damaged. */
export interface LostRow {
  readonly row: IndexRow;
  /** The positions found; 0 for those that were not. */
  readonly positions: Float64Array;
}

/** Finds what slots should have. */
export interface RowFinder {
  /**
   * Fills in the positions of some rows of one queue, as far as the log knows them; between turns.
   *
   * @throws StorageError when the log cannot be read
   */
  find(queue: number, lost: readonly LostRow[]): Promise<void>;
  /** The same, waiting: for recovery. */
  findNow(queue: number, lost: readonly LostRow[]): void;
}

/** Looks in the segments of a log. */
export class LogRowFinder implements RowFinder {
  private readonly fs: FileSystem;
  private readonly segments: () => ReadonlyMap<number, Segment>;

  constructor(fs: FileSystem, segments: () => ReadonlyMap<number, Segment>) {
    this.fs = fs;
    this.segments = segments;
  }

  async find(queue: number, lost: readonly LostRow[]): Promise<void> {
    const search = new RowSearch(queue, lost);
    for (const number of segmentsFor(lost, this.segments())) {
      if (search.isOver) return;
      await this.walk(number, search);
    }
  }

  findNow(queue: number, lost: readonly LostRow[]): void {
    const search = new RowSearch(queue, lost);
    const files = new SegmentFiles(this.fs);
    for (const number of segmentsFor(lost, this.segments())) {
      if (search.isOver) return;
      const segment = this.segments().get(number)!;
      const bytes = new ByteArea(files.read(segment));
      scanBytes(segment, bytes, search.scannerOf(number));
    }
  }

  private async walk(number: number, search: RowSearch): Promise<void> {
    const segment = this.segments().get(number);
    if (segment === undefined) return;
    const { fileVersion } = segment;
    try {
      await scanSegment(segment, search.scannerOf(number), {
        isOver: () => search.isOver,
        skipsDamage: true,
      });
    } catch (error) {
      // It went meanwhile, so nobody needs anything in it.
      if (error instanceof StorageError && this.segments().get(number) !== segment) return;
      if (segment.fileVersion === fileVersion) throw error;
    }
    // Another file has taken its name meanwhile.
    if (segment.fileVersion !== fileVersion) await this.walk(number, search);
  }
}

/** The segments in which the rows' records can lie, those that they name first. */
function segmentsFor(
  lost: readonly LostRow[],
  segments: ReadonlyMap<number, Segment>,
): readonly number[] {
  const named = new Set<number>();
  for (const { row } of lost) {
    for (let at = 0; at < row.segments.length; at += TRIPLET) {
      if (row.segments[at + 1]! > 0 && segments.has(row.segments[at]!)) {
        named.add(row.segments[at]!);
      }
    }
  }
  const first = Math.min(...named);
  const behind = [...segments.keys()].filter((number) => number > first && !named.has(number));
  return [...[...named].sort((a, b) => a - b), ...behind];
}

/** Takes the messages of some rows out of all that the log shows. */
class RowSearch {
  private readonly queue: number;
  private readonly lost: readonly LostRow[];
  /** Unsettled messages not found yet; too high where some were settled meanwhile. */
  private missing: number;
  /** The row of the last message found. */
  private last: LostRow;

  constructor(queue: number, lost: readonly LostRow[]) {
    this.queue = queue;
    this.lost = lost;
    this.missing = lost.reduce((sum, { row }) => sum + row.live, 0);
    this.last = lost[0]!;
  }

  get isOver(): boolean {
    return this.missing <= 0;
  }

  /** To be shown the records of one segment. */
  scannerOf(segment: number): RecordScanner {
    return (original, placements, area, at) => {
      for (let i = 0; i < placements.length; i += 2) {
        if (placements[i] !== this.queue) continue;
        const { view } = area;
        const isReference = view.getUint8(at) === RECORD_ENQUEUE;
        const position = isReference ? enqueuedPositionAt(view, at) : positionAt(segment, original);
        this.found(placements[i + 1]!, position);
      }
    };
  }

  private found(sequence: number, position: number): void {
    if (!holds(this.last.row, sequence)) {
      const next = this.lost.find(({ row }) => holds(row, sequence));
      if (next === undefined) return;
      this.last = next;
    }
    const { row, positions } = this.last;
    const entry = sequence - row.first;
    if (positions[entry] === 0 && row.isUnsettled(entry)) this.missing--;
    positions[entry] = position;
  }
}

function holds(row: IndexRow, sequence: number): boolean {
  return sequence >= row.first && sequence < row.first + row.count;
}

/** A message that has left its queue since it, or its body, is nowhere to be found. */
export interface LostMessage {
  readonly index: QueueIndex;
  readonly sequence: number;
  readonly position: number;
  /** Size of its body in bytes; a guess, or 0, where that is not known any more. */
  readonly bodySize: number;
}

/** The messages at some entries of a row in memory. Their sizes are guessed: each has its share of its segment's. */
export function messagesAt(
  index: QueueIndex,
  row: IndexRow,
  entries: readonly number[],
): LostMessage[] {
  return entries.map((entry) => {
    const position = row.positions![entry]!;
    const at = row.triplet(segmentOf(position));
    const bodySize = Math.round(row.segments[at + 2]! / row.segments[at + 1]!);
    return { index, sequence: row.first + entry, position, bodySize };
  });
}

/** Whether all unsettled messages of the row were found. */
export function isFound({ row, positions }: LostRow): boolean {
  for (let entry = row.nextUnsettled(0); entry < row.count; entry = row.nextUnsettled(entry + 1)) {
    if (positions[entry] === 0) return false;
  }
  return true;
}

/**
 * Gives the unsettled messages that were not found a position that leads nowhere, the start of the segment that they
 * must lie in: so they can be counted out.
 *
 * @returns their entries
 */
export function placeMissing({ row, positions }: LostRow): readonly number[] {
  const missing: number[] = [];
  let entry = row.nextUnsettled(0);
  const left = new Map<number, number>();
  for (let at = 0; at < row.segments.length; at += TRIPLET) {
    left.set(row.segments[at]!, row.segments[at + 1]!);
  }
  for (; entry < row.count; entry = row.nextUnsettled(entry + 1)) {
    const position = positions[entry]!;
    if (position === 0) missing.push(entry);
    else {
      const segment = segmentOf(position);
      left.set(segment, (left.get(segment) ?? 0) - 1);
    }
  }
  const segments = [...left].filter(([, count]) => count > 0);
  for (const at of missing) {
    while (segments.length > 1 && segments[0]![1] === 0) segments.shift();
    const next = segments[0]!;
    positions[at] = positionAt(next[0], 0);
    next[1]--;
  }
  return missing;
}
