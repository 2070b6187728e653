/**
 * @hot The index of one queue: sequence number -> position, for every message not yet settled.
 *
 *     chunks    [ 1 .. 8192 ][ 8193 .. 16384 ][ 20000 .. 20100 ]      ascending, gaps between allowed
 *                    ^ cursor: everything before it was taken at least once
 *     requeued  heap of (sequence number, position): taken, came back, leaves before the cursor
 *
 * - Sequence numbers are given out in order, never twice. Order, requeues and purges go by them, never by
 *   position: a replayed message has an old position and a new place.
 * - A chunk's entry is a position, or -1 once settled. Ready = from the cursor on, and the heap; unacked = the
 *   rest. A chunk goes when its last entry is settled.
 * - An empty queue owns no array; the first chunk starts with 16 entries and doubles.
 *
 * It owns numbers only: live counters and log records are kept by message-store.ts, which calls it.
 * Bench: micro/queue-index.
 */
import { SequenceHeap } from '../base/sequence-heap.ts';

/** Entries of a full chunk. */
const CHUNK_ENTRIES = 8192;
const CHUNK_ENTRIES_FIRST = 16;
const SETTLED = -1;

/** A run of consecutive sequence numbers. */
class IndexChunk {
  /** Sequence number of entry 0. */
  first: number;
  /** Entries in use. */
  count: number;
  /** Entries not settled. */
  live: number;
  positions: Float64Array;

  constructor(first: number, capacity: number) {
    this.first = first;
    this.count = 0;
    this.live = 0;
    this.positions = new Float64Array(capacity);
  }
}

/** One message as {@link QueueIndex.forEachUnsettled} shows it. */
export type UnsettledVisitor = (sequence: number, position: number) => void;

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

  private readonly chunks: IndexChunk[];
  private cursorChunk: number;
  private cursorEntry: number;
  private settleChunk: number;
  private requeued: SequenceHeap | null;
  /** How often messages that came back had been delivered. */
  private deliveryCounts: Map<number, number> | null;

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
    this.takenSequence = 0;
    this.takenPosition = 0;
    this.takenRedelivered = false;
    this.batchId = 0;
    this.batchRow = 0;
    this.settledRanges = [];
    this.settledBytes = 0;
    this.settleReason = 0;
    this.large = null;
    this.chunks = [];
    this.cursorChunk = 0;
    this.cursorEntry = 0;
    this.settleChunk = 0;
    this.requeued = null;
    this.deliveryCounts = null;
  }

  /** HOT per message and queue. Enters a message at the tail; returns its sequence number. */
  append(position: number, bodySize: number): number {
    const sequence = this.nextSequence++;
    const chunks = this.chunks;
    let chunk = chunks.length === 0 ? this.addChunk(sequence) : chunks[chunks.length - 1]!;
    if (sequence !== chunk.first + chunk.count || chunk.count === CHUNK_ENTRIES) {
      chunk = this.addChunk(sequence);
    } else if (chunk.count === chunk.positions.length) {
      grow(chunk);
    }
    chunk.positions[chunk.count++] = position;
    chunk.live++;
    this.readyCount++;
    this.readyBytes += bodySize;
    return sequence;
  }

  /** Sequence number of the message that {@link take} would take; 0 when none is ready. */
  peekSequence(): number {
    const requeued = this.requeued;
    if (requeued !== null && requeued.size > 0) return requeued.topSequence();
    const chunk = this.chunks[this.cursorChunk];
    if (chunk === undefined) return 0;
    const entry = this.cursorEntry;
    const isReady = entry < chunk.count && chunk.positions[entry]! >= 0;
    return isReady ? chunk.first + entry : this.skipToNext();
  }

  /** Position of the message that {@link take} would take; only when one is ready. HOT per delivery. */
  peekPosition(): number {
    const requeued = this.requeued;
    if (requeued !== null && requeued.size > 0) return requeued.topPosition();
    const chunk = this.chunks[this.cursorChunk];
    if (chunk !== undefined && this.cursorEntry < chunk.count) {
      const position = chunk.positions[this.cursorEntry]!;
      if (position >= 0) return position;
    }
    this.skipToNext();
    return this.chunks[this.cursorChunk]!.positions[this.cursorEntry]!;
  }

  /**
   * Takes the first ready message into `takenSequence`, `takenPosition` and `takenRedelivered`: it is
   * unacked from now on. `bodySize` is its body's size. HOT per delivery.
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
      this.takenSequence = this.chunks[this.cursorChunk]!.first + this.cursorEntry;
      this.takenRedelivered = this.takenSequence <= this.redeliveredUpTo;
      this.cursorEntry++;
    }
    this.readyCount--;
    this.readyBytes -= bodySize;
    this.unackedCount++;
    this.unackedBytes += bodySize;
  }

  /** Ends the message `sequence`, which was taken. HOT per ack. */
  settle(sequence: number, bodySize: number): void {
    this.unackedCount--;
    this.unackedBytes -= bodySize;
    if (this.deliveryCounts !== null) this.deliveryCounts.delete(sequence);
    this.eraseEntry(sequence);
  }

  /** Puts a taken message back to its original place; returns how often it has been delivered. */
  requeue(sequence: number, position: number, bodySize: number): number {
    this.unackedCount--;
    this.unackedBytes -= bodySize;
    this.readyCount++;
    this.readyBytes += bodySize;
    this.requeued ??= new SequenceHeap();
    this.requeued.push(sequence, position);
    this.deliveryCounts ??= new Map();
    const count = (this.deliveryCounts.get(sequence) ?? 0) + 1;
    this.deliveryCounts.set(sequence, count);
    return count;
  }

  /**
   * Drops all ready messages; unacked ones stay. `visit` sees the position of each.
   *
   * @returns the number of messages dropped.
   */
  purgeReady(visit: (position: number) => void): number {
    const count = this.readyCount;
    const requeued = this.requeued;
    while (requeued !== null && requeued.size > 0) {
      const sequence = requeued.topSequence();
      visit(requeued.topPosition());
      requeued.pop();
      this.deliveryCounts?.delete(sequence);
      this.eraseEntry(sequence);
    }
    for (let sequence = this.skipToNext(); sequence !== 0; sequence = this.skipToNext()) {
      visit(this.peekPosition());
      this.cursorEntry++;
      this.eraseEntry(sequence);
    }
    this.readyCount = 0;
    this.readyBytes = 0;
    return count;
  }

  /** Every message not settled, ascending by sequence number. */
  forEachUnsettled(visit: UnsettledVisitor): void {
    for (const chunk of this.chunks) {
      for (let i = 0; i < chunk.count; i++) {
        const position = chunk.positions[i]!;
        if (position >= 0) visit(chunk.first + i, position);
      }
    }
  }

  /**
   * The index as it lies in memory, for a checkpoint: runs of consecutive sequence numbers, each with the
   * positions from its first one on, -1 where settled. `positions` is borrowed.
   */
  forEachRun(visit: (first: number, positions: Float64Array) => void): void {
    for (const chunk of this.chunks) {
      if (chunk.live > 0) visit(chunk.first, chunk.positions.subarray(0, chunk.count));
    }
  }

  /** Ranges (first, last in turn) of all that is not settled. */
  unsettledRanges(): number[] {
    const ranges: number[] = [];
    this.forEachUnsettled((sequence) => {
      if (ranges[ranges.length - 1] === sequence - 1) ranges[ranges.length - 1] = sequence;
      else ranges.push(sequence, sequence);
    });
    return ranges;
  }

  /** The queue is gone: lets go of all memory. */
  clear(): void {
    this.dropped = true;
    this.readyCount = 0;
    this.readyBytes = 0;
    this.chunks.length = 0;
    this.requeued = null;
    this.deliveryCounts = null;
  }

  /** How often the message was delivered and came back. */
  deliveryCount(sequence: number): number {
    return this.deliveryCounts?.get(sequence) ?? 0;
  }

  /** Delivery counts of messages that came back, for a checkpoint: number and count in turn. */
  deliveryCountEntries(): number[] {
    const entries: number[] = [];
    this.deliveryCounts?.forEach((count, sequence) => {
      entries.push(sequence, count);
    });
    return entries;
  }

  /** Remembers that a message was delivered before and came back; recovery only. */
  restoreDeliveryCount(sequence: number, count: number): void {
    this.deliveryCounts ??= new Map();
    this.deliveryCounts.set(sequence, count);
  }

  /** Enters a message under a given number, higher than all before it; recovery only. */
  restore(sequence: number, position: number): void {
    this.nextSequence = sequence;
    const last = this.chunks[this.chunks.length - 1];
    if (last !== undefined) fillHole(last, sequence);
    this.append(position, 0);
  }

  /** Position of an unsettled message, or -1. Not on a hot path. */
  positionOf(sequence: number): number {
    const chunk = this.chunks[this.findChunk(sequence)];
    if (chunk === undefined) return SETTLED;
    const entry = sequence - chunk.first;
    return entry >= 0 && entry < chunk.count ? chunk.positions[entry]! : SETTLED;
  }

  /** Whether the message is still in the queue, ready or unacked. */
  isUnsettled(sequence: number): boolean {
    return this.positionOf(sequence) >= 0;
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

  /** Removes a message that is still ready; recovery only. False when it was settled already. */
  discard(sequence: number): boolean {
    if (this.positionOf(sequence) === SETTLED) return false;
    this.readyCount--;
    this.deliveryCounts?.delete(sequence);
    this.eraseEntry(sequence);
    return true;
  }

  /**
   * After recovery: everything unsettled is ready, `bytes` in all. Deliveries go in order, so all that
   * stands before a message that had come back was delivered as well.
   */
  finishRecovery(bytes: number): void {
    this.readyBytes = bytes;
    this.deliveryCounts?.forEach((_count, sequence) => {
      this.redeliveredUpTo = Math.max(this.redeliveredUpTo, sequence);
    });
  }

  /** Moves the cursor to the next entry that is not settled; its sequence number, or 0. */
  private skipToNext(): number {
    const chunks = this.chunks;
    for (;;) {
      const chunk = chunks[this.cursorChunk];
      if (chunk === undefined) return 0;
      while (this.cursorEntry < chunk.count) {
        if (chunk.positions[this.cursorEntry]! >= 0) return chunk.first + this.cursorEntry;
        this.cursorEntry++;
      }
      // The cursor stays at the end of the last chunk, where the next message will be entered.
      if (this.cursorChunk + 1 >= chunks.length) return 0;
      if (chunk.live > 0) {
        this.cursorChunk++;
      } else {
        chunks.splice(this.cursorChunk, 1);
        this.settleChunk = 0;
      }
      this.cursorEntry = 0;
    }
  }

  private eraseEntry(sequence: number): void {
    let at = this.settleChunk;
    let chunk = this.chunks[at];
    if (chunk === undefined || sequence < chunk.first || sequence >= chunk.first + chunk.count) {
      at = this.findChunk(sequence);
      this.settleChunk = at;
      chunk = this.chunks[at];
      if (chunk === undefined) throw new Error(`sequence number ${sequence} is not in the index`);
    }
    const entry = sequence - chunk.first;
    if (entry >= chunk.count || chunk.positions[entry] === SETTLED) {
      throw new Error(`sequence number ${sequence} is settled already`);
    }
    chunk.positions[entry] = SETTLED;
    chunk.live--;
    if (chunk.live === 0) this.dropIfFinished(at, chunk);
  }

  /** Frees a chunk without live entries that the cursor has left behind, or empties the last one. */
  private dropIfFinished(at: number, chunk: IndexChunk): void {
    const isLast = at === this.chunks.length - 1;
    if (at > this.cursorChunk || (at === this.cursorChunk && this.cursorEntry < chunk.count))
      return;
    if (isLast) {
      chunk.first = this.nextSequence;
      chunk.count = 0;
      this.cursorEntry = 0;
      return;
    }
    this.chunks.splice(at, 1);
    this.settleChunk = 0;
    if (at < this.cursorChunk) this.cursorChunk--;
    else this.cursorEntry = 0;
  }

  /** The chunk that would hold `sequence`: the last one that starts at or before it. */
  private findChunk(sequence: number): number {
    const chunks = this.chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (chunks[middle]!.first <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private addChunk(first: number): IndexChunk {
    const chunks = this.chunks;
    const last = chunks[chunks.length - 1];
    if (last !== undefined && last.live === 0 && this.cursorChunk === chunks.length - 1) {
      last.first = first;
      last.count = 0;
      this.cursorEntry = 0;
      return last;
    }
    const chunk = new IndexChunk(first, last === undefined ? CHUNK_ENTRIES_FIRST : CHUNK_ENTRIES);
    chunks.push(chunk);
    return chunk;
  }
}

/** Numbers left out before `sequence` count as settled where they fit the chunk: a hole needs no new one. */
function fillHole(chunk: IndexChunk, sequence: number): void {
  if (sequence - chunk.first >= CHUNK_ENTRIES) return;
  while (chunk.first + chunk.count < sequence) {
    if (chunk.count === chunk.positions.length) grow(chunk);
    chunk.positions[chunk.count++] = SETTLED;
  }
}

function grow(chunk: IndexChunk): void {
  const positions = new Float64Array(Math.min(CHUNK_ENTRIES, 2 * chunk.positions.length));
  positions.set(chunk.positions);
  chunk.positions = positions;
}
