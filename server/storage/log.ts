/**
 * @hot The log of a vhost: batches appended in memory, written with one write, synced by one group sync.
 *
 *     ... | batch | batch | batch | batch (open) ...
 *                 ^       ^       ^
 *       durableUpTo  writtenUpTo  end
 *
 * - A record is laid into the open batch; the batch is closed at the end of the turn, or at 64 KiB.
 * - Closed batches wait to be written until somebody waits for the disk, 1 MiB has come together or 5 ms have
 *   passed. A batch whose messages have all left their queues by then, and whose operations concern
 *   only such messages, is never written: a gap header holds its place.
 * - `durableUpTo` is the only source of "this is on stable storage". A sync counts from where it began.
 * - After a failed write or sync nothing is durable any more (`failure` is set): no confirm leaves.
 *
 * It knows positions, route sets and the index's batch fields; not what a queue is. Benches: scenario
 * throughput, micro/log.
 */
import type { Clock } from '../base/clock.ts';
import {
  BATCH_HEADER_SIZE,
  CHECKSUM_SIZE,
  encodeGap,
  FOOTER_ROW_SIZE,
  SEGMENT_HEADER_SIZE,
  sealBatch,
} from './batch-format.ts';
import type { FileSystem } from './fs.ts';
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import { offsetOf, positionAt, SEGMENT_SPAN, segmentOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import type { MessageParts } from './record-format.ts';
import {
  DELIVERABLE_SIZE,
  sizeOfDefinition,
  sizeOfMessage,
  sizeOfPurge,
  sizeOfRequeue,
  sizeOfSettle,
  writeDefinition,
  writeDeliverable,
  writeMessage,
  writePurge,
  writeRequeue,
  writeSettle,
} from './record-format.ts';
import type { RouteSet } from './route-set.ts';
import { Segment } from './segment.ts';
import { StorageError } from './storage-error.ts';

/** A batch is closed when its records reach this many bytes. */
const BATCH_TARGET_BYTES = 64 * 1024;
/** A new segment begins when a batch would end behind this offset. */
const SEGMENT_TARGET_BYTES = 32 * 1024 * 1024;
/** Closed batches are written when this many bytes have come together ... */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;
/** ... or the oldest of them has waited this long. */
const UNWRITTEN_MS_MAX = 5;
/** Written batches stay readable in memory up to this many bytes. */
const RETAINED_BYTES = 4 * 1024 * 1024;
/** A sync begins when this many bytes are written and not synced, even where nobody waits. */
const UNSYNCED_BYTES_MAX = 32 * 1024 * 1024;
/** Ranges of one queue that may come together before they become a record. */
const SETTLED_RANGES_MAX = 2048;
/** Empty footer: the count of route sets. */
const FOOTER_BASE_SIZE = 4;

/** Told when more of the log became durable; it looks at {@link MessageLog.durableUpTo} itself. */
export interface DurabilityWaiter {
  /** @returns true when it waits no longer. */
  durableAdvanced(): boolean;
}

/** A file that a sync of the log must take along. */
export interface SyncCompanion {
  datasync(): Promise<void>;
}

/** What the log tells its owner. */
export interface LogEvents {
  /** Something waits for {@link MessageLog.endTurn}. May be called often. */
  turnNeeded(): void;
  /** Waiters were served: output may wait to be flushed. */
  durable(): void;
  /** A write or sync failed; the log accepts nothing more. */
  failed(error: StorageError): void;
}

/** Where the log goes on after recovery. */
export interface LogResumption {
  /** Segments found on disk, ascending, with their live counters not yet filled in. */
  readonly segments: readonly Segment[];
  /** Number of the segment that the log begins with: above all that exist. */
  readonly nextSegment: number;
  /** Where the log on disk ends; 0 where there is none. */
  readonly previousEnd: number;
}

/** A closed batch that was not written yet. */
interface UnwrittenBatch {
  readonly block: MemoryBlock;
  readonly segment: Segment;
  readonly start: number;
  readonly end: number;
  live: number;
  /** It must go to the file. */
  isNeeded: boolean;
  /** The lowest position of a message that its settle records concern. */
  readonly operationsFrom: number;
}

/** The append-only log of one vhost. Positions are as in position.ts. */
export class MessageLog {
  /** Position behind the last closed batch. */
  end: number;
  /** All before it is in the file, or a gap. */
  writtenUpTo: number;
  /** All before it survives the loss of power, as far as anybody still needs it. */
  durableUpTo: number;
  /** Bytes appended since the owner last set it to 0. */
  appendedBytes: number;
  /** The failure that stopped the log, or null. */
  failure: StorageError | null;
  /** The open batch; a route set with another id must be entered anew. 1 is the first. */
  batchId: number;
  readonly segments: Map<number, Segment>;

  private readonly fs: FileSystem;
  private readonly directory: string;
  private readonly pool: BlockPool;
  private readonly clock: Clock;
  private readonly events: LogEvents;

  private segment: Segment;
  /** The segment that {@link release} touched last. */
  private releaseSegment: Segment;
  /** Holds the open batch. Null while the log is idle. */
  private block: MemoryBlock | null;
  /** Offset in the block at which the open batch starts; -1: no open batch. */
  private batchAt: number;
  /** Offset in the block behind the last record. */
  private at: number;
  /** A record that would end behind this offset needs another batch or block. */
  private limit: number;
  private batchLive: number;
  private batchMustWrite: boolean;
  private batchOperationsFrom: number;
  private readonly rowNumbers: number[];
  private readonly rowFirsts: number[];
  private readonly setRows: number[];
  private setCount: number;

  private readonly unwritten: UnwrittenBatch[];
  private unwrittenBytes: number;
  private unwrittenSinceMs: number;
  private readonly retained: MemoryBlock[];
  private retainedBytes: number;
  /** First position of the batches left unwritten whose gap header is still to be written; -1: none. */
  private gapFrom: number;
  private gapUpTo: number;
  private gapSegment: Segment;
  /** End of the last batch that really went to a file. */
  private writtenForReal: number;
  /** The files hold, synced, all before it: gaps too. */
  private stableUpTo: number;
  private unsyncedBytes: number;
  private readonly unsynced: Set<Segment>;
  private directoryUnsynced: boolean;
  private companions: SyncCompanion[];

  private readonly waiters: Set<DurabilityWaiter>;
  private waitUntil: number;
  private syncing: boolean;
  /** The sync under way, or the last one. */
  private syncEnded: Promise<void>;
  private flushTimer: NodeJS.Timeout | null;
  private closed: boolean;
  private readonly settledIndexes: QueueIndex[];
  private settledFrom: number;

  constructor(
    fs: FileSystem,
    directory: string,
    pool: BlockPool,
    clock: Clock,
    events: LogEvents,
    resumption: LogResumption,
  ) {
    this.fs = fs;
    this.directory = directory;
    this.pool = pool;
    this.clock = clock;
    this.events = events;
    this.segments = new Map(resumption.segments.map((segment) => [segment.number, segment]));
    this.segment = this.newSegment(resumption.nextSegment, resumption.previousEnd);
    this.releaseSegment = this.segment;
    this.end = positionAt(this.segment.number, SEGMENT_HEADER_SIZE);
    this.writtenUpTo = this.end;
    this.durableUpTo = this.end;
    this.appendedBytes = 0;
    this.failure = null;
    this.batchId = 1;
    this.block = null;
    this.batchAt = -1;
    this.at = 0;
    this.limit = 0;
    this.batchLive = 0;
    this.batchMustWrite = false;
    this.batchOperationsFrom = Number.POSITIVE_INFINITY;
    this.rowNumbers = [];
    this.rowFirsts = [];
    this.setRows = [];
    this.setCount = 0;
    this.unwritten = [];
    this.unwrittenBytes = 0;
    this.unwrittenSinceMs = 0;
    this.retained = [];
    this.retainedBytes = 0;
    this.gapFrom = -1;
    this.gapUpTo = -1;
    this.gapSegment = this.segment;
    this.writtenForReal = this.end;
    this.stableUpTo = this.end;
    this.unsyncedBytes = 0;
    this.unsynced = new Set();
    this.directoryUnsynced = false;
    this.companions = [];
    this.waiters = new Set();
    this.waitUntil = 0;
    this.syncing = false;
    this.syncEnded = Promise.resolve();
    this.flushTimer = null;
    this.closed = false;
    this.settledIndexes = [];
    this.settledFrom = Number.POSITIVE_INFINITY;
  }

  // --- appending -------------------------------------------------------------------------------

  /**
   * HOT per publish. Appends a message for the queues of `set`; returns its position. The copy into the
   * block is the only one the message sees before a delivery.
   *
   * @throws StorageError when the log has failed.
   */
  append(message: MessageParts, set: RouteSet): number {
    const size = sizeOfMessage(message);
    if (set.batchId !== this.batchId || this.at + size > this.limit) this.prepare(size, set);
    const block = this.block!;
    const at = this.at;
    const end = writeMessage(block.area, at, message, set.indexInBatch, this.ageMs());
    this.at = end;
    block.used = end;
    this.batchLive += set.references;
    this.segment.live += set.references;
    return block.start + at;
  }

  /** HOT per ack. The message at `position` left the queue of `index` for good. */
  settle(
    index: QueueIndex,
    sequence: number,
    position: number,
    bodySize: number,
    reason: number,
  ): void {
    const ranges = index.settledRanges;
    const length = ranges.length;
    if (position < this.settledFrom) this.settledFrom = position;
    if (length === 0) {
      this.settledIndexes.push(index);
      if (this.settledIndexes.length === 1) this.events.turnNeeded();
    } else if (index.settleReason !== reason || length >= 2 * SETTLED_RANGES_MAX) {
      this.writeSettledOf(index);
    }
    index.settleReason = reason;
    index.settledBytes += bodySize;
    const last = ranges.length - 1;
    if (last > 0 && ranges[last] === sequence - 1) ranges[last] = sequence;
    else ranges.push(sequence, sequence);
  }

  /** Messages came back to their queue: `entries` holds sequence number and delivery count in turn. */
  requeue(index: QueueIndex, entries: readonly number[]): void {
    // Nobody is promised anything: after a failure messages still come back, unremembered.
    if (this.failure !== null) return;
    const at = this.reserve(sizeOfRequeue(entries.length / 2));
    this.advance(writeRequeue(this.block!.area, at, index.number, entries));
  }

  /** Messages up to `sequence` may be delivered once this is durable; returns the record's position. */
  reserveDeliveries(index: QueueIndex, sequence: number): number {
    const at = this.reserve(DELIVERABLE_SIZE);
    this.advance(writeDeliverable(this.block!.area, at, index.number, sequence));
    return this.block!.start + at;
  }

  /**
   * All up to `upTo` is gone but for the ranges in `kept`, whose bodies are `keptBytes`; returns the record's
   * position.
   */
  purge(index: QueueIndex, upTo: number, keptBytes: number, kept: readonly number[]): number {
    // What was settled before must not be read as settled after.
    if (index.settledRanges.length > 0) this.writeSettledOf(index);
    const at = this.reserve(sizeOfPurge(kept.length / 2));
    this.advance(writePurge(this.block!.area, at, index.number, upTo, keptBytes, kept));
    return this.block!.start + at;
  }

  /** Appends a declare, bind, unbind or delete as its AMQP frame; returns the record's position. */
  define(action: number, queue: number, frame: Buffer): number {
    const at = this.reserve(sizeOfDefinition(frame.length));
    this.advance(writeDefinition(this.block!.area, at, action, queue, frame));
    return this.block!.start + at;
  }

  /** HOT per message and queue. Gives up one reference to the record at `position`. */
  release(position: number): void {
    if (position >= this.writtenUpTo) this.releaseUnwritten(position);
    let segment = this.releaseSegment;
    const number = segmentOf(position);
    if (segment.number !== number) {
      segment = this.segments.get(number)!;
      this.releaseSegment = segment;
    }
    segment.live--;
  }

  // --- reading ---------------------------------------------------------------------------------

  /** The block that holds the record at `position`, or null when it must be read from its segment. */
  locate(position: number): MemoryBlock | null {
    const current = this.block;
    if (current?.holds(position)) return current;
    const retained = this.retained;
    for (let i = retained.length - 1; i >= 0; i--) {
      if (retained[i]!.holds(position)) return retained[i]!;
    }
    return null;
  }

  /** Reads up to `length` bytes at `position` into `block`, in the pool. */
  async read(block: MemoryBlock, position: number, length: number): Promise<void> {
    const segment = this.segments.get(segmentOf(position));
    if (segment === undefined) throw new Error(`position ${position} lies in no segment`);
    block.used = await segment.read(block.area.buf, length, offsetOf(position));
  }

  /**
   * Lays down as records what was settled so far; returns the position behind them: once the log is durable up to
   * there, none of it comes back.
   */
  writeSettled(): number {
    this.writeAllSettled();
    return this.batchAt < 0 ? this.end : this.positionInBlock();
  }

  // --- turns, writing, syncing -----------------------------------------------------------------

  /** True when {@link endTurn} has something to do. */
  get hasWork(): boolean {
    return this.batchAt >= 0 || this.settledIndexes.length > 0 || this.unwritten.length > 0;
  }

  /** Calls `waiter` back when all before the current end of the open batch is durable. */
  waitForAll(waiter: DurabilityWaiter): void {
    this.waiters.add(waiter);
    this.waitUntil = Number.POSITIVE_INFINITY;
    this.events.turnNeeded();
  }

  /** The next sync takes the file along, and counts only if the file's succeeds: the last record names it. */
  syncWith(file: SyncCompanion): void {
    this.companions.push(file);
  }

  /** Closes the turn's batch; writes and syncs what is due. */
  endTurn(): void {
    if (this.failure !== null) return;
    this.writeAllSettled();
    this.closeBatch();
    if (this.waitUntil === Number.POSITIVE_INFINITY) this.waitUntil = this.end;
    const waiting = this.waiters.size > 0 && this.waitUntil > this.durableUpTo;
    if (this.unwritten.length > 0) {
      const due =
        (waiting && !this.syncing) ||
        this.unwrittenBytes >= UNWRITTEN_BYTES_MAX ||
        this.clock.monotonicMs - this.unwrittenSinceMs >= UNWRITTEN_MS_MAX;
      if (due) this.flush();
      else this.flushTimer ??= setTimeout(() => this.flushLate(), UNWRITTEN_MS_MAX);
    }
    if (!this.syncing && (waiting || this.unsyncedBytes >= UNSYNCED_BYTES_MAX)) this.sync();
  }

  /** Closes the open batch, so that what follows lies behind `end`. */
  closeBatch(): void {
    if (this.batchAt < 0) return;
    const block = this.block!;
    const start = this.batchAt;
    const footerAt = this.at;
    const footerEnd = this.writeFooter(block);
    const position = block.start + start;
    sealBatch(block.area, start, footerEnd, this.segment.salt, {
      position,
      timeMs: this.clock.wallMs,
      syncedUpTo: this.stableUpTo,
      footerAt: footerAt - start,
      rowCount: this.rowNumbers.length,
    });
    this.at = footerEnd + CHECKSUM_SIZE;
    block.used = this.at;
    const length = this.at - start;
    if (this.unwritten.length === 0) this.unwrittenSinceMs = this.clock.monotonicMs;
    this.unwritten.push({
      block,
      segment: this.segment,
      start: position,
      end: position + length,
      live: this.batchLive,
      isNeeded: this.batchMustWrite,
      operationsFrom: this.batchOperationsFrom,
    });
    this.unwrittenBytes += length;
    this.appendedBytes += length;
    this.end = position + length;
    this.batchAt = -1;
    this.limit = 0;
    this.batchId++;
  }

  /** Ends the turn, and leaves no batch unwritten that somebody needs. */
  writeAll(): void {
    this.endTurn();
    this.flush();
  }

  /** Writes everything, gaps too, and makes it stable; resolves when that has happened. */
  async syncAll(): Promise<void> {
    this.writeAll();
    this.attempt(() => this.writeGap());
    const target = this.end;
    for (;;) {
      if (this.failure !== null) throw this.failure;
      if (this.stableUpTo >= target) return;
      if (!this.syncing) this.sync();
      await this.syncEnded;
    }
  }

  /** Ends the log: the caller has made everything durable before. Frees memory, closes files. */
  close(): void {
    this.closed = true;
    if (this.flushTimer !== null) clearTimeout(this.flushTimer);
    this.flushTimer = null;
    for (const segment of this.segments.values()) segment.close();
    for (const block of this.retained) this.pool.release(block);
    if (this.block !== null) this.pool.release(this.block);
    this.retained.length = 0;
    this.block = null;
  }

  /** Deletes segments that hold nothing live and end before `position`; returns their numbers. */
  deleteSegmentsBefore(position: number): number[] {
    const deleted: number[] = [];
    for (const segment of this.segments.values()) {
      if (segment === this.segment || segment.live > 0) continue;
      // Its gap header is still to be written.
      if (segment === this.gapSegment && this.gapFrom >= 0) continue;
      if (positionAt(segment.number, segment.size) > position || this.unsynced.has(segment))
        continue;
      segment.delete();
      this.segments.delete(segment.number);
      deleted.push(segment.number);
    }
    return deleted;
  }

  // --- inside ----------------------------------------------------------------------------------

  private ageMs(): number {
    return this.clock.wallMs - this.segment.createdMs;
  }

  private newSegment(number: number, previousEnd: number): Segment {
    const { wallMs } = this.clock;
    const segment = Segment.create(this.fs, this.directory, number, wallMs, previousEnd);
    this.segments.set(number, segment);
    return segment;
  }

  private prepare(size: number, set: RouteSet): void {
    this.ensureRoom(size, set.footerSizeMax);
    if (set.batchId !== this.batchId) this.enterRouteSet(set);
  }

  private reserve(size: number): number {
    if (this.at + size > this.limit) this.ensureRoom(size, 0);
    this.batchMustWrite = true;
    return this.at;
  }

  private advance(at: number): void {
    this.at = at;
    this.block!.used = at;
  }

  /** Makes the open batch take a record of `size` bytes and `footerGrowth` more of footer. */
  private ensureRoom(size: number, footerGrowth: number): void {
    if (this.failure !== null) throw this.failure;
    if (this.batchAt >= 0) {
      const fits =
        this.at + size + this.footerSize() + footerGrowth <= this.block!.area.buf.length &&
        this.at - this.batchAt < BATCH_TARGET_BYTES;
      if (fits) {
        this.setLimit(footerGrowth);
        return;
      }
      this.closeBatch();
    }
    this.openBatch(BATCH_HEADER_SIZE + size + FOOTER_BASE_SIZE + CHECKSUM_SIZE + footerGrowth);
    this.setLimit(footerGrowth);
  }

  /** Records may go on until the batch is full, or what is left of the block is needed for the footer. */
  private setLimit(footerGrowth: number): void {
    const capacity = this.block!.area.buf.length - this.footerSize() - footerGrowth;
    this.limit = Math.min(capacity, this.batchAt + BATCH_HEADER_SIZE + BATCH_TARGET_BYTES);
  }

  private footerSize(): number {
    return (
      this.rowNumbers.length * FOOTER_ROW_SIZE +
      FOOTER_BASE_SIZE +
      4 * (this.setCount + this.setRows.length) +
      CHECKSUM_SIZE
    );
  }

  private openBatch(sizeMin: number): void {
    if (
      offsetOf(this.end) + sizeMin > SEGMENT_TARGET_BYTES &&
      this.segment.size > SEGMENT_HEADER_SIZE
    ) {
      this.rollSegment();
    }
    if (sizeMin > SEGMENT_SPAN - SEGMENT_HEADER_SIZE) {
      throw new Error(`a batch of ${sizeMin} bytes is larger than a segment can be`);
    }
    const block = this.block;
    if (
      block === null ||
      this.at + sizeMin > block.area.buf.length ||
      this.positionInBlock() !== this.end
    ) {
      this.nextBlock(sizeMin);
    }
    this.events.turnNeeded();
    this.batchAt = this.at;
    this.at += BATCH_HEADER_SIZE;
    this.segment.size = offsetOf(this.end) + BATCH_HEADER_SIZE;
    this.batchLive = 0;
    this.batchMustWrite = false;
    this.batchOperationsFrom = Number.POSITIVE_INFINITY;
    this.rowNumbers.length = 0;
    this.rowFirsts.length = 0;
    this.setRows.length = 0;
    this.setCount = 0;
  }

  private positionInBlock(): number {
    return this.block!.start + this.at;
  }

  private nextBlock(sizeMin: number): void {
    if (this.block !== null) {
      this.retained.push(this.block);
      this.retainedBytes += this.block.area.buf.length;
    }
    this.block = this.pool.acquire(this.end, sizeMin);
    this.at = 0;
    this.evict();
  }

  /** Gives back the oldest blocks, as far as they are written. */
  private evict(): void {
    while (this.retainedBytes > RETAINED_BYTES) {
      const oldest = this.retained[0];
      if (oldest === undefined || oldest.start + oldest.used > this.writtenUpTo) return;
      this.retained.shift();
      this.retainedBytes -= oldest.area.buf.length;
      this.pool.release(oldest);
    }
  }

  private rollSegment(): void {
    this.segment.size = offsetOf(this.end);
    this.segment = this.newSegment(this.segment.number + 1, this.end);
    this.end = positionAt(this.segment.number, SEGMENT_HEADER_SIZE);
  }

  private enterRouteSet(set: RouteSet): void {
    if (this.setCount > 0xffff) throw new Error('more than 65,536 route sets in one batch');
    set.batchId = this.batchId;
    set.indexInBatch = this.setCount++;
    const durable = set.durable;
    this.setRows.push(durable.length);
    for (let i = 0; i < durable.length; i++) {
      const index = durable[i]!;
      if (index.batchId !== this.batchId) {
        index.batchId = this.batchId;
        index.batchRow = this.rowNumbers.length;
        this.rowNumbers.push(index.number);
        this.rowFirsts.push(index.nextSequence);
      }
      this.setRows.push(index.batchRow);
    }
    this.setLimit(0);
  }

  private writeFooter(block: MemoryBlock): number {
    const view = block.area.view;
    let p = this.at;
    for (let i = 0; i < this.rowNumbers.length; i++) {
      view.setFloat64(p, this.rowNumbers[i]!);
      view.setFloat64(p + 8, this.rowFirsts[i]!);
      p += FOOTER_ROW_SIZE;
    }
    view.setUint32(p, this.setCount);
    p += 4;
    for (let i = 0; i < this.setRows.length; i++) {
      view.setUint32(p, this.setRows[i]!);
      p += 4;
    }
    return p;
  }

  private writeAllSettled(): void {
    const indexes = this.settledIndexes;
    if (indexes.length === 0) return;
    for (let i = 0; i < indexes.length; i++) this.writeSettledOf(indexes[i]!);
    indexes.length = 0;
    this.settledFrom = Number.POSITIVE_INFINITY;
  }

  private writeSettledOf(index: QueueIndex): void {
    const ranges = index.settledRanges;
    if (ranges.length === 0) return;
    if (this.failure !== null) {
      // Consumers go on though nothing of it will be remembered.
      ranges.length = 0;
      index.settledBytes = 0;
      return;
    }
    const size = sizeOfSettle(ranges.length / 2);
    if (this.at + size > this.limit) this.ensureRoom(size, 0);
    const { settleReason, number, settledBytes } = index;
    this.advance(
      writeSettle(this.block!.area, this.at, settleReason, number, settledBytes, ranges),
    );
    this.batchOperationsFrom = Math.min(this.batchOperationsFrom, this.settledFrom);
    ranges.length = 0;
    index.settledBytes = 0;
  }

  private releaseUnwritten(position: number): void {
    if (position >= this.end) {
      this.batchLive--;
      return;
    }
    const unwritten = this.unwritten;
    let low = 0;
    let high = unwritten.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (unwritten[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    unwritten[low]!.live--;
  }

  private flushLate(): void {
    this.flushTimer = null;
    this.clock.tick();
    this.endTurn();
  }

  /** Writes the closed batches, or the gaps that stand for them. */
  private flush(): void {
    this.attempt(() => this.writeBatches());
  }

  private attempt(write: () => void): void {
    if (this.failure !== null) return;
    try {
      write();
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Decides which closed batches go to the file: those with a message that is still wanted, those that say
   * something of their own, those that settle a message of the file; and, so that no record in the file
   * concerns a message that is not there, all from the first message that such a batch settles on.
   */
  private markNeeded(): void {
    const unwritten = this.unwritten;
    let fileEnd = this.writtenForReal;
    for (let i = 0; i < unwritten.length; i++) {
      const batch = unwritten[i]!;
      if (batch.live > 0 || batch.operationsFrom < fileEnd) batch.isNeeded = true;
      if (!batch.isNeeded) continue;
      fileEnd = batch.end;
      let from = batch.operationsFrom;
      for (let j = i - 1; j >= 0 && unwritten[j]!.end > from; j--) {
        unwritten[j]!.isNeeded = true;
        from = Math.min(from, unwritten[j]!.operationsFrom);
      }
    }
  }

  private writeBatches(): void {
    const unwritten = this.unwritten;
    this.markNeeded();
    let runFrom = 0;
    let runTo = 0;
    for (let i = 0; i < unwritten.length; i++) {
      const batch = unwritten[i]!;
      const isDead = !batch.isNeeded;
      if (isDead || unwritten[runFrom]!.block !== batch.block) {
        this.writeRun(runFrom, runTo);
        runFrom = i;
        runTo = i;
      }
      if (isDead) {
        this.extendGap(batch);
        runFrom = i + 1;
      } else {
        this.writeGap();
        this.writtenForReal = batch.end;
      }
      runTo = i + 1;
    }
    this.writeRun(runFrom, runTo);
    if (unwritten.length > 0) this.writtenUpTo = unwritten[unwritten.length - 1]!.end;
    unwritten.length = 0;
    this.unwrittenBytes = 0;
    // What was left out needs no sync: with nothing unsynced before it, it is as good as durable.
    if (this.unsynced.size === 0 && !this.syncing) this.advanceDurable(this.writtenUpTo);
    this.evict();
  }

  /** Writes the batches `from` up to but without `to`, which lie side by side in one block. */
  private writeRun(from: number, to: number): void {
    if (from >= to) return;
    const first = this.unwritten[from]!;
    const last = this.unwritten[to - 1]!;
    const { block, segment } = first;
    const at = first.start - block.start;
    const end = last.end - block.start;
    this.writeToSegment(segment, block.area.buf, at, end, offsetOf(first.start));
  }

  private writeToSegment(
    segment: Segment,
    buf: Buffer,
    start: number,
    end: number,
    offset: number,
  ): void {
    if (segment.write(buf, start, end, offset)) this.directoryUnsynced = true;
    this.unsynced.add(segment);
    this.unsyncedBytes += end - start;
  }

  private extendGap(batch: UnwrittenBatch): void {
    if (this.gapFrom >= 0 && this.gapSegment !== batch.segment) this.writeGap();
    if (this.gapFrom < 0) this.gapFrom = batch.start;
    this.gapSegment = batch.segment;
    this.gapUpTo = batch.end;
  }

  private writeGap(): void {
    if (this.gapFrom < 0) return;
    const { wallMs } = this.clock;
    const { salt } = this.gapSegment;
    const length = this.gapUpTo - this.gapFrom;
    const gap = encodeGap(this.gapFrom, length, wallMs, this.stableUpTo, salt);
    this.writeToSegment(this.gapSegment, gap, 0, gap.length, offsetOf(this.gapFrom));
    this.gapFrom = -1;
  }

  private sync(): void {
    this.syncing = true;
    this.syncEnded = this.runSync();
  }

  /** One group sync; never rejects. What was written before it began is durable when it ends. */
  private async runSync(): Promise<void> {
    const target = this.writtenUpTo;
    const stable = this.gapFrom < 0 ? target : this.gapFrom;
    const segments: SyncCompanion[] = [...this.unsynced, ...this.companions];
    this.companions = [];
    const withDirectory = this.directoryUnsynced;
    this.unsynced.clear();
    this.unsyncedBytes = 0;
    this.directoryUnsynced = false;
    try {
      await Promise.all(segments.map((segment) => segment.datasync()));
      if (withDirectory) await this.fs.syncDirectory(this.directory);
    } catch (error) {
      this.syncing = false;
      this.fail(error);
      return;
    }
    this.syncing = false;
    this.stableUpTo = stable;
    this.advanceDurable(this.unsynced.size === 0 ? this.writtenUpTo : target);
  }

  private advanceDurable(position: number): void {
    if (position <= this.durableUpTo || this.failure !== null) return;
    this.durableUpTo = position;
    if (this.closed) return;
    for (const waiter of this.waiters) if (waiter.durableAdvanced()) this.waiters.delete(waiter);
    this.events.durable();
  }

  private fail(cause: unknown): void {
    if (this.failure !== null) return;
    this.failure = StorageError.from(this.segment.path, 'write', cause);
    // No room: the next append comes to where it is refused.
    this.limit = 0;
    this.events.failed(this.failure);
  }
}
