/**
 * What a vhost's directory says: newest readable checkpoint, definitions, and the log behind them.
 *
 * - Where the log ends, and what of it is damaged, is decided in segment-recovery.ts.
 * - Recovery never refuses to start: what cannot be read is reported in `damage` and left out.
 * - It knows queues by number only; the broker gives them their names from the definition frames.
 */
import { join, relative } from 'node:path';
import { ByteArea } from '../base/byte-area.ts';
import type { BatchHeader, DecodedFooter } from './batch-format.ts';
import { BATCH_HEADER_SIZE, readFooter, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { checkpointNumberOf } from './checkpoint-format.ts';
import { readNewestCheckpoint, type UsableCheckpoint } from './checkpoint-reader.ts';
import type { ChunkStore } from './chunk-store.ts';
import { readBlock } from './compacted-format.ts';
import { TableCache } from './compacted-reader.ts';
import { deleteUnfinished } from './compactor.ts';
import { type Damage, DamageLog } from './damage.ts';
import type { Definition } from './definitions-format.ts';
import { DEFINITIONS_FILE, decodeDefinitions } from './definitions-format.ts';
import { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import {
  discardAllBut,
  discardIn,
  discardRange,
  finishReplay,
  restoreDeliveryCount,
  restoreMessage,
} from './index-replay.ts';
import { TRIPLET } from './index-row.ts';
import { LARGE_FOLDER, largeFileName } from './large-file-format.ts';
import type { DroppedMessage, RecoveredLargeFiles } from './large-recovery.ts';
import { recoverLargeFiles } from './large-recovery.ts';
import { offsetOf, positionAt, segmentOf } from './position.ts';
import { QueueIndex } from './queue-index.ts';
import type { RecordVisitor } from './record-format.ts';
import {
  bodySizeAt,
  DEFINITION_ACTIONS,
  enqueuedPositionAt,
  type LargeReference,
  largeFileAt,
  RECORD_ENQUEUE,
  recordSizeAt,
  visitRecord,
} from './record-format.ts';
import { LogRowFinder, type LostMessage, messagesAt } from './row-rebuild.ts';
import { type Segment, segmentFileName, segmentNumberOf } from './segment.ts';
import type { SegmentStretch } from './segment-files.ts';
import { type SegmentOnDisk, SegmentRecovery } from './segment-recovery.ts';
import type { ChunkRescue } from './slot-mender.ts';

/** The state of a vhost as its directory tells it. */
export interface Recovered {
  /** Whether the server stopped in order. */
  readonly clean: boolean;
  readonly segments: readonly Segment[];
  readonly nextSegment: number;
  /** Position at which the log ends. */
  readonly end: number;
  /** Declarations, bindings, deletes: applied in this order they give the vhost's topology. */
  readonly definitions: readonly Definition[];
  readonly nextQueueNumber: number;
  /** The messages of every queue by its number; also of queues that no definition explains. */
  readonly queues: ReadonlyMap<number, QueueIndex>;
  readonly nextCheckpoint: number;
  /** The checkpoint used; null without one. */
  readonly checkpoint: UsableCheckpoint | null;
  readonly large: RecoveredLargeFiles;
  /** Messages that have left their queues for want of a body; the log does not know yet. */
  readonly dropped: readonly LostMessage[];
  readonly damage: readonly Damage[];
  /** Where the compacted segments keep their offset tables. */
  readonly tables: TableCache;
}

/**
 * Reads the directory of a vhost; it is left as it is, but for a torn tail of the log. All that is read back is
 * stable afterwards: after a kill it may have been in the page cache alone. The files of the segments found are open
 * in `cache`.
 */
export function recover(
  fs: FileSystem,
  directory: string,
  chunks: ChunkStore,
  cache: FileCache = new FileCache(fs),
): Recovered {
  return new Recovery(fs, directory, chunks, cache).run();
}

const NO_FOOTER: DecodedFooter = { numbers: [], firsts: [], sets: [] };

class Recovery implements RecordVisitor {
  private readonly fs: FileSystem;
  private readonly directory: string;
  private readonly chunks: ChunkStore;
  private readonly damage: DamageLog;
  private readonly definitions: Definition[];
  private definitionsPosition: number;
  private nextQueueNumber: number;
  private readonly queues: Map<number, QueueIndex>;
  /** Sum of the body sizes of each queue's unsettled messages. */
  private readonly bytes: Map<number, number>;
  private readonly partPositions: Map<number, number>;
  private readonly deletedQueues: Set<number>;
  /** All before it is known to be synced. */
  private syncedUpTo: number;
  /** Large bodies that replayed records name, by file number. */
  private readonly largeBodies: Map<number, LargeReference>;
  /** Those of them that may not be whole. */
  private readonly unsyncedLarge: Set<number>;
  private readonly segments: SegmentRecovery;
  private readonly tables: TableCache;
  /** Messages of damaged rows that are in no batch. */
  private readonly unfound: LostMessage[];

  // The batch being visited.
  private batchPosition: number;
  /** Position of the first octet of the area in which it lies. */
  private areaPosition: number;
  private footer: DecodedFooter;

  constructor(fs: FileSystem, directory: string, chunks: ChunkStore, cache: FileCache) {
    this.fs = fs;
    this.directory = directory;
    this.chunks = chunks;
    this.damage = new DamageLog(fs, directory);
    this.unfound = [];
    this.definitions = [];
    this.definitionsPosition = 0;
    this.nextQueueNumber = 1;
    this.queues = new Map();
    this.bytes = new Map();
    this.partPositions = new Map();
    this.deletedQueues = new Set();
    this.syncedUpTo = 0;
    this.largeBodies = new Map();
    this.unsyncedLarge = new Set();
    this.tables = new TableCache();
    this.segments = new SegmentRecovery(fs, cache, directory, this.tables, this.damage);
    this.batchPosition = 0;
    this.areaPosition = 0;
    this.footer = NO_FOOTER;
  }

  run(): Recovered {
    deleteUnfinished(this.fs, this.directory);
    const names = this.fs.list(this.directory);
    this.readDefinitions();
    const checkpoint = this.readCheckpoint(names);
    this.takeParts(checkpoint);
    const replayFrom = checkpoint?.replayFrom ?? 0;
    const known = [checkpoint?.logEnd ?? 0, this.definitionsPosition];
    const onDisk = this.segments.open(names, replayFrom);
    this.chunks.rescue = this.rescueFrom(onDisk);
    const told = [...onDisk.values()].map(({ content }) => content.syncedUpTo);
    // The start of a segment says nothing: it was the end of the log before there was a file.
    const positions = [...known, ...told].filter((p) => offsetOf(p) > SEGMENT_HEADER_SIZE);
    const syncedUpTo = Math.max(0, ...positions);
    this.syncedUpTo = syncedUpTo;
    const end = this.segments.settle(onDisk, replayFrom, syncedUpTo);
    for (const segment of onDisk.values()) this.replay(segment, end);
    const clean = checkpoint?.clean === true && end <= checkpoint.logEnd;
    const segments = [...onDisk.values()].map(({ segment }) => segment);
    const { files: large, dropped } = this.recoverLarge(checkpoint, onDisk);
    this.finishQueues(segments);
    this.damage.save();
    return {
      clean,
      segments,
      // Never a number again that a checkpoint or the definitions speak of, though its file be gone.
      nextSegment: Math.max(...known.map(segmentOf), ...names.map(segmentNumberOf)) + 1,
      end,
      definitions: this.definitions,
      nextQueueNumber: this.nextQueueNumber,
      queues: this.queues,
      nextCheckpoint: Math.max(-1, ...names.map(checkpointNumberOf)) + 1,
      checkpoint,
      large,
      dropped: [...dropped, ...this.unfound],
      damage: this.damage.found,
      tables: this.tables,
    };
  }

  private report(name: string, reason: string): void {
    this.damage.report(name, reason);
  }

  /** Finds again what a damaged slot of a chunk file should say. */
  private rescueFrom(onDisk: ReadonlyMap<number, SegmentOnDisk>): ChunkRescue {
    const segments = (): ReadonlyMap<number, Segment> =>
      new Map(Array.from(onDisk, ([number, { segment }]) => [number, segment]));
    const finder = new LogRowFinder(this.fs, segments);
    return {
      find: (queue, lost) => finder.find(queue, lost),
      findNow: (queue, lost) => finder.findNow(queue, lost),
      damaged: (path, reason) => this.damage.report(relative(this.directory, path), reason, true),
      lost: (index, row, entries) => {
        for (const message of messagesAt(index, row, entries)) this.unfound.push(message);
      },
    };
  }

  private readDefinitions(): void {
    const bytes = this.fs.readFile(join(this.directory, DEFINITIONS_FILE));
    if (bytes === null) return;
    const file = decodeDefinitions(bytes);
    if (typeof file === 'string') {
      this.report(DEFINITIONS_FILE, `${file}: definitions are taken from the log alone`);
      this.damage.keep(DEFINITIONS_FILE, bytes);
      return;
    }
    for (const reason of file.damage) this.report(DEFINITIONS_FILE, reason);
    if (file.damage.length > 0) this.damage.keep(DEFINITIONS_FILE, bytes);
    this.definitions.push(...file.definitions);
    this.definitionsPosition = file.position;
    this.nextQueueNumber = file.nextQueueNumber;
  }

  private readCheckpoint(names: readonly string[]): UsableCheckpoint | null {
    return readNewestCheckpoint(this.fs, this.directory, names, this.chunks, this.damage);
  }

  private takeParts(checkpoint: UsableCheckpoint | null): void {
    for (const part of checkpoint?.parts ?? []) {
      // After a stop in order nothing is with a consumer; what was delivered since has its own record.
      if (checkpoint?.clean === true) part.index.reservedUpTo = 0;
      this.queues.set(part.index.number, part.index);
      this.bytes.set(part.index.number, part.bytes);
      this.partPositions.set(part.index.number, part.position);
      this.seeQueueNumber(part.index.number);
    }
  }

  // --- replay ----------------------------------------------------------------------------------

  /** Applies the batches before `end`. */
  private replay({ segment, content }: SegmentOnDisk, end: number): void {
    if (segment.isCompacted && content.length > 0) this.replayCompacted(segment);
    let stretch: SegmentStretch | null = null;
    for (const batch of content.batches) {
      if (batch.position >= end || batch.isGap) continue;
      const at = offsetOf(batch.position);
      if (stretch === null || at + batch.length > stretch.end) {
        stretch = this.segments.stretch(segment, at, batch.length);
      }
      this.replayBatch(stretch, batch);
    }
  }

  /** Without a checkpoint: what is left of a segment says which queues it belongs to. */
  private replayCompacted(segment: Segment): void {
    const area = new ByteArea(this.segments.read(segment));
    const { number, salt, scanStart, scanEnd } = segment;
    const enter = (original: number, placements: readonly number[], at: number) => {
      this.batchPosition = positionAt(number, original);
      this.enterPlacements(area.view, at, placements);
    };
    for (let at = scanStart; at < scanEnd; ) {
      at = readBlock(area, at, scanEnd, salt, recordSizeAt, enter);
      if (at >= 0) continue;
      this.report(segmentFileName(number), 'a block is damaged: the rest is skipped');
      return;
    }
  }

  /** Enters a message, or what an enqueue record leads to, under the numbers it has. */
  private enterPlacements(view: DataView, at: number, placements: readonly number[]): void {
    const isEnqueue = view.getUint8(at) === RECORD_ENQUEUE;
    const position = isEnqueue ? enqueuedPositionAt(view, at) : this.batchPosition;
    const largeFile = largeFileAt(view, at);
    for (let i = 0; i < placements.length; i += 2) {
      const queue = placements[i]!;
      this.seeQueueNumber(queue);
      this.enterInto(queue, placements[i + 1]!, position, bodySizeAt(view, at), largeFile);
    }
  }

  /** Enters a message into one queue, unless that one is gone or knows of it. */
  private enterInto(
    queue: number,
    sequence: number,
    position: number,
    bodySize: number,
    largeFile: number,
  ): void {
    const index = this.queueFor(queue);
    if (index === null || sequence < index.nextSequence) return;
    restoreMessage(index, sequence, position, bodySize);
    if (largeFile > 0) index.noteLarge(sequence, largeFile);
    this.addBytes(queue, bodySize);
  }

  private replayBatch({ area, start: areaStart }: SegmentStretch, batch: BatchHeader): void {
    const start = offsetOf(batch.position) - areaStart;
    const footerAt = start + batch.footerAt;
    this.batchPosition = batch.position;
    this.areaPosition = batch.position - start;
    this.footer = readFooter(area.view, footerAt, batch.rowCount);
    for (const number of this.footer.numbers) this.seeQueueNumber(number);
    let at = start + BATCH_HEADER_SIZE;
    while (at < footerAt) {
      const next = visitRecord(area, at, this);
      if (next < 0) {
        this.report(
          segmentFileName(segmentOf(batch.position)),
          `unknown record at ${areaStart + at}: batch is left`,
        );
        return;
      }
      at = next;
    }
  }

  private seeQueueNumber(number: number): void {
    this.nextQueueNumber = Math.max(this.nextQueueNumber, number + 1);
  }

  /** The queue, when the batch being visited concerns it; null when deleted or told by the checkpoint. */
  private queueFor(number: number): QueueIndex | null {
    if (this.deletedQueues.has(number)) return null;
    if (this.batchPosition < (this.partPositions.get(number) ?? 0)) return null;
    let index = this.queues.get(number);
    if (index === undefined) {
      index = new QueueIndex(number, true);
      index.home = this.chunks;
      this.queues.set(number, index);
      this.seeQueueNumber(number);
    }
    return index;
  }

  private addBytes(number: number, bytes: number): void {
    this.bytes.set(number, (this.bytes.get(number) ?? 0) + bytes);
  }

  message(at: number, routeSet: number, bodySize: number): void {
    this.enter(routeSet, bodySize, this.areaPosition + at, 0);
  }

  largeMessage(at: number, routeSet: number, body: LargeReference): void {
    const position = this.areaPosition + at;
    this.largeBodies.set(body.file, body);
    if (this.batchPosition >= this.syncedUpTo) this.unsyncedLarge.add(body.file);
    this.enter(routeSet, body.size, position, body.file);
  }

  enqueue(routeSet: number, bodySize: number, position: number, largeFile: number): void {
    this.enter(routeSet, bodySize, position, largeFile);
  }

  private enter(routeSet: number, bodySize: number, position: number, largeFile: number): void {
    const { numbers, firsts, sets } = this.footer;
    for (const row of sets[routeSet] ?? []) {
      this.enterInto(numbers[row]!, firsts[row]!++, position, bodySize, largeFile);
    }
  }

  settle(queue: number, _reason: number, bytes: number, ranges: readonly number[]): void {
    const index = this.queueFor(queue);
    if (index === null) return;
    for (let i = 0; i < ranges.length; i += 2) {
      const last = ranges[i + 1]!;
      discardRange(index, ranges[i]!, last);
      index.nextSequence = Math.max(index.nextSequence, last + 1);
    }
    this.addBytes(queue, -bytes);
  }

  requeue(queue: number, entries: readonly number[]): void {
    const index = this.queueFor(queue);
    for (let i = 0; index !== null && i < entries.length; i += 2) {
      const sequence = entries[i]!;
      restoreDeliveryCount(index, sequence, entries[i + 1]!);
    }
  }

  deliverable(queue: number, upTo: number): void {
    const index = this.queueFor(queue);
    if (index !== null) index.reservedUpTo = Math.max(index.reservedUpTo, upTo);
  }

  purge(queue: number, upTo: number, keptBytes: number, kept: readonly number[]): void {
    const index = this.queueFor(queue);
    if (index === null) return;
    discardAllBut(index, upTo, kept);
    index.nextSequence = Math.max(index.nextSequence, upTo + 1);
    this.bytes.set(queue, keptBytes);
  }

  definition(queue: number, action: number, frame: Buffer): void {
    this.seeQueueNumber(queue);
    if (action === DEFINITION_ACTIONS.deleteQueue) {
      this.deletedQueues.add(queue);
      this.dropQueue(queue);
    }
    if (this.batchPosition >= this.definitionsPosition) this.definitions.push({ queue, frame });
  }

  private dropQueue(number: number): void {
    const index = this.queues.get(number);
    if (index === undefined) return;
    this.queues.delete(number);
    index.clear();
    this.chunks.files.dropped(index);
  }

  /** Takes out the messages whose large bodies are not there. */
  private recoverLarge(
    checkpoint: UsableCheckpoint | null,
    onDisk: ReadonlyMap<number, SegmentOnDisk>,
  ): {
    readonly files: RecoveredLargeFiles;
    readonly dropped: readonly DroppedMessage[];
  } {
    const { files, dropped } = recoverLargeFiles(this.fs, this.directory, this.queues.values(), {
      nextFile: (checkpoint?.nextLargeFile ?? 1) - 1,
      bodies: this.largeBodies,
      unsynced: this.unsyncedLarge,
    });
    const sized = dropped.map((message) => {
      // A record that was not replayed still says how large its body was.
      const segment = onDisk.get(segmentOf(message.position))?.segment;
      const isKnown = message.bodySize > 0 || segment === undefined;
      const body = isKnown ? null : this.segments.largeBodyAt(segment, offsetOf(message.position));
      return body === null ? message : { ...message, bodySize: body.size };
    });
    for (const { index, sequence, bodySize, file, isDamage } of sized) {
      discardRange(index, sequence, sequence);
      this.addBytes(index.number, -bodySize);
      if (!isDamage) continue;
      this.report(
        join(LARGE_FOLDER, largeFileName(file)),
        `the body is missing: message ${sequence} of queue number ${index.number} is dropped`,
      );
    }
    for (const index of this.queues.values()) index.forgetSettledLarge();
    return { files, dropped: sized };
  }

  /** Marks what may have been delivered, fills the live counters, and drops what lies in no segment. */
  private finishQueues(segments: readonly Segment[]): void {
    const byNumber = new Map(segments.map((segment) => [segment.number, segment]));
    this.segments.judgeUnread(this.wantedSegments());
    for (const index of this.queues.values()) {
      this.discardLost(index, byNumber);
      for (const lost of this.unfound.filter((message) => message.index === index)) {
        discardRange(index, lost.sequence, lost.sequence);
        this.addBytes(index.number, -lost.bodySize);
      }
      for (const { segments: triplets } of index.rows.views()) {
        for (let at = 0; at < triplets.length; at += TRIPLET) {
          const segment = byNumber.get(triplets[at]!);
          if (segment === undefined) continue;
          segment.live += triplets[at + 1]!;
          segment.liveBytes += triplets[at + 2]!;
        }
      }
      index.redeliveredUpTo = Math.max(index.redeliveredUpTo, index.reservedUpTo);
      index.deliverableUpTo = index.reservedUpTo;
      index.nextSequence = Math.max(index.nextSequence, index.reservedUpTo + 1);
      finishReplay(index, Math.max(0, this.bytes.get(index.number) ?? 0));
    }
    for (const segment of segments) segment.fullLive = segment.live;
  }

  /** The numbers of the segments in which messages lie. */
  private wantedSegments(): Set<number> {
    const wanted = new Set<number>();
    for (const index of this.queues.values()) {
      for (const { segments: triplets } of index.rows.views()) {
        for (let at = 0; at < triplets.length; at += TRIPLET) {
          if (triplets[at + 1]! > 0) wanted.add(triplets[at]!);
        }
      }
    }
    return wanted;
  }

  /** Takes out the messages that lie in no segment. */
  private discardLost(index: QueueIndex, segments: ReadonlyMap<number, Segment>): void {
    let lost = 0;
    // From the last one on: a row of which nothing is left goes.
    for (let at = index.rows.length - 1; at >= 0; at--) {
      if (index.rows.view(at)!.liesIn(segments)) continue;
      const row = index.rows.at(at)!;
      lost += discardIn(index, row, (segment) => !segments.has(segment));
    }
    if (lost > 0) {
      this.report('', `queue number ${index.number}: ${lost} messages lie in no segment`);
    }
  }
}
