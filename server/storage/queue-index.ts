/**
 * @hot The index of one queue: sequence number -> position, for every message not yet settled.
 *
 *     rows      [ 1 .. 8192 ][ 8193 .. 16384 ] ... [ 90000 .. 90100 ]      ascending, gaps between allowed
 *                    ^ cursor: everything before it was taken at least once     ^ tail
 *     requeued  heap of (sequence number, position, size): taken, came back, leaves before the cursor
 *
 * - Sequence numbers are given out in order, never twice. Order, requeues and purges go by them, never by
 *   position: a replayed message has an old position and a new place.
 * - Ready = unsettled from the cursor on, and the heap; unacked = the rest. A row goes when its last entry is
 *   settled.
 * - Positions are in memory around the cursor and at the tail; those between lie on disk (chunk-store.ts, the
 *   index's `home`). Where the cursor stands on such a row {@link QueueIndex.peekPosition} says so. What is known of
 *   those rows is packed into numbers (row-list.ts).
 * - An empty queue owns no array; the first one has 16 entries and doubles.
 *
 * It owns numbers only: live counters and log records are kept by message-store.ts, which calls it. What recovery
 * does to an index is in index-replay.ts.
 * Bench: micro/queue-index.
 */
import { SequenceHeap } from '../base/sequence-heap.ts';
import type { ChunkHome, ReferenceSink } from './index-home.ts';
import { IndexRow, ROW_ENTRIES } from './index-row.ts';
import type { MessageRun } from './message-run.ts';
import { SEGMENT_SPAN, segmentOf } from './position.ts';
import { releaseReady, releaseRow } from './release-row.ts';
import { ReturnCounts } from './return-counts.ts';
import { RowList } from './row-list.ts';

const ENTRIES_FIRST = 16;
/** An empty queue keeps an array up to this many entries. */
const ENTRIES_KEPT = 64;
/** Entries that are looked at, or copied, one by one. */
const LOOKED_AT_MAX = 64;
/** As if all had been ready that a queue can hold: the largest small integer of V8's. */
const READY_LEFT_MAX = 0x7fffffff;

/** What {@link QueueIndex.peekPosition} says of a row that has to be read first. */
export const NOT_LOADED = -1;

/** One message as {@link QueueIndex.forEachUnsettled} shows it. */
export type UnsettledVisitor = (sequence: number, position: number) => void;

/** An index as the last base checkpoint holds it (checkpointer.ts). */
export interface CheckpointedState {
  /** The checkpoint attempt. */
  readonly attempt: number;
  readonly nextSequence: number;
  readonly unsettledCount: number;
  readonly reservedUpTo: number;
  readonly requeueCount: number;
}

/** The messages of one queue by sequence number. */
export class QueueIndex {
  /** The queue's number in the log, never used for another queue. Transient queues: 0. */
  readonly number: number;
  /** Whether the log hears of what happens here. */
  readonly durable: boolean;
  /** Set when the queue is gone. */
  dropped: boolean;
  /** The sequence number that the next message gets. */
  nextSequence: number;
  readyCount: number;
  /** Sum of the body sizes of the ready messages. */
  readyBytes: number;
  unackedCount: number;
  unackedBytes: number;
  /** Messages up to here may have been delivered before an unclean stop: they are redelivered. */
  redeliveredUpTo: number;
  /** A delivery must not pass this number: the log holds the reservation, synced. */
  deliverableUpTo: number;
  /** The reservation under way, or `deliverableUpTo`. */
  reservedUpTo: number;
  /** Monotonic time of the last reservation, and what `nextSequence` was then: gives the queue's rate. */
  reservedAtMs: number;
  reservedAtSequence: number;
  /** How many were ready when the queue's share of a turn ended. Kept by deliver.ts. */
  readyLeft: number;
  /** How often messages have come back. */
  requeueCount: number;

  // The message that take() took.
  takenSequence: number;
  takenPosition: number;
  takenRedelivered: boolean;

  // What the log keeps here about its current batch (log.ts alone uses them).
  batchId: number;
  batchRow: number;
  /** Ranges settled in this turn and not yet in the log: first and last number in turn. */
  readonly settledRanges: number[];
  settledBytes: number;
  settleReason: number;

  /**
   * Unsettled messages whose bodies lie in files of their own: sequence number -> file number. Null while there are
   * none. Kept by message-store.ts, large-files.ts and recovery alone.
   */
  large: Map<number, number> | null;

  // For the rest of the storage alone.
  /** Where rows go that are not needed in memory; null: all stay. */
  home: ChunkHome | null;
  readonly rows: RowList;
  /** What the last base checkpoint holds, or null. */
  checkpointed: CheckpointedState | null;
  /** What {@link nextSequence} was when its home last saw it empty; 0: its home does not watch it (chunk-store.ts). */
  restedAt: number;

  /** The row at which the next message is taken; null: there is no row. */
  private cursor: IndexRow | null;
  private cursorEntry: number;
  /** The last row. */
  private tail: IndexRow | null;
  // Positions of the segment that the tail's last message lies in, and its triplet.
  private tailFrom: number;
  private tailTo: number;
  private tailTriplet: number;
  /** The row that was settled in last, and the same for the last message there. */
  private settling: IndexRow | null;
  private settleFrom: number;
  private settleTo: number;
  private settleTriplet: number;
  private requeued: SequenceHeap | null;

  constructor(number: number, durable: boolean) {
    this.number = number;
    this.durable = durable;
    this.dropped = false;
    this.nextSequence = 1;
    this.readyCount = 0;
    this.readyBytes = 0;
    this.unackedCount = 0;
    this.unackedBytes = 0;
    this.redeliveredUpTo = 0;
    this.deliverableUpTo = durable ? 0 : Number.MAX_SAFE_INTEGER;
    this.reservedUpTo = this.deliverableUpTo;
    this.reservedAtMs = 0;
    this.reservedAtSequence = 0;
    this.readyLeft = READY_LEFT_MAX;
    this.requeueCount = 0;
    this.takenSequence = 0;
    this.takenPosition = 0;
    this.takenRedelivered = false;
    this.batchId = 0;
    this.batchRow = 0;
    this.settledRanges = [];
    this.settledBytes = 0;
    this.settleReason = 0;
    this.large = null;
    this.home = null;
    this.rows = new RowList();
    this.checkpointed = null;
    this.restedAt = 0;
    this.cursor = null;
    this.cursorEntry = 0;
    this.tail = null;
    this.tailFrom = 0;
    this.tailTo = 0;
    this.tailTriplet = 0;
    this.settling = null;
    this.settleFrom = 0;
    this.settleTo = 0;
    this.settleTriplet = 0;
    this.requeued = null;
  }

  /** HOT per message and queue. Enters a message at the tail; returns its sequence number. */
  append(position: number, bodySize: number): number {
    const row = this.roomyTail();
    const sequence = this.nextSequence++;
    row.positions![row.count++] = position;
    row.live++;
    if (position < this.tailFrom || position >= this.tailTo) this.findTailSegment(row, position);
    const { segments } = row;
    segments[this.tailTriplet + 1]!++;
    segments[this.tailTriplet + 2]! += bodySize;
    this.readyCount++;
    this.readyBytes += bodySize;
    return sequence;
  }

  /** HOT per publish of a run. Enters the last piece of a run, which lies in one segment, at the tail. */
  appendRun(run: MessageRun): void {
    const { positions, pieceCount } = run;
    const first = positions[0]!;
    for (let at = 0; at < pieceCount; ) {
      const row = this.roomyTail();
      if (first < this.tailFrom || first >= this.tailTo) this.findTailSegment(row, first);
      const room = row.positions!;
      const count = Math.min(pieceCount - at, room.length - row.count);
      // Code that is not compiled yet takes a hundred times as long for a loop, and there may be a hundred queues.
      if (count > LOOKED_AT_MAX) room.set(positions.subarray(at, at + count), row.count);
      else for (let i = 0; i < count; i++) room[row.count + i] = positions[at + i]!;
      row.count += count;
      row.live += count;
      row.segments[this.tailTriplet + 1]! += count;
      row.segments[this.tailTriplet + 2]! += run.bodyBytes(at, count);
      this.nextSequence += count;
      at += count;
    }
    this.readyCount += pieceCount;
    this.readyBytes += run.pieceBytes;
  }

  /** Sequence number of the message that {@link take} would take; 0 when none is ready. HOT per delivery. */
  peekSequence(): number {
    const requeued = this.requeued;
    if (requeued !== null && requeued.size > 0) return requeued.topSequence();
    const row = this.cursor;
    if (row === null) return 0;
    const entry = this.cursorEntry;
    return entry < row.count && row.isUnsettled(entry) ? row.first + entry : this.skipToNext();
  }

  /**
   * Position of the message that {@link take} would take, only when one is ready; {@link NOT_LOADED} when its row has
   * to be read first ({@link ChunkHome.load}). HOT per delivery.
   */
  peekPosition(): number {
    const requeued = this.requeued;
    if (requeued !== null && requeued.size > 0) return requeued.topPosition();
    let row = this.cursor!;
    const entry = this.cursorEntry;
    if (entry >= row.count || !row.isUnsettled(entry)) {
      this.skipToNext();
      row = this.cursor!;
    }
    return row.positions === null ? NOT_LOADED : row.positions[this.cursorEntry]!;
  }

  /**
   * Takes the first ready message into `takenSequence`, `takenPosition` and `takenRedelivered`: it is
   * unacked from now on. `bodySize` is its body's size. Its position is in memory. HOT per delivery.
   */
  take(bodySize: number): void {
    const requeued = this.requeued;
    if (requeued !== null && requeued.size > 0) {
      this.takenSequence = requeued.topSequence();
      this.takenPosition = requeued.topPosition();
      this.takenRedelivered = true;
      requeued.pop();
    } else {
      this.takenPosition = this.peekPosition();
      this.takenSequence = this.cursor!.first + this.cursorEntry;
      this.takenRedelivered = this.takenSequence <= this.redeliveredUpTo;
      this.cursorEntry++;
    }
    this.readyCount--;
    this.readyBytes -= bodySize;
    this.unackedCount++;
    this.unackedBytes += bodySize;
  }

  /**
   * How many messages can be taken in a run: the next ones, one row's entries side by side, their positions in memory
   * from `runPositions[runFrom]` on. 0 where the next message must be taken by itself. HOT per run.
   */
  get runLength(): number {
    const row = this.cursor;
    if (row === null || row.positions === null) return 0;
    if (this.requeued !== null && this.requeued.size > 0) return 0;
    const from = this.cursorEntry;
    if (row.settledBits === null) return row.count - from;
    return row.nextSettled(from, Math.min(row.count, from + LOOKED_AT_MAX)) - from;
  }

  get runPositions(): Float64Array {
    return this.cursor!.positions!;
  }

  get runFrom(): number {
    return this.cursorEntry;
  }

  /** Takes `count` messages with bodies of `bodyBytes` in all, of those that {@link runLength} counts. HOT per run. */
  takeRun(count: number, bodyBytes: number): void {
    this.cursorEntry += count;
    this.takenSequence = this.cursor!.first + this.cursorEntry - 1;
    this.readyCount -= count;
    this.readyBytes -= bodyBytes;
    this.unackedCount += count;
    this.unackedBytes += bodyBytes;
  }

  /** Ends the message `sequence`, which was taken. HOT per ack. */
  settle(sequence: number, position: number, bodySize: number): void {
    this.settleRun(sequence, 1, position, bodySize);
  }

  /**
   * Ends `count` messages that were taken: entries of one row from `sequence` on, in the segment of `position`, with
   * bodies of `bodyBytes` in all. HOT per run.
   */
  settleRun(sequence: number, count: number, position: number, bodyBytes: number): void {
    this.unackedCount -= count;
    this.unackedBytes -= bodyBytes;
    this.erase(sequence, count, position, bodyBytes);
  }

  /** How many messages from `sequence` on, which is not settled, lie in its row. */
  rowSpan(sequence: number): number {
    const row = this.settlingRow(sequence);
    return row.first + row.count - sequence;
  }

  /** Puts a taken message back to its original place; returns how often it has been delivered. */
  requeue(sequence: number, position: number, bodySize: number): number {
    this.unackedCount--;
    this.unackedBytes -= bodySize;
    this.readyCount++;
    this.readyBytes += bodySize;
    this.requeueCount++;
    this.requeued ??= new SequenceHeap();
    this.requeued.push(sequence, position, bodySize);
    const row = this.rowOf(sequence);
    row.returns ??= new ReturnCounts(this.rowEntries);
    const count = row.returns.get(sequence - row.first) + 1;
    row.returns.set(sequence - row.first, count);
    return count;
  }

  /**
   * Drops all ready messages; unacked ones stay. `sink` is told of every reference given up. Costs no look at a
   * position but in the cursor's row and where something is not yet written.
   *
   * @returns the number of messages dropped.
   */
  purgeReady(sink: ReferenceSink): number {
    const count = this.readyCount;
    if (count === 0) return 0;
    this.requeued?.forEach((sequence, position, size) => {
      this.readyBytes -= size;
      sink.release(position, size);
      this.erase(sequence, 1, position, size);
    });
    this.requeued = null;
    const { cursor } = this;
    if (cursor !== null) {
      const at = this.indexOf(cursor);
      for (let behind = at + 1; behind < this.rows.length; behind++) {
        const row = this.rows.view(behind)!;
        this.readyBytes -= row.bytes;
        releaseRow(row, sink);
        this.forgetRow(row);
      }
      this.rows.truncate(at + 1);
      this.tail = cursor;
      this.tailFrom = this.tailTo;
      this.settling = null;
      releaseReady(cursor, this.cursorEntry, this.readyBytes, this.rowEntries, sink);
      this.cursorEntry = cursor.count;
      if (cursor.live === 0) this.rowFinished(cursor);
    }
    this.readyCount = 0;
    this.readyBytes = 0;
    return count;
  }

  /** Ends a message that was never taken; false: it was. Its row is in memory. */
  dropReady(sequence: number, position: number, bodySize: number): boolean {
    const { cursor } = this;
    if (cursor === null || sequence < cursor.first + this.cursorEntry) return false;
    this.readyCount--;
    this.readyBytes -= bodySize;
    this.erase(sequence, 1, position, bodySize);
    return true;
  }

  /** The queue is gone: gives up every reference and lets go of all memory. */
  drop(sink: ReferenceSink): void {
    for (const row of this.rows.views()) releaseRow(row, sink);
    this.clear();
  }

  /** Lets go of all memory. */
  clear(): void {
    this.dropped = true;
    this.readyCount = 0;
    this.readyBytes = 0;
    this.unackedCount = 0;
    this.unackedBytes = 0;
    for (const row of this.rows.views()) this.forgetRow(row);
    this.rows.truncate(0);
    this.cursor = null;
    this.tail = null;
    this.settling = null;
    this.requeued = null;
  }

  /**
   * Every message not settled, ascending by sequence number. Reads rows that lie on disk, waiting for them: for
   * recovery and tests.
   */
  forEachUnsettled(visit: UnsettledVisitor): void {
    for (let at = 0; at < this.rows.length; at++) {
      const row = this.rows.at(at)!;
      if (row.live === 0) continue;
      const positions = this.positionsOf(row);
      let entry = row.nextUnsettled(0);
      for (; entry < row.count; entry = row.nextUnsettled(entry + 1)) {
        visit(row.first + entry, positions[entry]!);
      }
      this.pack(row);
    }
  }

  /** Ranges (first, last in turn) of all that is not settled. */
  unsettledRanges(): number[] {
    const ranges: number[] = [];
    for (const row of this.rows.views()) {
      for (let entry = row.nextUnsettled(0); entry < row.count; ) {
        const end = row.nextSettled(entry, row.count);
        const first = row.first + entry;
        if (ranges[ranges.length - 1] === first - 1)
          ranges[ranges.length - 1] = row.first + end - 1;
        else ranges.push(first, row.first + end - 1);
        entry = row.nextUnsettled(end);
      }
    }
    return ranges;
  }

  /** Whether the message is in the queue, ready or unacked. */
  isUnsettled(sequence: number): boolean {
    const row = this.rows.view(this.findRow(sequence));
    const entry = row === undefined ? -1 : sequence - row.first;
    return entry >= 0 && entry < row!.count && row!.isUnsettled(entry);
  }

  /** Position of an unsettled message, or -1. Reads its row, waiting, when it lies on disk: for recovery and tests. */
  positionOf(sequence: number): number {
    if (!this.isUnsettled(sequence)) return -1;
    const row = this.rowOf(sequence);
    return this.positionsOf(row)[sequence - row.first]!;
  }

  /** The body of message `sequence` lies in file `file`. */
  noteLarge(sequence: number, file: number): void {
    this.large ??= new Map();
    this.large.set(sequence, file);
  }

  /** The file of message `sequence`, which is then forgotten, or -1. */
  takeLarge(sequence: number): number {
    const file = this.large?.get(sequence) ?? -1;
    if (file >= 0) this.large?.delete(sequence);
    if (this.large?.size === 0) this.large = null;
    return file;
  }

  /** Forgets the files of messages that are settled; recovery only. */
  forgetSettledLarge(): void {
    for (const sequence of [...(this.large?.keys() ?? [])]) {
      if (!this.isUnsettled(sequence)) this.takeLarge(sequence);
    }
  }

  /** How often the message was delivered and came back. */
  deliveryCount(sequence: number): number {
    const row = this.rows.view(this.findRow(sequence));
    const entry = row === undefined ? -1 : sequence - row.first;
    return entry >= 0 && entry < row!.count ? (row!.returns?.get(entry) ?? 0) : 0;
  }

  /** Delivery counts of messages that came back: number and count in turn. */
  deliveryCountEntries(): number[] {
    const entries: number[] = [];
    for (const row of this.rows.views()) {
      row.returns?.forEach((entry, count) => {
        entries.push(row.first + entry, count);
      });
    }
    return entries;
  }

  /** Entries of a full row. */
  get rowEntries(): number {
    return this.home === null ? ROW_ENTRIES : this.home.rowEntries;
  }

  /** The row at which the next message is taken. */
  get cursorRow(): IndexRow | null {
    return this.cursor;
  }

  /** Index of the row that would hold `sequence`: the last one that starts at or before it. */
  findRow(sequence: number): number {
    const { rows } = this;
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows.first(middle) <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Index of a row that is in the index. */
  indexOf(row: IndexRow): number {
    return this.findRow(row.first);
  }

  /** The row of an entry in use. @throws Error when there is none */
  rowOf(sequence: number): IndexRow {
    const row = this.rows.at(this.findRow(sequence));
    if (row === undefined || sequence < row.first || sequence >= row.first + row.count) {
      throw new Error(`sequence number ${sequence} is not in the index`);
    }
    return row;
  }

  /** Adds a row behind all others; recovery only. */
  adoptRow(row: IndexRow): void {
    const before = this.tail;
    this.rows.push(row);
    this.tail = row;
    if (before !== null) this.pack(before);
    this.tailFrom = this.tailTo;
    this.cursor ??= row;
  }

  /** The tail's triplets were changed; recovery only. */
  forgetTailSegment(): void {
    this.tailFrom = this.tailTo;
  }

  /** Enters a number at the tail that has left already; recovery only. */
  enterSettled(row: IndexRow): void {
    if (row.count === row.positions!.length) {
      this.grow(row, Math.min(this.rowEntries, 2 * row.count));
    }
    row.positions![row.count] = 0;
    row.count++;
    row.mark(row.count - 1, this.rowEntries);
  }

  /** Positions of a row, read from disk, waiting, where they are not in memory. */
  positionsOf(row: IndexRow): Float64Array {
    return row.positions ?? this.home!.readNow(this, row);
  }

  /** Packs a row that has nothing in memory, unless cursor or tail stand on it or somebody holds it. */
  pack(row: IndexRow): void {
    if (row === this.cursor || row === this.tail || row.isGone) return;
    if (this.rows.pack(this.indexOf(row)) && row === this.settling) this.settling = null;
  }

  /** A row whose last entry was settled leaves the index, unless cursor or tail still need it. */
  rowFinished(row: IndexRow): void {
    if (row === this.tail) {
      this.home?.freeSlot(this, row);
      if (row.positions !== null && row.positions.length > ENTRIES_KEPT) this.home?.rested(this);
      return;
    }
    if (row === this.cursor) return;
    this.rows.remove(this.indexOf(row));
    this.forgetRow(row);
    this.settling = null;
  }

  /** Gives the array of an empty queue back; false: it is not empty. */
  shrink(): boolean {
    const { tail } = this;
    if (tail === null || tail.live > 0 || tail !== this.cursor) return false;
    this.home?.letGo(tail);
    return true;
  }

  // --- inside ----------------------------------------------------------------------------------

  /** Takes unsettled messages out: a run as {@link settleRun} has it. */
  private erase(sequence: number, count: number, position: number, bodyBytes: number): void {
    const row = this.settlingRow(sequence);
    const entry = sequence - row.first;
    if (entry === row.settledPrefix && row.settledBits === null) row.settledPrefix += count;
    else this.mark(row, entry, count);
    if (row.returns !== null) for (let i = 0; i < count; i++) row.returns.delete(entry + i);
    if (position < this.settleFrom || position >= this.settleTo) {
      this.findSettleSegment(row, position);
    }
    const { segments } = row;
    segments[this.settleTriplet + 1]! -= count;
    segments[this.settleTriplet + 2]! -= bodyBytes;
    row.live -= count;
    if (row.live === 0) this.rowFinished(row);
  }

  private mark(row: IndexRow, entry: number, count: number): void {
    for (let i = entry; i < entry + count; i++) {
      if (!row.mark(i, this.rowEntries)) {
        throw new Error(`sequence number ${row.first + i} is settled already`);
      }
    }
  }

  private settlingRow(sequence: number): IndexRow {
    const last = this.settling;
    if (last !== null && sequence >= last.first && sequence < last.first + last.count) return last;
    const row = this.rowOf(sequence);
    this.settling = row;
    this.settleFrom = 0;
    this.settleTo = 0;
    return row;
  }

  private findTailSegment(row: IndexRow, position: number): void {
    const segment = segmentOf(position);
    this.tailFrom = segment * SEGMENT_SPAN;
    this.tailTo = this.tailFrom + SEGMENT_SPAN;
    this.tailTriplet = row.triplet(segment);
  }

  private findSettleSegment(row: IndexRow, position: number): void {
    const segment = segmentOf(position);
    this.settleFrom = segment * SEGMENT_SPAN;
    this.settleTo = this.settleFrom + SEGMENT_SPAN;
    this.settleTriplet = row.triplet(segment);
  }

  /** Moves the cursor to the next entry that is not settled; its sequence number, or 0. */
  private skipToNext(): number {
    for (;;) {
      const row = this.cursor;
      if (row === null) return 0;
      const entry = row.nextUnsettled(this.cursorEntry);
      this.cursorEntry = entry;
      if (entry < row.count) return row.first + entry;
      // The cursor stays at the end of the last row, where the next message will be entered.
      if (row === this.tail) return 0;
      const at = this.indexOf(row);
      this.cursor = this.rows.at(at + 1)!;
      this.cursorEntry = 0;
      if (row.live === 0) this.rowFinished(row);
      this.home?.cursorMoved(this);
    }
  }

  /** HOT per publish. The row that takes the next message. */
  private roomyTail(): IndexRow {
    const { tail, nextSequence } = this;
    return tail === null ||
      tail.positions === null ||
      tail.count === tail.positions.length ||
      nextSequence !== tail.first + tail.count
      ? this.makeRoom(nextSequence)
      : tail;
  }

  /** The tail with room for `sequence`. */
  private makeRoom(sequence: number): IndexRow {
    const { tail } = this;
    if (tail !== null && tail.positions !== null && sequence === tail.first + tail.count) {
      if (tail.count < this.rowEntries) {
        this.grow(tail, Math.min(this.rowEntries, 2 * tail.positions.length));
        return tail;
      }
    }
    if (tail !== null && tail.live === 0 && tail === this.cursor) this.restart(tail, sequence);
    else this.addRow(sequence, tail?.count === this.rowEntries ? this.rowEntries : ENTRIES_FIRST);
    return this.tail!;
  }

  private addRow(first: number, entries: number): void {
    const row = new IndexRow(first);
    this.grow(row, Math.min(entries, this.rowEntries));
    this.rows.push(row);
    this.tail = row;
    this.tailFrom = this.tailTo;
    this.cursor ??= row;
    this.home?.rowClosed(this);
  }

  /** Uses the only row, of which nothing is left, for the numbers from `first` on. */
  private restart(row: IndexRow, first: number): void {
    this.home?.freeSlot(this, row);
    row.first = first;
    row.count = 0;
    row.settledPrefix = 0;
    row.settledBits = null;
    row.segments.length = 0;
    row.returns = null;
    row.stored = 0;
    this.cursorEntry = 0;
    this.tailFrom = this.tailTo;
    this.settling = null;
    if (row.positions === null) this.grow(row, Math.min(ENTRIES_FIRST, this.rowEntries));
  }

  private grow(row: IndexRow, entries: number): void {
    const { home } = this;
    const isFull = entries === this.rowEntries && home !== null;
    const positions = isFull ? home.takeArray() : new Float64Array(entries);
    if (home !== null && !isFull) home.chunkBytes += positions.byteLength;
    if (row.positions !== null) {
      positions.set(row.positions.subarray(0, row.count));
      if (home !== null) home.chunkBytes -= row.positions.byteLength;
    }
    row.positions = positions;
  }

  private forgetRow(row: IndexRow): void {
    row.isGone = true;
    if (this.home === null) return;
    this.home.freeSlot(this, row);
    this.home.letGo(row);
  }
}
