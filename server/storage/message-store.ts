/**
 * @hot Everything a vhost keeps: the log, the transient lane, what is read back, and the checkpoints.
 *
 * The broker speaks to this class alone. It joins the three things that belong to each step in a message's
 * life: the index of its queue, the record in the log, and the live counter of the record's segment.
 */
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { Checkpointer, type CheckpointSource } from './checkpointer.ts';
import { ChunkStore } from './chunk-store.ts';
import { Compactor, lookAt } from './compactor.ts';
import type { DiskReserve } from './disk-reserve.ts';
import { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import type { ReferenceSink } from './index-home.ts';
import type { RowListener } from './index-row.ts';
import { forEachMessageIn } from './index-walk.ts';
import { LargeFiles } from './large-files.ts';
import type { LogEvents } from './log.ts';
import { MessageLog } from './log.ts';
import { isDiskFull } from './log-health.ts';
import type { LogLimits } from './log-limits.ts';
import type { BlockPool, MemoryBlock } from './memory-block.ts';
import { BLOCK_SIZE, SMALL_BLOCK_SIZE } from './memory-block.ts';
import type { MessageRun } from './message-run.ts';
import {
  offsetOf,
  segmentOf,
  TRANSIENT_POSITION_FIRST,
  TRANSIENT_SEGMENT_FIRST,
} from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import type { ReadListener } from './read-cache.ts';
import { ReadCache } from './read-cache.ts';
import type { LargeBody, MessageParts } from './record-format.ts';
import { SETTLE_REASONS } from './record-format.ts';
import type { Recovered } from './recovery.ts';
import { recover } from './recovery.ts';
import type { RouteSet } from './route-set.ts';
import { LogRowFinder, type LostMessage, messagesAt } from './row-rebuild.ts';
import { segmentFileName } from './segment.ts';
import { StorageError } from './storage-error.ts';
import { TransientLane } from './transient-lane.ts';

/** A checkpoint is due as well when it would let segments of this many bytes go or shrink, this long after the last ... */
const RECLAIM_BYTES = 64 * 1024 * 1024;
const RECLAIM_CHECKPOINT_MS = 1000;
/** ... and for fewer bytes after this long. */
const SMALL_RECLAIM_CHECKPOINT_MS = 5000;
/** Memory that messages for transient queues take before they are spilled to files, in bytes. */
const TRANSIENT_MEMORY_BYTES = 256 * 1024 * 1024;
/** What a read takes that nothing follows, in bytes; one of many in a row takes a block. */
export const READ_BYTES_MIN: number = SMALL_BLOCK_SIZE;
/** Share of a read that the next one reads again, so that most records across a seam are whole in one of them. */
const SEAM_SHARE = 1 / 16;

export type { CheckpointSource } from './checkpointer.ts';

/** Sizes that tests make small, so that what is rare happens often. */
export interface StoreTuning {
  /** Memory that messages for transient queues may take before they are spilled, in bytes. */
  readonly transientMemoryBytes?: number;
  /** Segments with smaller files are not compacted, in bytes. */
  readonly compactedFileSizeMin?: number;
  /** Entries of a full row of an index, a multiple of eight. */
  readonly indexRowEntries?: number;
  /** Sizes and times of the log that differ from the usual ones. */
  readonly limits?: Partial<LogLimits>;
}

/** Where a store is made of. */
export interface MessageStoreOptions extends StoreTuning {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly pool: BlockPool;
  readonly clock: Clock;
  readonly events: LogEvents;
  /** Open files, where several stores share them. */
  readonly cache?: FileCache;
  /** Space that is given up when the disk is full. */
  readonly reserve?: DiskReserve;
  /** Told of damage that is found while the store is open, once. */
  readonly damaged?: (path: string, reason: string) => void;
}

/** The storage of one vhost. */
export class MessageStore {
  readonly log: MessageLog;
  /** The bodies that are too large for records. */
  readonly largeFiles: LargeFiles;
  /** Where the rows of all indexes are kept. */
  readonly chunks: ChunkStore;
  private readonly directory: string;
  private readonly lane: TransientLane;
  private readonly reads: ReadCache;
  private readonly compactor: Compactor;
  private readonly checkpointer: Checkpointer;
  private checkpointedAtMs: number;
  private readonly clock: Clock;
  private readonly sink: ReferenceSink;

  private constructor(
    options: MessageStoreOptions,
    recovered: Recovered,
    cache: FileCache,
    chunks: ChunkStore,
  ) {
    this.directory = options.directory;
    this.chunks = chunks;
    this.log = new MessageLog({
      ...options,
      cache,
      resumption: {
        segments: recovered.segments,
        nextSegment: recovered.nextSegment,
        previousEnd: recovered.end,
      },
    });
    const { fs, directory } = options;
    this.largeFiles = new LargeFiles(fs, cache, directory, this.log, recovered.large);
    for (const { index, sequence, position, bodySize } of recovered.dropped) {
      this.log.settle(index, sequence, position, bodySize, SETTLE_REASONS.dropped);
    }
    this.lane = new TransientLane(
      options.pool,
      options.fs,
      options.directory,
      options.transientMemoryBytes ?? TRANSIENT_MEMORY_BYTES,
      (from, to) => this.reads.forget(from, to),
    );
    const read = (block: MemoryBlock, position: number, length: number) =>
      (position >= TRANSIENT_POSITION_FIRST ? this.lane : this.log).read(block, position, length);
    this.reads = new ReadCache({ read }, options.pool);
    this.compactor = new Compactor(
      options.fs,
      options.directory,
      recovered.tables,
      options.compactedFileSizeMin,
    );
    this.clock = options.clock;
    this.checkpointedAtMs = options.clock.monotonicMs;
    const { log, largeFiles } = this;
    chunks.writtenUpTo = () => log.writtenUpTo;
    chunks.isWaitedFor = () => log.isWaitedFor;
    chunks.spaceRefused = () => log.spaceRefused();
    const finder = new LogRowFinder(fs, () => log.segments);
    chunks.rescue = {
      find: (queue, lost) => finder.find(queue, lost),
      findNow: (queue, lost) => finder.findNow(queue, lost),
      damaged: (path, reason) => options.damaged?.(path, reason),
      lost: (index, row, entries) => this.dropLost(messagesAt(index, row, entries)),
    };
    this.checkpointer = new Checkpointer(fs, directory, { log, chunks, largeFiles }, recovered);
    this.sink = {
      get unwrittenFrom() {
        return log.writtenUpTo;
      },
      release: (position, bytes) => this.release(position, bytes),
      releaseMany: (segment, count, bytes) => {
        if (segment >= TRANSIENT_SEGMENT_FIRST) this.lane.releaseMany(segment, count);
        else log.releaseMany(segment, count, bytes);
      },
    };
  }

  /** Recovers what the directory holds and opens the store behind it. */
  static open(options: MessageStoreOptions): { store: MessageStore; recovered: Recovered } {
    options.fs.makeDirectory(options.directory);
    const cache = options.cache ?? new FileCache(options.fs);
    const chunks = new ChunkStore({
      fs: options.fs,
      directory: options.directory,
      cache,
      rowEntries: options.indexRowEntries,
      nowMs: () => options.clock.monotonicMs,
    });
    const recovered = recover(options.fs, options.directory, chunks, cache);
    return { store: new MessageStore(options, recovered, cache, chunks), recovered };
  }

  /** Gives the index of a queue its home here, unless it has it. */
  adopt(index: QueueIndex): void {
    index.home ??= this.chunks;
  }

  /**
   * HOT per publish. Stores a message once for all queues of `set`; the caller then enters the position into
   * each index.
   */
  publish(message: MessageParts, set: RouteSet): number {
    return set.durable.length > 0
      ? this.log.append(message, set)
      : this.lane.append(message, set.references);
  }

  /** HOT per run. The same for a piece of a run, as large as fits in one place: at least one message. */
  publishRun(run: MessageRun, set: RouteSet): void {
    if (set.durable.length > 0) this.log.appendRun(run, set);
    else this.lane.appendRun(run, set.references);
  }

  /**
   * Enters a stored message into the queues of `set` by reference; the caller then enters its position into each
   * index. Somebody still holds a reference to it. One that no durable queue ever got stays out of theirs: its record
   * is not in the log. `largeFile` holds its body, or is 0; the caller then enters that as well
   * ({@link LargeFiles.enter}).
   */
  enqueue(position: number, bodySize: number, set: RouteSet, largeFile: number = 0): void {
    const isTransient = position >= TRANSIENT_POSITION_FIRST;
    if (set.durable.length > 0) {
      if (isTransient) throw new Error(`a durable queue cannot refer to position ${position}`);
      this.log.enqueue(position, bodySize, set, largeFile);
    } else if (isTransient) this.lane.refer(position, set.references);
    else this.log.refer(position, bodySize, set.references);
  }

  /** HOT per ack. A taken message has left its queue for good. */
  settle(
    index: QueueIndex,
    sequence: number,
    position: number,
    bodySize: number,
    reason: number,
  ): void {
    index.settle(sequence, position, bodySize);
    if (index.durable) this.log.settle(index, sequence, position, bodySize, reason);
    this.release(position, bodySize);
    if (index.large !== null) this.largeFiles.settle(index, sequence);
  }

  /**
   * HOT per run. Messages that were taken have left their queue for good: `count` of them, entries of one row of the
   * index from `sequence` on; their positions, `positions[from..]`, ascend and lie in one segment.
   */
  settleRun(
    index: QueueIndex,
    sequence: number,
    count: number,
    positions: Float64Array,
    from: number,
    bodyBytes: number,
    reason: number,
  ): void {
    const position = positions[from]!;
    if (position >= TRANSIENT_POSITION_FIRST) this.lane.releaseMany(segmentOf(position), count);
    else this.log.releaseRun(positions, from, count, bodyBytes);
    index.settleRun(sequence, count, position, bodyBytes);
    if (index.durable) this.log.settleRun(index, sequence, count, position, bodyBytes, reason);
    if (index.large === null) return;
    for (let i = 0; i < count; i++) this.largeFiles.settle(index, sequence + i);
  }

  /**
   * A message with a large body was stored by {@link publish}, and its position entered into `indexes`: from now on
   * they keep the body's file.
   */
  keepLarge(body: LargeBody, indexes: readonly QueueIndex[]): void {
    this.largeFiles.keep(
      body,
      indexes.some((index) => index.durable),
    );
    for (const index of indexes) this.largeFiles.enter(index, body.file);
    this.largeFiles.release(body.file);
  }

  /** Taken messages come back; `entries` holds sequence number, position and body size in turn. */
  requeue(index: QueueIndex, entries: readonly number[]): void {
    const recorded: number[] = [];
    for (let i = 0; i < entries.length; i += 3) {
      const count = index.requeue(entries[i]!, entries[i + 1]!, entries[i + 2]!);
      recorded.push(entries[i]!, count);
    }
    if (index.durable && recorded.length > 0) this.log.requeue(index, recorded);
  }

  /**
   * Drops all ready messages of a queue; returns their number.
   */
  purge(index: QueueIndex): number {
    const upTo = index.nextSequence - 1;
    const count = index.purgeReady(this.sink);
    if (index.durable && count > 0) {
      this.log.purge(index, upTo, index.unackedBytes, index.unsettledRanges());
    }
    if (index.large !== null) this.largeFiles.settleMany(index);
    return count;
  }

  /** The queue is gone: nothing of it is needed any more. Its delete is a definition of its own. */
  dropIndex(index: QueueIndex): void {
    index.settledRanges.length = 0;
    index.drop(this.sink);
    this.chunks.files.dropped(index);
    this.checkpointer.noteDropped(index);
    if (index.large !== null) this.largeFiles.settleMany(index);
  }

  /** HOT per message and queue. Gives up one reference to a record, whose body has `bytes` octets. */
  release(position: number, bytes: number): void {
    if (position >= TRANSIENT_POSITION_FIRST) this.lane.release(position);
    else this.log.release(position, bytes);
  }

  /** Takes messages out of their queues that are in no batch any more, but for those that somebody holds. */
  private dropLost(messages: readonly LostMessage[]): void {
    for (const { index, sequence, position, bodySize } of messages) {
      if (!index.dropReady(sequence, position, bodySize)) continue;
      this.log.settle(index, sequence, position, bodySize, SETTLE_REASONS.dropped);
      this.log.releaseMany(segmentOf(position), 1, bodySize);
      if (index.large !== null) this.largeFiles.settle(index, sequence);
    }
  }

  /** Reads the row that the next message of an index is in; `listener` is called later, never from here. */
  loadRow(index: QueueIndex, listener: RowListener): void {
    this.chunks.load(index, index.cursorRow!, listener);
  }

  /** The block that holds the whole record at `position`, or null when it has to be read first. */
  locate(position: number): MemoryBlock | null {
    const isTransient = position >= TRANSIENT_POSITION_FIRST;
    const recent = isTransient ? this.lane.locate(position) : this.log.locate(position);
    return recent ?? this.reads.locate(position);
  }

  /**
   * Reads the record at `position`, which {@link locate} does not find, with what lies around it: reads begin at fixed
   * offsets, so that queues whose messages lie interleaved share them. A record that runs past the end of its read
   * is found whole after a second one. `listener` is called later, never from here.
   *
   * @param length bytes to read: {@link READ_BYTES_MIN} or, for one of many in a row, {@link BLOCK_SIZE}
   */
  fetch(position: number, length: number, listener: ReadListener): void {
    const from = readStart(position, length);
    const size = this.reads.sizeAt(position);
    if (position + size > from + length) this.read(position, size, position, listener);
    else this.read(from, length, position, listener);
  }

  private read(from: number, length: number, position: number, listener: ReadListener): void {
    // What the file holds behind that may not be what it will hold in the end.
    const { writtenUpTo } = this.log;
    const isTransient = from >= TRANSIENT_POSITION_FIRST;
    const bytes = isTransient ? length : Math.min(length, writtenUpTo - from);
    this.reads.read(from, bytes, (error, end) => {
      listener(error ?? this.cutShort(position, from + bytes, end));
    });
  }

  /** What is wrong where a read up to `wantedEnd` reached `end`, and the record at `position` is not whole. */
  private cutShort(position: number, wantedEnd: number, end: number): StorageError | null {
    if (end >= wantedEnd || this.reads.locate(position) !== null) return null;
    const name = segmentFileName(segmentOf(position));
    return new StorageError(
      join(this.directory, name),
      `ends within the record at ${offsetOf(position)}`,
    );
  }

  /** Reads what follows `block`, a full one, before it is asked for, unless it is in memory. */
  readAhead(block: MemoryBlock): void {
    const { start, used } = block;
    const next = start + BLOCK_SIZE * (1 - SEAM_SHARE);
    const isFull = used === BLOCK_SIZE && start === readStart(start, BLOCK_SIZE);
    if (!isFull || start + used >= this.log.writtenUpTo || this.locate(start + used) !== null) {
      return;
    }
    this.read(next, BLOCK_SIZE, next, () => {});
  }

  /** Appends a definition; returns the record's position: it counts once that is durable. */
  define(action: number, queue: number, frame: Buffer): number {
    this.checkpointer.noteDefinition();
    return this.log.define(action, queue, frame);
  }

  /** True when the log has grown enough for the next checkpoint, or one would give back much of the disk. */
  get checkpointDue(): boolean {
    if (this.checkpointer.isBusy) return false;
    if (this.checkpointer.isDue) return true;
    if (this.log.state.diskFull) return this.log.isSegmentSpent || this.reclaimableBytes() > 0;
    const sinceMs = this.clock.monotonicMs - this.checkpointedAtMs;
    if (sinceMs < RECLAIM_CHECKPOINT_MS) return false;
    return this.reclaimableBytes() >= (sinceMs < SMALL_RECLAIM_CHECKPOINT_MS ? RECLAIM_BYTES : 1);
  }

  /** Bytes of segments that could go or shrink if the kept checkpoints did not begin before their end. */
  private reclaimableBytes(): number {
    const { log } = this;
    const reachable = log.segmentsBefore(this.checkpointer.oldestReplayStart).length;
    return log
      .segmentsBefore(log.end)
      .slice(reachable)
      .filter((segment) => segment.live === 0 || this.compactor.isCandidate(segment))
      .reduce((sum, { fileSize }) => sum + fileSize, 0);
  }

  /**
   * Deletes the segments that nobody needs any more, as far as the kept checkpoints allow; on a full disk what a crash
   * has left of large bodies, too.
   *
   * @throws StorageError when the disk refuses
   */
  deleteSpentSegments(): void {
    if (this.log.state.diskFull) this.checkpointer.makeRoom();
    this.log.deleteSegmentsBefore(this.checkpointer.oldestReplayStart);
  }

  /** True when a segment is worth to be rewritten. */
  get compactionDue(): boolean {
    if (this.compactor.isBusy) return false;
    return this.log
      .segmentsBefore(this.checkpointer.oldestReplayStart)
      .some((segment) => this.compactor.isCandidate(segment));
  }

  /**
   * Writes a checkpoint, in slices between turns, and deletes the segments nobody needs any more. `clean`
   * says that nothing follows it.
   *
   * @throws StorageError when the disk refuses; the checkpoints before still count
   */
  async checkpoint(source: CheckpointSource, clean: boolean): Promise<void> {
    this.checkpointedAtMs = this.clock.monotonicMs;
    try {
      if (this.log.state.diskFull && this.log.isSegmentSpent) {
        await this.log.syncAll();
        this.log.beginSegment();
      }
      await this.checkpointer.write(source, clean);
    } catch (error) {
      this.refused(error);
    }
  }

  /** A full disk is a state of all that write to it. */
  private refused(error: unknown): never {
    if (error instanceof StorageError && isDiskFull(error)) this.log.spaceRefused();
    throw error;
  }

  /**
   * Rewrites the segment of which the least is left, if that is worth it: see compactor.ts.
   *
   * @returns whether one is smaller now: there may be more to do
   * @throws StorageError when that failed; nothing is lost by it
   */
  compact(source: CheckpointSource): Promise<boolean> {
    const segments = this.log.segmentsBefore(this.checkpointer.oldestReplayStart);
    const compacting = this.compactor.compactOne(segments, {
      forEachPositionIn: async (number, visit) => {
        const indexes = source.allIndexes();
        await forEachMessageIn(indexes, this.chunks, number, (_index, _sequence, position) =>
          visit(position),
        );
        await this.log.syncAll();
      },
    });
    return compacting.catch((error: unknown) => this.refused(error));
  }

  /**
   * Gives memory back that queues which have come to rest do not need, and looks which segments are being emptied.
   * Called now and then.
   */
  sweep(): void {
    this.chunks.sweep();
    lookAt(this.log.segments.values());
  }

  /** Gives memory back that saves reading files: nobody publishes or consumes. */
  rest(): void {
    this.log.rest();
    this.reads.clear();
    this.chunks.rest();
  }

  /** Ends what goes on in the background; resolves when it has ended. */
  stopCompaction(): Promise<void> {
    return this.compactor.stop();
  }

  /** Frees memory and closes files. Whoever wants a clean stop writes a checkpoint before. */
  close(): void {
    this.reads.close();
    this.largeFiles.close();
    this.log.close();
    this.lane.close();
    this.chunks.close();
  }
}

/** The position at which the read of `length` bytes begins that has the record at `position`. */
function readStart(position: number, length: number): number {
  const offset = offsetOf(position);
  return position - (offset % (length * (1 - SEAM_SHARE)));
}
