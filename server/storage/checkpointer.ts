/**
 * Writes the checkpoints of a vhost, in slices between turns, and deletes what is not needed behind them.
 *
 * The steps, in this order: definitions if they changed; the part of each queue that changed since the base, after
 * all batches before it were written; a sync of the log past the last part; the chunk files; the checkpoint itself;
 * then what only older ones needed: checkpoints, segments, slots and chunk files, and free slots at the ends of those.
 *
 * A checkpoint is a delta to a base while the deltas stay below half of the base's size. Kept are the newest two and
 * the bases they name. One that fails changes nothing: the ones before still count, and its number is used again.
 */
import { join } from 'node:path';
import { nextTurn } from '../base/next-turn.ts';
import {
  type CheckpointHead,
  checkpointFileName,
  checkpointNumberOf,
  crcOfCheckpoint,
  encodeCheckpoint,
} from './checkpoint-format.ts';
import type { ChunkStore } from './chunk-store.ts';
import {
  DEFINITIONS_FILE,
  type Definition,
  encodeDefinition,
  encodeDefinitionsHead,
} from './definitions-format.ts';
import type { FileSystem } from './fs.ts';
import { encodePart } from './index-part.ts';
import type { LargeFiles } from './large-files.ts';
import type { MessageLog } from './log.ts';
import type { CheckpointedState, QueueIndex } from './queue-index.ts';
import type { Recovered } from './recovery.ts';
import { replaceFile } from './replace-file.ts';

/** A checkpoint is due when the log has grown by this many bytes. */
const CHECKPOINT_LOG_BYTES = 64 * 1024 * 1024;
/** Checkpoints kept: the newest, and one to fall back to. */
const CHECKPOINTS_KEPT = 2;
/** A delta of this share of its base is written as a new base. */
const DELTA_SHARE_MAX = 0.5;
/** ... and so is one this many checkpoints after the last base, which holds slots that nobody else needs. */
const DELTAS_MAX = 32;
/** Queues looked at, and rows encoded, between two turns of the event loop. */
const QUEUES_PER_SLICE = 64;
const ROWS_PER_SLICE = 256;
/** Definitions encoded between two turns. */
const DEFINITIONS_PER_SLICE = 1000;

/** What the store asks of the broker when it writes a checkpoint. */
export interface CheckpointSource {
  /** The indexes of all durable queues. */
  durableIndexes(): readonly QueueIndex[];
  /** The indexes of all queues, durable or not. */
  allIndexes(): readonly QueueIndex[];
  /** All durable exchanges, queues and bindings as they are at the call; their frames may be made as they are read. */
  definitions(): Iterable<Definition>;
  /** The number that the next durable queue gets. */
  nextQueueNumber(): number;
}

/** What a checkpoint is taken of. */
export interface CheckpointSubjects {
  readonly log: MessageLog;
  readonly chunks: ChunkStore;
  readonly largeFiles: LargeFiles;
}

/** A checkpoint that a boot may begin with. */
interface KeptCheckpoint {
  readonly number: number;
  readonly replayFrom: number;
  readonly base: number;
  /** The attempt that wrote it, and that of its base. */
  readonly attempt: number;
  readonly baseAttempt: number;
}

interface Base {
  readonly number: number;
  readonly attempt: number;
  readonly size: number;
  readonly crc: number;
}

/** The parts of a checkpoint under way. */
interface Parts {
  readonly encoded: Buffer[];
  readonly states: Map<QueueIndex, CheckpointedState>;
  readonly unchanged: QueueIndex[];
  size: number;
  replayFrom: number;
}

/** Writes checkpoints. */
export class Checkpointer {
  private readonly fs: FileSystem;
  private readonly directory: string;
  private readonly log: MessageLog;
  private readonly chunks: ChunkStore;
  private readonly largeFiles: LargeFiles;
  /** False after damage: whatever lies about may still be of use. */
  private readonly deletes: boolean;
  private readonly firstNumber: number;
  private nextNumber: number;
  /** Newest last. */
  private readonly kept: KeptCheckpoint[];
  private base: Base | null;
  /** Queues in the base that are gone. */
  private gone: number[];
  private definitionsChanged: boolean;
  private definitionsPosition: number;
  private underWay: Promise<void> | null;
  /** A clean one was asked for. */
  private isEnding: boolean;
  // What the slice under way has done.
  private sliceQueues: number;
  private sliceRows: number;

  constructor(
    fs: FileSystem,
    directory: string,
    { log, chunks, largeFiles }: CheckpointSubjects,
    recovered: Recovered,
  ) {
    this.fs = fs;
    this.directory = directory;
    this.log = log;
    this.chunks = chunks;
    this.largeFiles = largeFiles;
    this.deletes = recovered.damage.every(({ isMended }) => isMended);
    if (!this.deletes) chunks.files.deleteNothing();
    this.firstNumber = recovered.nextCheckpoint;
    this.nextNumber = recovered.nextCheckpoint;
    const { checkpoint } = recovered;
    this.kept = checkpoint === null ? [] : [{ ...checkpoint, attempt: 0, baseAttempt: 0 }];
    this.base = null;
    this.gone = [];
    this.definitionsChanged = true;
    this.definitionsPosition = 0;
    this.underWay = null;
    this.isEnding = false;
    this.sliceQueues = 0;
    this.sliceRows = 0;
  }

  /** True when the log has grown enough for the next checkpoint. */
  get isDue(): boolean {
    return !this.isBusy && this.log.appendedBytes >= CHECKPOINT_LOG_BYTES;
  }

  /** True while one is written. */
  get isBusy(): boolean {
    return this.underWay !== null;
  }

  /** Replay of a kept checkpoint may begin here: what lies before is not read again. After damage everything may be. */
  get oldestReplayStart(): number {
    if (!this.deletes || this.kept.length < CHECKPOINTS_KEPT) return 0;
    return Math.min(...this.kept.map(({ replayFrom }) => replayFrom));
  }

  /** A definition was appended to the log. */
  noteDefinition(): void {
    this.definitionsChanged = true;
  }

  /** A queue is gone. */
  noteDropped(index: QueueIndex): void {
    if (this.base === null || index.checkpointed?.attempt !== this.base.attempt) return;
    this.gone.push(index.number);
  }

  /**
   * The disk is full, perhaps too full for the first checkpoint of this run: bodies that a crash has left without a
   * record go before it. What the boot has read of the log is stable, so no record of theirs can come back.
   */
  makeRoom(): void {
    if (this.deletes) this.largeFiles.deleteLeftovers();
  }

  /**
   * Writes a checkpoint, and deletes what nobody needs any more. `clean` says that nothing follows it: one that is not,
   * and waits for its turn, is not written any more.
   *
   * @throws StorageError when the disk refuses; the checkpoints before still count
   */
  async write(source: CheckpointSource, clean: boolean): Promise<void> {
    this.isEnding ||= clean;
    while (this.underWay !== null) await this.underWay.catch(() => {});
    if (this.isEnding && !clean) return;
    this.underWay = this.run(source, clean).finally(() => {
      this.chunks.files.endParts();
      this.underWay = null;
    });
    return this.underWay;
  }

  private async run(source: CheckpointSource, clean: boolean): Promise<void> {
    const { log, chunks } = this;
    log.appendedBytes = 0;
    log.endGap();
    // Without a change the file is as true at the end of the log as it was where it was written.
    if (this.definitionsChanged) await this.writeDefinitions(source, !clean);
    else this.definitionsPosition = log.end;
    chunks.files.beginAttempt();
    const { attempt } = chunks.files;
    await chunks.repair();
    const parts = await this.encodeParts(source.durableIndexes(), !clean);
    const { base } = this;
    const isBase =
      base === null ||
      parts.size > DELTA_SHARE_MAX * base.size ||
      this.nextNumber - base.number > DELTAS_MAX;
    if (isBase) await this.encodeRest(parts, !clean);
    const gone = isBase ? [] : [...this.gone];
    chunks.files.endParts();
    log.endTurn();
    const head: CheckpointHead = {
      clean,
      replayFrom: parts.replayFrom,
      logEnd: log.end,
      nextLargeFile: this.largeFiles.nextFile,
      base: isBase ? this.nextNumber : base.number,
      baseCrc: isBase ? 0 : base.crc,
      rowEntries: chunks.rowEntries,
    };
    await log.syncAll();
    await chunks.files.sync();
    const content = encodeCheckpoint(head, parts.encoded, gone);
    await replaceFile(this.fs, join(this.directory, checkpointFileName(this.nextNumber)), content);
    if (isBase) this.useBase(parts, attempt, content);
    await this.written(head, attempt);
    await chunks.files.cutTails();
  }

  /** Encodes the parts of the queues that changed since the base. */
  private async encodeParts(indexes: readonly QueueIndex[], inSlices: boolean): Promise<Parts> {
    const parts: Parts = {
      encoded: [],
      states: new Map(),
      unchanged: [],
      size: 0,
      replayFrom: this.definitionsPosition,
    };
    this.beginSlice();
    for (const index of indexes) {
      if (this.isSliceFull && inSlices) await this.nextSlice();
      this.sliceQueues++;
      if (index.dropped || isPristine(index)) continue;
      if (this.base !== null && isUnchanged(index, this.base.attempt)) parts.unchanged.push(index);
      else this.encodeInto(parts, index);
    }
    return parts;
  }

  /** Encodes the others as well: it becomes a base. */
  private async encodeRest(parts: Parts, inSlices: boolean): Promise<void> {
    for (const index of parts.unchanged) {
      if (this.isSliceFull && inSlices) await this.nextSlice();
      this.sliceQueues++;
      if (!index.dropped) this.encodeInto(parts, index);
    }
  }

  private encodeInto(parts: Parts, index: QueueIndex): void {
    const { chunks, log } = this;
    const part = encodePart(index, log.end, (of, row) => chunks.store(of, row));
    this.sliceRows += index.rows.length;
    parts.encoded.push(part);
    parts.size += part.length;
    parts.replayFrom = Math.min(parts.replayFrom, log.end);
    parts.states.set(index, stateOf(index, chunks.files.attempt));
  }

  private get isSliceFull(): boolean {
    return this.sliceQueues >= QUEUES_PER_SLICE || this.sliceRows >= ROWS_PER_SLICE;
  }

  private async nextSlice(): Promise<void> {
    await nextTurn();
    this.beginSlice();
  }

  /** A part tells only of messages that lie in the file: none of them can become a gap. */
  private beginSlice(): void {
    this.log.writeAll();
    this.sliceQueues = 0;
    this.sliceRows = 0;
  }

  private async writeDefinitions(source: CheckpointSource, inSlices: boolean): Promise<void> {
    const position = this.log.end;
    const head = { position, nextQueueNumber: source.nextQueueNumber() };
    this.definitionsChanged = false;
    const encoded = [encodeDefinitionsHead(head)];
    for (const definition of source.definitions()) {
      if (inSlices && encoded.length % DEFINITIONS_PER_SLICE === 0) await nextTurn();
      encoded.push(encodeDefinition(definition));
    }
    const bytes = Buffer.concat(encoded);
    try {
      // The file may name what the log does not hold yet: it counts only with the log.
      await this.log.syncAll();
      await replaceFile(this.fs, join(this.directory, DEFINITIONS_FILE), bytes);
    } catch (error) {
      this.definitionsChanged = true;
      throw error;
    }
    this.definitionsPosition = position;
  }

  private useBase(parts: Parts, attempt: number, content: Buffer): void {
    this.base = {
      number: this.nextNumber,
      attempt,
      size: content.length,
      crc: crcOfCheckpoint(content),
    };
    this.gone = [];
    for (const [index, state] of parts.states) {
      index.checkpointed = state;
      // It went after its part was encoded.
      if (index.dropped) this.gone.push(index.number);
    }
  }

  private async written({ replayFrom, base }: CheckpointHead, attempt: number): Promise<void> {
    const number = this.nextNumber++;
    this.kept.push({ number, replayFrom, base, attempt, baseAttempt: this.base!.attempt });
    const isFull = this.kept.length >= CHECKPOINTS_KEPT;
    while (this.kept.length > CHECKPOINTS_KEPT) this.kept.shift();
    if (isFull) await this.deleteOldCheckpoints();
    const attempts = this.kept.flatMap((kept) => [kept.attempt, kept.baseAttempt]);
    this.chunks.files.keep(isFull && this.deletes ? attempts : [0, ...attempts]);
    if (isFull) this.log.deleteSegmentsBefore(this.oldestReplayStart);
    if (this.deletes) this.largeFiles.deleteLeftovers();
  }

  private async deleteOldCheckpoints(): Promise<void> {
    const needed = new Set(this.kept.flatMap(({ number, base }) => [number, base]));
    for (const name of this.fs.list(this.directory)) {
      const number = checkpointNumberOf(name);
      if (number < 0 || needed.has(number) || (!this.deletes && number < this.firstNumber))
        continue;
      await this.fs.deleteLater(join(this.directory, name));
    }
  }
}

/** Whether no message ever entered: recovery needs to be told nothing. */
function isPristine(index: QueueIndex): boolean {
  return index.nextSequence === 1 && index.reservedUpTo === 0;
}

function stateOf(index: QueueIndex, attempt: number): CheckpointedState {
  return {
    attempt,
    nextSequence: index.nextSequence,
    unsettledCount: index.readyCount + index.unackedCount,
    reservedUpTo: index.reservedUpTo,
    requeueCount: index.requeueCount,
  };
}

function isUnchanged(index: QueueIndex, baseAttempt: number): boolean {
  const state = index.checkpointed;
  return (
    state !== null &&
    state.attempt === baseAttempt &&
    state.nextSequence === index.nextSequence &&
    state.unsettledCount === index.readyCount + index.unackedCount &&
    state.reservedUpTo === index.reservedUpTo &&
    state.requeueCount === index.requeueCount
  );
}
