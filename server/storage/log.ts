/**
 * @hot The log of a vhost: batches appended in memory, written with one write, synced by one group sync.
 *
 *     ... | batch | batch | batch | batch (open) ...
 *                 ^       ^       ^
 *       durableUpTo  writtenUpTo  end
 *
 * - A record is laid into the open batch (open-batch.ts); the batch is closed at the end of the turn, or at 64 KiB.
 * - Closed batches wait to be written (batch-writer.ts) until somebody waits for the disk, 1 MiB has come together
 *   or 5 ms have passed. A batch whose messages have all left their queues by then, and whose operations concern
 *   only such messages, is never written: a gap header holds its place.
 * - `durableUpTo` is the only source of "this is on stable storage". A sync (log-sync.ts) counts from where it
 *   began.
 * - What must be atomic is appended between {@link MessageLog.beginAtomic} and {@link MessageLog.endAtomic}: it lies
 *   in one batch, which is valid whole or not at all.
 * - A failed write or sync never counts, and is survived: what is not stable is still in memory and goes elsewhere at
 *   the same offsets, after a pause. No confirm leaves before. `state` says how it stands.
 *
 * It knows positions, route sets and the index's batch fields; not what a queue is. Benches: scenario
 * throughput, micro/log.
 */

import { Alarm } from '../base/alarm.ts';
import type { Clock } from '../base/clock.ts';
import { SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { BatchWriter } from './batch-writer.ts';
import type { DiskReserve } from './disk-reserve.ts';
import type { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import { isDiskFull, LogHealth, type LogState, mayWriteAgain } from './log-health.ts';
import { LOG_LIMITS, type LogLimits } from './log-limits.ts';
import { LogSync, type SyncedFile, type SyncListener } from './log-sync.ts';
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import type { MessageRun } from './message-run.ts';
import { BATCH_OVERHEAD, OpenBatch } from './open-batch.ts';
import { offsetOf, positionAt, SEGMENT_SPAN, segmentOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import { RecentBlocks } from './recent-blocks.ts';
import type { MessageParts } from './record-format.ts';
import {
  DELIVERABLE_SIZE,
  ENQUEUE_RECORD_SIZE,
  sizeOfDefinition,
  sizeOfMessage,
  sizeOfPurge,
  sizeOfRequeue,
  sizeOfSettle,
  writeDefinition,
  writeDeliverable,
  writeEnqueue,
  writeMessage,
  writePurge,
  writeRequeue,
  writeSettle,
} from './record-format.ts';
import type { RouteSet } from './route-set.ts';
import { Segment, segmentFileName } from './segment.ts';
import { StorageError } from './storage-error.ts';

/** Ranges of one queue that may come together before they become a record. */
const SETTLED_RANGES_MAX = 2048;
/** A segment is worth leaving, on a full disk, when it has this part of its full size, or is much for such a disk. */
const SPENT_SEGMENT_SHARE = 8;
/** Who has waited is taken for somebody who will wait again, for so long. */
const WAITED_LATELY_MS = 1000;
/** What may be appended atomically, in bytes. */
export const ATOMIC_BYTES_MAX: number = 128 * 1024 * 1024;

/** Told when more of the log became durable; it looks at {@link MessageLog.durableUpTo} itself. */
export interface DurabilityWaiter {
  /** @returns true when it waits no longer. */
  durableAdvanced(): boolean;
}

/** What the log tells its owner. */
export interface LogEvents {
  /** Something waits for {@link MessageLog.endTurn}. May be called often. */
  turnNeeded(): void;
  /** Waiters were served: output may wait to be flushed. */
  durable(): void;
  /** {@link MessageLog.state} has changed. */
  stateChanged(state: LogState): void;
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

/** What a log is made of. */
export interface MessageLogOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly pool: BlockPool;
  readonly clock: Clock;
  readonly events: LogEvents;
  readonly resumption: LogResumption;
  /** The files of the log are open here; the segments of `resumption` use the same. */
  readonly cache: FileCache;
  readonly limits?: Partial<LogLimits>;
  /** Given up when the disk is full; the state ends when it could be taken again. */
  readonly reserve?: DiskReserve;
}

/** The append-only log of one vhost. Positions are as in position.ts. */
export class MessageLog implements SyncListener {
  /** Position behind the last closed batch. */
  end: number;
  /** All before it survives the loss of power, as far as anybody still needs it. */
  durableUpTo: number;
  /** Bytes appended since the owner last set it to 0. */
  appendedBytes: number;
  readonly segments: Map<number, Segment>;

  private readonly cache: FileCache;
  private readonly limits: LogLimits;
  private readonly directory: string;
  private readonly pool: BlockPool;
  private readonly clock: Clock;
  private readonly events: LogEvents;

  private segment: Segment;
  /** The segment that {@link release} touched last. */
  private releaseSegment: Segment;
  private readonly batch: OpenBatch;
  private isAtomic: boolean;
  private readonly sync: LogSync;
  private readonly writer: BatchWriter;
  private readonly recent: RecentBlocks;
  private readonly waiters: Set<DurabilityWaiter>;
  /** When somebody began to wait last, on the monotonic clock. */
  private waitedMs: number;
  private waitUntil: number;
  private readonly health: LogHealth;
  private readonly alarm: Alarm;
  private readonly diskReserve: DiskReserve | null;
  /** Monotonic time at which it is looked whether the disk is still full. */
  private spaceCheckMs: number;
  /** The last attempt to write failed. */
  private writeIsFailing: boolean;
  private closed: boolean;
  private readonly settledIndexes: QueueIndex[];
  private settledFrom: number;

  constructor(options: MessageLogOptions) {
    const { fs, directory, pool, clock, events, resumption, cache } = options;
    this.cache = cache;
    this.directory = directory;
    this.pool = pool;
    this.clock = clock;
    this.events = events;
    this.limits = { ...LOG_LIMITS, ...options.limits };
    this.segments = new Map(resumption.segments.map((segment) => [segment.number, segment]));
    this.segment = this.newSegment(resumption.nextSegment, resumption.previousEnd);
    this.releaseSegment = this.segment;
    this.end = positionAt(this.segment.number, SEGMENT_HEADER_SIZE);
    this.durableUpTo = this.end;
    this.appendedBytes = 0;
    this.batch = new OpenBatch();
    this.isAtomic = false;
    this.health = new LogHealth(this.limits, (state) => events.stateChanged(state));
    this.sync = new LogSync(fs, cache, directory, clock, this, this.end);
    this.writer = new BatchWriter(this.sync, clock, this.end, this.limits.writesConsumed);
    this.recent = new RecentBlocks(pool);
    this.waiters = new Set();
    this.waitedMs = Number.NEGATIVE_INFINITY;
    this.waitUntil = 0;
    this.alarm = new Alarm(clock, () => this.wake());
    this.writeIsFailing = false;
    this.diskReserve = options.reserve ?? null;
    this.spaceCheckMs = 0;
    this.closed = false;
    this.settledIndexes = [];
    this.settledFrom = Number.POSITIVE_INFINITY;
  }

  /** What publishers and operators have to know. */
  get state(): LogState {
    return this.health.state;
  }

  /** All before it is in the file, or a gap. */
  get writtenUpTo(): number {
    return this.writer.writtenUpTo;
  }

  /** The open batch; a route set with another id must be entered anew. 1 is the first. */
  get batchId(): number {
    return this.batch.id;
  }

  // --- appending -------------------------------------------------------------------------------

  /**
   * HOT per publish. Appends a message for the queues of `set`; returns its position. The copy into the
   * block is the only one the message sees before a delivery.
   */
  append(message: MessageParts, set: RouteSet): number {
    const size = sizeOfMessage(message);
    const batch = this.batch;
    if (set.batchId !== batch.id || batch.at + size > batch.limit) this.prepare(size, set);
    const block = batch.block!;
    const at = batch.at;
    const end = writeMessage(block.area, at, message, set.indexInBatch, this.ageMs());
    batch.at = end;
    block.used = end;
    const { references } = set;
    batch.live += references;
    this.segment.live += references;
    const { large } = message;
    this.segment.liveBytes += references * (large === null ? message.bodySize : large.size);
    return block.start + at;
  }

  /** HOT per run. The same for a piece of a run: those that fit into the batch, at least one. */
  appendRun(run: MessageRun, set: RouteSet): void {
    const { batch } = this;
    const size = run.nextSize;
    if (set.batchId !== batch.id || batch.at + size > batch.limit) this.prepare(size, set);
    const { area, start } = batch.block!;
    batch.advance(run.write(area, batch.at, batch.limit, start, set.indexInBatch, this.ageMs()));
    const { references } = set;
    batch.live += references * run.pieceCount;
    this.segment.live += references * run.pieceCount;
    this.segment.liveBytes += references * run.pieceBytes;
  }

  /**
   * Enters the message at `position` into the queues of `set` by reference, under their next numbers. Somebody
   * still holds a reference to it; it has one more for each of the queues then. `largeFile` holds its body, or is 0.
   */
  enqueue(position: number, bodySize: number, set: RouteSet, largeFile: number): void {
    const { batch } = this;
    const size = ENQUEUE_RECORD_SIZE;
    if (set.batchId !== batch.id || batch.at + size > batch.limit) this.prepare(size, set);
    const { area } = batch.block!;
    batch.advance(writeEnqueue(area, batch.at, set.indexInBatch, bodySize, position, largeFile));
    batch.mustWrite = true;
    batch.operationsFrom = Math.min(batch.operationsFrom, position);
    this.refer(position, bodySize, set.references);
  }

  /** HOT per ack. The message at `position` left the queue of `index` for good. */
  settle(
    index: QueueIndex,
    sequence: number,
    position: number,
    bodySize: number,
    reason: number,
  ): void {
    this.settleRun(index, sequence, 1, position, bodySize, reason);
  }

  /** HOT per run. `count` messages from `sequence` on, the first of them at `position`, left the queue for good. */
  settleRun(
    index: QueueIndex,
    sequence: number,
    count: number,
    position: number,
    bodyBytes: number,
    reason: number,
  ): void {
    const ranges = index.settledRanges;
    const length = ranges.length;
    if (position < this.settledFrom) this.settledFrom = position;
    if (length === 0) {
      this.settledIndexes.push(index);
      if (this.settledIndexes.length === 1) this.events.turnNeeded();
    } else if (index.settleReason !== reason || length >= 2 * SETTLED_RANGES_MAX) {
      this.writeSettled(index);
    }
    index.settleReason = reason;
    index.settledBytes += bodyBytes;
    const last = ranges.length - 1;
    if (last > 0 && ranges[last] === sequence - 1) ranges[last] = sequence + count - 1;
    else ranges.push(sequence, sequence + count - 1);
  }

  /** Messages came back to their queue: `entries` holds sequence number and delivery count in turn. */
  requeue(index: QueueIndex, entries: readonly number[]): void {
    const at = this.reserve(sizeOfRequeue(entries.length / 2));
    this.batch.advance(writeRequeue(this.batch.block!.area, at, index.number, entries));
  }

  /** Messages up to `sequence` may be delivered once this is durable; returns the record's position. */
  reserveDeliveries(index: QueueIndex, sequence: number): number {
    const at = this.reserve(DELIVERABLE_SIZE);
    const block = this.batch.block!;
    this.batch.advance(writeDeliverable(block.area, at, index.number, sequence));
    return block.start + at;
  }

  /**
   * All up to `upTo` is gone but for the ranges in `kept`, whose bodies are `keptBytes`; returns the record's
   * position.
   */
  purge(index: QueueIndex, upTo: number, keptBytes: number, kept: readonly number[]): number {
    // What was settled before must not be read as settled after.
    if (index.settledRanges.length > 0) this.writeSettled(index);
    const at = this.reserve(sizeOfPurge(kept.length / 2));
    const block = this.batch.block!;
    this.batch.advance(writePurge(block.area, at, index.number, upTo, keptBytes, kept));
    return block.start + at;
  }

  /** Appends a declare, bind, unbind or delete as its AMQP frame; returns the record's position. */
  define(action: number, queue: number, frame: Buffer): number {
    const at = this.reserve(sizeOfDefinition(frame.length));
    const block = this.batch.block!;
    this.batch.advance(writeDefinition(block.area, at, action, queue, frame));
    return block.start + at;
  }

  /**
   * What is appended from here to {@link endAtomic}, all in one turn, lies in one batch: after a crash it is there
   * whole or not at all. Messages that were settled before are written before, those settled in between into
   * the batch.
   *
   * @param recordBytes at least the sizes of all records to come (record-format.ts); for what is settled, a
   *   `sizeOfSettle(1)` for each message is always enough
   * @param footerBytes at least the sum of `footerSizeMax` of the route sets to come, at most 65,536 of them
   * @throws RangeError for more than {@link ATOMIC_BYTES_MAX}, or when
   *   there is no memory for it. Nothing has begun then.
   */
  beginAtomic(recordBytes: number, footerBytes: number): void {
    if (this.isAtomic) throw new Error('an atomic batch is open');
    if (recordBytes + footerBytes > ATOMIC_BYTES_MAX) {
      throw new RangeError(`${recordBytes + footerBytes} bytes are too many for one batch`);
    }
    this.writeAllSettled();
    this.closeBatch();
    this.openBatch(BATCH_OVERHEAD + recordBytes + footerBytes);
    this.batch.isWhole = true;
    this.batch.setLimit(0);
    this.isAtomic = true;
  }

  /** Ends what {@link beginAtomic} began; it is durable once all before {@link end} is. */
  endAtomic(): void {
    this.writeAllSettled();
    this.isAtomic = false;
    this.closeBatch();
  }

  /** The next sync of the log first syncs `file`, and counts only if that succeeds. */
  syncWith(file: SyncedFile): void {
    this.sync.add(file);
  }

  /**
   * Lays down as records what was settled so far; returns the position behind them: once the log is durable up to
   * there, none of it comes back.
   */
  tellSettled(): number {
    this.writeAllSettled();
    return this.batch.isOpen ? this.batch.position : this.end;
  }

  /** HOT per message and queue. Gives up one reference to the record at `position`, with a body of `bytes` octets. */
  release(position: number, bytes: number): void {
    if (position >= this.writer.writtenUpTo) this.referUnwritten(position, -1);
    let segment = this.releaseSegment;
    const number = segmentOf(position);
    if (segment.number !== number) {
      segment = this.segments.get(number)!;
      this.releaseSegment = segment;
    }
    segment.live--;
    segment.liveBytes -= bytes;
  }

  /**
   * HOT per run. Gives up a reference to each of `count` records of one segment, at ascending `positions[from..]`, with
   * `bytes` octets of bodies in all.
   */
  releaseRun(positions: Float64Array, from: number, count: number, bytes: number): void {
    const end = from + count;
    const { writtenUpTo } = this.writer;
    if (positions[end - 1]! >= writtenUpTo) {
      let at = from;
      while (positions[at]! < writtenUpTo) at++;
      at = this.writer.releaseRun(positions, at, end);
      this.batch.live -= end - at;
    }
    this.releaseMany(segmentOf(positions[from]!), count, bytes);
  }

  /** Gives up `count` references to records of a segment, of which the batches know, with `bytes` octets of bodies. */
  releaseMany(number: number, count: number, bytes: number): void {
    const segment = this.segments.get(number)!;
    segment.live -= count;
    segment.liveBytes -= bytes;
  }

  /** Takes `count` references more to the record at `position`, which somebody refers to already. */
  refer(position: number, bodySize: number, count: number): void {
    if (position >= this.writer.writtenUpTo) this.referUnwritten(position, count);
    const segment = this.segments.get(segmentOf(position))!;
    segment.live += count;
    segment.liveBytes += count * bodySize;
    segment.referencesAdded++;
  }

  // --- reading ---------------------------------------------------------------------------------

  /** The block that holds the record at `position`, or null when it must be read from its segment. */
  locate(position: number): MemoryBlock | null {
    const current = this.batch.block;
    if (current?.holds(position)) return current;
    return this.recent.locate(position);
  }

  /**
   * Reads up to `length` bytes at `position` into `block`, in the pool.
   *
   * @throws StorageError when the disk refuses, or has nothing there
   */
  async read(block: MemoryBlock, position: number, length: number): Promise<void> {
    const number = segmentOf(position);
    const segment = this.segments.get(number);
    const path = segment?.path ?? `${this.directory}/${segmentFileName(number)}`;
    if (segment === undefined) throw new StorageError(path, 'the segment is not there');
    const offset = offsetOf(position);
    block.used = await segment.read(block.area.buf, length, offset);
    if (block.used === 0) throw new StorageError(path, `ends before byte ${offset}`);
  }

  // --- turns, writing, syncing -----------------------------------------------------------------

  /** True when {@link endTurn} has something to do. */
  get hasWork(): boolean {
    return this.batch.isOpen || this.settledIndexes.length > 0 || !this.writer.isEmpty;
  }

  /** Calls `waiter` back when all before the current end of the open batch is durable. */
  waitForAll(waiter: DurabilityWaiter): void {
    this.waiters.add(waiter);
    this.waitedMs = this.clock.monotonicMs;
    this.waitUntil = Number.POSITIVE_INFINITY;
    this.events.turnNeeded();
  }

  /** Whether somebody has waited lately for something to be durable, and others may soon. */
  get isWaitedFor(): boolean {
    return this.clock.monotonicMs - this.waitedMs < WAITED_LATELY_MS;
  }

  /** Closes the turn's batch; writes and syncs what is due. */
  endTurn(): void {
    if (this.closed) return;
    this.writeAllSettled();
    this.closeBatch();
    if (this.waitUntil === Number.POSITIVE_INFINITY) this.waitUntil = this.end;
    if (this.clock.monotonicMs >= this.health.retryAtMs) this.writeAndSync();
    if (this.health.state.diskFull) this.lookForSpace();
    this.health.measure(this.sync.unsyncedBytes + this.writer.bytes);
    this.setAlarm();
  }

  /** Closes the open batch, so that what follows lies behind `end`. */
  closeBatch(): void {
    const { batch, segment } = this;
    if (!batch.isOpen) return;
    const block = batch.block!;
    const start = block.start + batch.start;
    const length = batch.seal(this.clock.wallMs, this.sync.stableUpTo);
    this.writer.add({
      block,
      segment,
      start,
      end: start + length,
      live: batch.live,
      isNeeded: batch.mustWrite,
      operationsFrom: batch.operationsFrom,
    });
    this.appendedBytes += length;
    this.end = start + length;
  }

  /**
   * Ends the turn, and leaves no batch unwritten that somebody needs.
   *
   * @throws StorageError when the disk refuses; it is tried again
   */
  writeAll(): void {
    this.endTurn();
    if (this.sync.needsReplacement || !this.flush()) throw this.health.lastFailure!;
  }

  /**
   * Writes everything, gaps too: whoever reads from {@link end} on finds the beginning of a batch or gap there.
   *
   * @throws StorageError when the disk refuses; it is tried again
   */
  endGap(): void {
    this.writeAll();
    if (!this.writeGap()) throw this.health.lastFailure!;
  }

  /**
   * Writes everything, gaps too, and makes it stable; resolves when that has happened.
   *
   * @throws StorageError when the disk refuses an attempt; it is tried again, but nobody waits for that here
   */
  async syncAll(): Promise<void> {
    this.endTurn();
    const target = this.end;
    while (this.sync.stableUpTo < target) {
      if (this.closed) throw new StorageError(this.segment.path, 'the log is closed');
      if (!this.sync.isRunning) {
        if (!this.sync.needsReplacement && !(this.flush() && this.writeGap())) {
          throw this.health.lastFailure!;
        }
        this.beginSync();
      }
      const { failureCount } = this.health;
      await this.sync.ended;
      if (this.health.failureCount > failureCount) throw this.health.lastFailure!;
    }
  }

  /** Ends the log: the caller has made everything durable before. Frees memory, closes files. */
  close(): void {
    this.closed = true;
    this.alarm.cancel();
    this.sync.trim();
    for (const segment of this.segments.values()) segment.close();
    // A sync may be writing the blocks anew: they are not to be used for anything else meanwhile.
    if (this.sync.isRunning) void this.sync.ended.then(() => this.freeBlocks());
    else this.freeBlocks();
  }

  /** For how long something has not been on stable storage, in milliseconds; 0: all of it is. */
  get unstableMs(): number {
    const { writer, sync } = this;
    const writtenMs = sync.unsyncedBytes > 0 ? sync.unsyncedSinceMs : Number.POSITIVE_INFINITY;
    const closedMs = writer.isEmpty ? Number.POSITIVE_INFINITY : writer.sinceMs;
    return Math.max(0, this.clock.monotonicMs - Math.min(writtenMs, closedMs));
  }

  /** Gives back the memory of what the files hold, when nothing is on its way there. */
  rest(): void {
    if (this.batch.isOpen || !this.writer.isEmpty || !this.sync.isClean) return;
    this.freeBlocks();
  }

  /** Bytes of its segments. */
  get fileBytes(): number {
    let bytes = 0;
    for (const { fileSize } of this.segments.values()) bytes += fileSize;
    return bytes;
  }

  /** The segments that end before `position`. */
  segmentsBefore(position: number): Segment[] {
    return [...this.segments.values()].filter(
      (segment) => segment !== this.segment && positionAt(segment.number, segment.size) <= position,
    );
  }

  /** The disk has no room: also when somebody else who writes there finds that out. */
  spaceRefused(): void {
    this.spaceCheckMs = this.clock.monotonicMs + this.limits.retryMs;
    this.diskReserve?.giveUp();
    this.health.set({ diskFull: true });
    this.setAlarm();
  }

  /**
   * Whether {@link beginSegment} would make a segment of some size deletable: nobody wants anything of the one that is
   * written to.
   */
  get isSegmentSpent(): boolean {
    const { live, size } = this.segment;
    const muchBytes = this.limits.segmentBytes / SPENT_SEGMENT_SHARE;
    return live === 0 && size >= Math.min(muchBytes, this.diskReserve?.worthBytes ?? muchBytes);
  }

  /** What is appended from now on lies in another segment. Does nothing while something is not stable yet. */
  beginSegment(): void {
    const isWhole = !this.hasWork && this.sync.isClean && this.sync.stableUpTo === this.end;
    if (!isWhole || this.segment.size === SEGMENT_HEADER_SIZE) return;
    this.rollSegment();
    // The log goes on at the beginning of a segment without a file, as after a boot.
    this.writer.writtenUpTo = this.end;
    this.sync.stableUpTo = this.end;
    this.advanceDurable(this.end);
  }

  /**
   * Deletes segments that hold nothing live and end before `position`; returns their numbers. What settled the last
   * messages of a segment must be durable first: a checkpoint may know them as unsettled. The files go in the pool.
   */
  deleteSegmentsBefore(position: number): number[] {
    const deleted: number[] = [];
    for (const segment of this.segmentsBefore(position)) {
      if (segment.live > 0) {
        segment.spentBehind = -1;
        continue;
      }
      if (segment.spentBehind < 0) segment.spentBehind = this.positionBehindAll();
      if (segment.spentBehind > this.durableUpTo) continue;
      if (this.writer.concerns(segment) || this.sync.isUnsynced(segment)) continue;
      segment.delete();
      this.segments.delete(segment.number);
      deleted.push(segment.number);
    }
    return deleted;
  }

  /** The position behind everything that has been said so far. */
  private positionBehindAll(): number {
    this.writeAllSettled();
    this.closeBatch();
    return this.end;
  }

  // --- for the sync ----------------------------------------------------------------------------

  synced(target: number): void {
    if (this.closed) return;
    if (this.health.isTroubled && !this.writeIsFailing && !this.sync.needsReplacement) {
      this.health.succeeded();
      // What had to wait in memory is written now.
      this.events.turnNeeded();
    }
    // What was left out needs no sync: with nothing unsynced before it, it is as good as durable.
    this.advanceDurable(this.sync.isClean ? this.writer.writtenUpTo : target);
    this.evictBlocks();
    this.health.measure(this.sync.unsyncedBytes + this.writer.bytes);
    this.setAlarm();
  }

  syncFailed(error: unknown): void {
    if (this.closed) return;
    const failure = StorageError.from(this.segment.path, 'sync', error);
    this.health.failed(failure, this.clock.monotonicMs);
    if (isDiskFull(failure)) this.spaceRefused();
    this.setAlarm();
  }

  // --- inside ----------------------------------------------------------------------------------

  private ageMs(): number {
    return this.clock.wallMs - this.segment.createdMs;
  }

  private newSegment(number: number, previousEnd: number): Segment {
    const { wallMs } = this.clock;
    const segment = Segment.create(this.cache, this.directory, number, wallMs, previousEnd);
    this.segments.set(number, segment);
    return segment;
  }

  private prepare(size: number, set: RouteSet): void {
    this.ensureRoom(size, set.footerSizeMax);
    if (set.batchId !== this.batch.id) this.batch.enterRouteSet(set);
  }

  private reserve(size: number): number {
    const { batch } = this;
    if (batch.at + size > batch.limit) this.ensureRoom(size, 0);
    batch.mustWrite = true;
    return batch.at;
  }

  /** Makes the open batch take a record of `size` bytes and `footerGrowth` more of footer. */
  private ensureRoom(size: number, footerGrowth: number): void {
    const { batch } = this;
    if (batch.isOpen) {
      if (batch.takes(size, footerGrowth)) {
        batch.setLimit(footerGrowth);
        return;
      }
      if (this.isAtomic) throw new Error('more was appended atomically than was announced');
      this.closeBatch();
    }
    this.openBatch(BATCH_OVERHEAD + size + footerGrowth);
    batch.setLimit(footerGrowth);
  }

  private openBatch(sizeMin: number): void {
    const isStarted = this.segment.size > SEGMENT_HEADER_SIZE;
    if (isStarted && offsetOf(this.end) + sizeMin > this.limits.segmentBytes) this.rollSegment();
    if (sizeMin > SEGMENT_SPAN - SEGMENT_HEADER_SIZE) {
      throw new Error(`a batch of ${sizeMin} bytes is larger than a segment can be`);
    }
    const { batch } = this;
    if (!batch.hasRoomAt(this.end, sizeMin)) this.nextBlock(sizeMin);
    this.events.turnNeeded();
    batch.begin();
    this.segment.size = offsetOf(batch.position);
  }

  private nextBlock(sizeMin: number): void {
    const full = this.batch.block;
    const next = this.pool.acquire(this.end, sizeMin);
    if (full !== null) this.recent.add(full);
    this.batch.useBlock(next);
    this.evictBlocks();
  }

  private rollSegment(): void {
    this.segment.size = offsetOf(this.end);
    this.segment.fullLive = this.segment.live;
    this.segment = this.newSegment(this.segment.number + 1, this.end);
    this.end = positionAt(this.segment.number, SEGMENT_HEADER_SIZE);
  }

  private writeAllSettled(): void {
    const indexes = this.settledIndexes;
    if (indexes.length === 0) return;
    for (let i = 0; i < indexes.length; i++) this.writeSettled(indexes[i]!);
    indexes.length = 0;
    this.settledFrom = Number.POSITIVE_INFINITY;
  }

  private writeSettled(index: QueueIndex): void {
    const ranges = index.settledRanges;
    if (ranges.length === 0) return;
    const size = sizeOfSettle(ranges.length / 2);
    const { batch } = this;
    if (batch.at + size > batch.limit) this.ensureRoom(size, 0);
    const { settleReason, number, settledBytes } = index;
    const { area } = batch.block!;
    batch.advance(writeSettle(area, batch.at, settleReason, number, settledBytes, ranges));
    batch.operationsFrom = Math.min(batch.operationsFrom, this.settledFrom);
    ranges.length = 0;
    index.settledBytes = 0;
  }

  private referUnwritten(position: number, count: number): void {
    if (position >= this.end) this.batch.live += count;
    else this.writer.refer(position, count);
  }

  private freeBlocks(): void {
    this.recent.clear();
    if (this.batch.block !== null) this.pool.release(this.batch.block);
    this.batch.block = null;
  }

  /** Gives back the blocks that nobody needs to stay in memory. */
  private evictBlocks(): void {
    const { writtenUpTo } = this.writer;
    this.recent.evict(writtenUpTo, Math.min(writtenUpTo, this.sync.keepFrom));
  }

  /** So much may be found to have no room on the disk. */
  private get pendingBytesMax(): number {
    return this.diskReserve?.pendingBytesMax ?? Number.POSITIVE_INFINITY;
  }

  private writeAndSync(): void {
    const { sync, writer, health, limits } = this;
    const now = this.clock.monotonicMs;
    const { isTroubled } = health;
    const waiting = this.waiters.size > 0 && this.waitUntil > this.durableUpTo;
    if (!writer.isEmpty) {
      const due =
        isTroubled ||
        (waiting && !sync.isRunning) ||
        writer.bytes >= Math.min(limits.unwrittenBytes, this.pendingBytesMax) ||
        now - writer.sinceMs >= limits.unwrittenMs;
      if (due && !sync.needsReplacement && !this.flush()) return;
    }
    if (sync.isRunning) return;
    const syncDue =
      sync.unsyncedBytes >= limits.unsyncedBytes ||
      (sync.unsyncedBytes > 0 && now - sync.unsyncedSinceMs >= limits.unsyncedMs);
    if (!waiting && !isTroubled && !syncDue) return;
    const { unsyncedBytes } = sync;
    const isSmall = waiting && unsyncedBytes < limits.smallSyncBytes;
    if (isSmall && !isTroubled && !health.state.diskFull) {
      sync.layOut(limits.layOutBytes, limits.segmentBytes);
    }
    this.beginSync();
  }

  /** Writes the closed batches, or the gaps that stand for them. False when the disk refuses. */
  private flush(): boolean {
    try {
      this.writer.write();
    } catch (error) {
      if (!this.writeFromReserve(error)) return false;
    }
    this.writeIsFailing = false;
    if (this.sync.isClean) this.advanceDurable(this.writer.writtenUpTo);
    this.evictBlocks();
    return true;
  }

  /** After a refused write: tries again at once where giving up the reserve has made room. */
  private writeFromReserve(error: unknown): boolean {
    const isFull = error instanceof StorageError && isDiskFull(error);
    if (!isFull || this.diskReserve?.giveUp() !== true) {
      this.writeFailed(error);
      return false;
    }
    this.spaceRefused();
    try {
      this.writer.write();
      return true;
    } catch (again) {
      this.writeFailed(again);
      return false;
    }
  }

  /** In the state of a full disk: ends it when everything is written and the reserve could be taken again. */
  private lookForSpace(): void {
    const now = this.clock.monotonicMs;
    if (now < this.spaceCheckMs || this.health.isTroubled) return;
    this.spaceCheckMs = Number.POSITIVE_INFINITY;
    const taken = this.diskReserve?.take() ?? Promise.resolve(true);
    const { failureCount } = this.health;
    void taken.then((isTaken) => {
      if (this.closed) return;
      this.spaceCheckMs = this.clock.monotonicMs + this.limits.retryMsMax;
      if (isTaken && this.health.failureCount === failureCount)
        this.health.set({ diskFull: false });
      this.setAlarm();
    });
  }

  private writeGap(): boolean {
    try {
      this.writer.writeGap();
      return true;
    } catch (error) {
      this.writeFailed(error);
      return false;
    }
  }

  private writeFailed(cause: unknown): void {
    const error = StorageError.from(this.segment.path, 'write', cause);
    const { next } = this.writer;
    this.writeIsFailing = true;
    if (next !== null && !mayWriteAgain(error)) {
      this.sync.replaceAfterFailedWrite(next.segment, offsetOf(next.position));
    }
    this.health.failed(error, this.clock.monotonicMs);
    if (isDiskFull(error)) this.spaceRefused();
  }

  private beginSync(): void {
    const { writtenUpTo, gapFrom } = this.writer;
    this.sync.begin(writtenUpTo, gapFrom < 0 ? writtenUpTo : gapFrom);
  }

  private advanceDurable(position: number): void {
    if (position <= this.durableUpTo) return;
    this.durableUpTo = position;
    if (this.closed) return;
    for (const waiter of this.waiters) if (waiter.durableAdvanced()) this.waiters.delete(waiter);
    this.events.durable();
  }

  /** Sees to it that {@link endTurn} is called when something is due though no turn comes by itself. */
  private setAlarm(): void {
    if (this.closed) return;
    const { health, writer, sync, limits } = this;
    if (health.state.diskFull) this.alarm.set(this.spaceCheckMs);
    if (sync.isRunning && (health.isTroubled || writer.isEmpty)) return;
    if (health.isTroubled) this.alarm.set(health.retryAtMs);
    else if (!writer.isEmpty) this.alarm.set(writer.sinceMs + limits.unwrittenMs);
    else if (sync.unsyncedBytes > 0) this.alarm.set(sync.unsyncedSinceMs + limits.unsyncedMs);
  }

  private wake(): void {
    this.clock.tick();
    this.endTurn();
  }
}
