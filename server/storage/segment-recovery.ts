/**
 * The segments that a boot finds: which files make them up, where the log ends, and what of it was never synced.
 *
 * - The first invalid stretch behind the highest "synced up to" seen ends the log: the rest is cut off and
 *   kept aside. An invalid one before it is damage: reported, skipped, kept aside.
 * - A file that takes a segment's place from an offset on holds it from there, whatever the one before has.
 */
import { join } from 'node:path';
import { ByteArea } from '../base/byte-area.ts';
import { moveAside } from './aside.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  GAP_SIZE,
  SEGMENT_HEADER_SIZE,
  type SegmentHeader,
} from './batch-format.ts';
import { COMPACTED_HEADER_SIZE, decodeCompactedHeader, isCompacted } from './compacted-format.ts';
import type { TableCache } from './compacted-reader.ts';
import type { DamageLog } from './damage.ts';
import type { FileCache } from './file-cache.ts';
import type { FileSystem } from './fs.ts';
import { isDiskFull } from './log-health.ts';
import type { SegmentContent } from './log-reader.ts';
import { readSegment, readValidRun } from './log-reader.ts';
import { offsetOf, positionAt, segmentOf } from './position.ts';
import {
  isLargeAt,
  type LargeReference,
  largeReferenceAt,
  MESSAGE_HEAD_SIZE,
  messageSizeAt,
} from './record-format.ts';
import {
  isUnfinishedSegmentFile,
  Segment,
  segmentFileName,
  segmentNumberOf,
  segmentOffsetOf,
} from './segment.ts';
import { SegmentFiles, type SegmentStretch } from './segment-files.ts';
import { StorageError } from './storage-error.ts';

/** What the files of a segment hold. */
interface ReadContent {
  readonly content: SegmentContent;
  /** Zeros are laid out behind its end. */
  readonly isLaidOut: boolean;
}

/** A segment and what its files hold. */
export interface SegmentOnDisk extends ReadContent {
  readonly segment: Segment;
}

/** Of a segment that ends before the replay. */
const NOTHING_READ: SegmentContent = {
  length: 0,
  batches: [],
  invalid: [],
  validEnd: 0,
  syncedUpTo: 0,
};

/** A segment file whose header says nothing. */
interface HeadlessFile {
  readonly name: string;
  readonly number: number;
  readonly reason: string;
}

/** The segments of one vhost's directory. */
export class SegmentRecovery {
  private readonly fs: FileSystem;
  private readonly cache: FileCache;
  private readonly directory: string;
  private readonly tables: TableCache;
  private readonly damage: DamageLog;
  private readonly files: SegmentFiles;
  private readonly headless: HeadlessFile[];
  /** Those of them that replay does not read. */
  private unread: HeadlessFile[];

  constructor(
    fs: FileSystem,
    cache: FileCache,
    directory: string,
    tables: TableCache,
    damage: DamageLog,
  ) {
    this.fs = fs;
    this.cache = cache;
    this.directory = directory;
    this.tables = tables;
    this.damage = damage;
    this.files = new SegmentFiles(fs);
    this.headless = [];
    this.unread = [];
  }

  /** Opens all segments; those that end before `replayFrom` are not read. */
  open(names: readonly string[], replayFrom: number): Map<number, SegmentOnDisk> {
    const namesOf = new Map<number, string[]>();
    for (const name of names) {
      if (isUnfinishedSegmentFile(name)) this.fs.delete(join(this.directory, name));
      const number = segmentNumberOf(name);
      if (number >= 0) namesOf.set(number, [...(namesOf.get(number) ?? []), name]);
    }
    const onDisk = new Map<number, SegmentOnDisk>();
    for (const [number, own] of namesOf) {
      const found = this.openSegment(own, number, replayFrom);
      if (found !== null) onDisk.set(number, found);
    }
    return onDisk;
  }

  /**
   * Decides where the log ends, cuts off what lies behind, and makes stable what is left.
   *
   * @returns the position at which the log ends
   * @throws StorageError when the disk refuses
   */
  settle(onDisk: Map<number, SegmentOnDisk>, replayFrom: number, syncedUpTo: number): number {
    this.judgeHeadless(replayFrom, syncedUpTo);
    const end = this.findEnd(onDisk, replayFrom, syncedUpTo);
    this.makeStable(onDisk, syncedUpTo, end);
    return end;
  }

  /**
   * Judges the files without a header that lie before the replay, now that `wanted` holds the segments in which there
   * are messages. One that nobody wants was deleted with what had taken its place after a failed sync, and its name
   * alone came back: it goes again.
   */
  judgeUnread(wanted: ReadonlySet<number>): void {
    for (const { name, number, reason } of this.unread) {
      if (wanted.has(number)) this.damage.report(name, `${reason}: the segment is skipped`);
      else this.fs.delete(join(this.directory, name));
    }
  }

  /** The bytes of a segment until the next are read; those before the offset `start` may be anything. */
  read(segment: Segment, start: number = 0): Buffer {
    return this.files.read(segment, start);
  }

  /** Some bytes of a segment from the offset `start` on, `length` at least where there are so many, until the next. */
  stretch(segment: Segment, start: number, length: number): SegmentStretch {
    return this.files.stretch(segment, start, length);
  }

  /** The large body that the record at an offset names; null where it names none, or the segment is compacted. */
  largeBodyAt(segment: Segment, offset: number): LargeReference | null {
    if (segment.isCompacted) return null;
    const { view } = new ByteArea(this.read(segment, offset));
    if (offset + MESSAGE_HEAD_SIZE > view.byteLength || !isLargeAt(view, offset)) return null;
    const isWhole = offset + messageSizeAt(view, offset) <= view.byteLength;
    return isWhole ? largeReferenceAt(view, offset) : null;
  }

  private openSegment(
    names: readonly string[],
    number: number,
    replayFrom: number,
  ): SegmentOnDisk | null {
    const withContent = number >= segmentOf(replayFrom);
    const compacted = this.openCompacted(names, number, withContent);
    if (compacted !== null) return compacted;
    const offsets: number[] = [];
    let header: SegmentHeader | null = null;
    let size = 0;
    for (const name of names) {
      const head = this.readHead(name, number, header);
      if (head === null) continue;
      header ??= head.header;
      size = head.size;
      offsets.push(segmentOffsetOf(name));
    }
    if (header === null) return null;
    // Nothing of the first file was ever stable, and another holds all of the segment.
    if (offsets[0] === SEGMENT_HEADER_SIZE) this.forgetHeadless(number);
    const segment = new Segment(this.cache, this.directory, header, offsets);
    if (!withContent) {
      segment.size = size;
      return { segment, content: NOTHING_READ, isLaidOut: false };
    }
    const from = Math.max(SEGMENT_HEADER_SIZE, replayFrom - positionAt(number, 0));
    let found = this.readContent(segment, header, from);
    if (found.content.length <= from) found = this.readShort(segment, header, from);
    segment.size = found.content.validEnd;
    return { segment, ...found };
  }

  /** The batches from the offset `from` on: those up to the first break in stretches, what is behind it whole. */
  private readContent(segment: Segment, header: SegmentHeader, from: number): ReadContent {
    const read = (start: number, length: number) => this.files.stretch(segment, start, length);
    const run = readValidRun(read, header, from);
    const bytes = this.read(segment, run.end);
    const rest = readSegment(bytes, header, run.end);
    const isRunLast = run.batches.length > 0 && rest.batches.length === 0;
    const batches = [...run.batches, ...rest.batches];
    const content = {
      ...rest,
      batches,
      validEnd: isRunLast ? run.end : rest.validEnd,
      syncedUpTo: batches.reduce((most, batch) => Math.max(most, batch.syncedUpTo), 0),
    };
    return { content, isLaidOut: bytes.length > content.length };
  }

  /**
   * A segment of which nothing was written from the offset `from` on: a gap reaches that far, which has no bytes there,
   * or the file ends just there, or it was cut. Where batches end tells which.
   */
  private readShort(segment: Segment, header: SegmentHeader, from: number): ReadContent {
    const { content: whole, isLaidOut } = this.readContent(segment, header, SEGMENT_HEADER_SIZE);
    const start = positionAt(header.number, from);
    const content = {
      ...whole,
      batches: whole.batches.filter(({ position }) => position >= start),
      invalid: whole.invalid.filter(({ to }) => to > from),
    };
    return { content, isLaidOut };
  }

  /** A compacted segment is one file; the others were to be deleted when it took their place. */
  private openCompacted(
    names: readonly string[],
    number: number,
    withContent: boolean,
  ): SegmentOnDisk | null {
    const first = names.find((name) => segmentOffsetOf(name) === 0);
    if (first === undefined) return null;
    const { head, size } = this.readStart(first, COMPACTED_HEADER_SIZE);
    if (!isCompacted(head)) return null;
    const header = decodeCompactedHeader(head);
    if (typeof header === 'string' || header.number !== number) return null;
    const others = names.filter((name) => name !== first);
    // A server that was killed may not have synced the name: what comes back without it needs the others.
    if (others.length > 0) this.fs.syncDirectoryNow(this.directory);
    for (const name of others) this.fs.delete(join(this.directory, name));
    const segment = Segment.compacted(this.cache, this.directory, header, size, this.tables);
    const length = withContent ? size : 0;
    const end = header.endOffset;
    return {
      segment,
      content: { length, batches: [], invalid: [], validEnd: end, syncedUpTo: 0 },
      isLaidOut: false,
    };
  }

  private readStart(name: string, length: number): { head: Buffer; size: number } {
    const file = this.fs.openForReading(join(this.directory, name));
    try {
      const head = Buffer.alloc(length);
      const count = file.readNow(head, 0, length, 0);
      return { head: head.subarray(0, count), size: file.size() };
    } finally {
      file.close();
    }
  }

  /** The header of a file, which must be that of the files before it; null where it is not. */
  private readHead(
    name: string,
    number: number,
    others: SegmentHeader | null,
  ): { header: SegmentHeader; size: number } | null {
    const { head, size } = this.readStart(name, COMPACTED_HEADER_SIZE);
    const header = isCompacted(head) ? decodeCompactedHeader(head) : decodeSegmentHeader(head);
    const reason = whatIsWrong(header, number, others);
    if (typeof header !== 'string' && reason === '') return { header, size };
    if (segmentOffsetOf(name) === 0) this.headless.push({ name, number, reason });
    else this.setAside(name, `${reason}: the file before it is used`);
    return null;
  }

  private forgetHeadless(number: number): void {
    const at = this.headless.findIndex((file) => file.number === number);
    if (at < 0) return;
    const [{ name }] = this.headless.splice(at, 1) as [HeadlessFile];
    this.fs.delete(join(this.directory, name));
  }

  private setAside(name: string, reason: string): void {
    this.damage.report(name, reason);
    const problem = moveAside(this.fs, this.directory, name);
    if (problem !== null) this.damage.report(name, problem);
  }

  /**
   * A file without a header was never synced, and goes; or it is damaged, and stays where it is. Of those before the
   * replay that is said later ({@link judgeUnread}).
   */
  private judgeHeadless(replayFrom: number, syncedUpTo: number): void {
    const isUnread = ({ number }: HeadlessFile): boolean => number < segmentOf(replayFrom);
    this.unread = this.headless.filter(isUnread);
    for (const file of this.headless) {
      if (isUnread(file)) continue;
      const { name, number, reason } = file;
      const path = join(this.directory, name);
      if (positionAt(number, 0) < syncedUpTo) {
        this.damage.report(name, `${reason}: the segment is skipped`);
        continue;
      }
      const bytes = this.fs.readFile(path) ?? Buffer.alloc(0);
      if (bytes.length > 0) this.damage.keep(name, bytes, false);
      this.fs.delete(path);
    }
  }

  /** Decides where the log ends; cuts off what lies behind, and reports damage before it. */
  private findEnd(
    onDisk: Map<number, SegmentOnDisk>,
    replayFrom: number,
    syncedUpTo: number,
  ): number {
    let previousEnd = replayFrom;
    for (const { segment, content } of onDisk.values()) {
      if (content.length === 0) continue;
      const start = positionAt(segment.number, 0);
      const name = segmentFileName(segment.number);
      if (segment.previousEnd > previousEnd) {
        // The segment before lost its tail, or its name, and this one goes on behind what was lost.
        if (previousEnd >= syncedUpTo) return this.cut(onDisk, previousEnd);
        // Where no checkpoint says more, what was before the first segment may be deleted in order.
        if (previousEnd > 0) {
          this.damage.report(name, `what comes before it ends early, at position ${previousEnd}`);
        }
      }
      for (const { from, to } of content.invalid) {
        if (start + from >= syncedUpTo) return this.cut(onDisk, start + from);
        this.damage.report(name, `bytes ${from} to ${to} are damaged: they are skipped`);
        this.damage.keep(`${name}.${from}`, this.read(segment).subarray(from, to));
      }
      const end = content.invalid.reduce((most, { to }) => Math.max(most, to), content.validEnd);
      previousEnd = start + end;
    }
    const last = [...onDisk.values()].pop()?.segment;
    // A checkpoint may begin at a segment of which nothing was written yet, and need none before: what is left of
    // those may be names that came back.
    const emptyEnd = offsetOf(replayFrom) > SEGMENT_HEADER_SIZE ? 0 : replayFrom;
    const end = last === undefined ? emptyEnd : positionAt(last.number, last.size);
    if (Math.max(end, emptyEnd) < syncedUpTo) {
      this.damage.report(
        '',
        `the log ends at position ${end}, but it was synced up to ${syncedUpTo}`,
      );
    }
    return end;
  }

  private cut(onDisk: Map<number, SegmentOnDisk>, end: number): number {
    const endSegment = segmentOf(end);
    for (const [number, { segment, content }] of onDisk) {
      if (number < endSegment) continue;
      const from = number === endSegment ? offsetOf(end) : 0;
      const tail = content.length > 0 ? this.read(segment).subarray(from) : Buffer.alloc(0);
      if (tail.length > 0) this.damage.keep(`${segmentFileName(number)}.${from}`, tail, false);
      if (number === endSegment) {
        segment.truncate(from);
        segment.size = from;
      } else {
        segment.deleteNow();
        onDisk.delete(number);
      }
    }
    return end;
  }

  /**
   * Makes stable what was read behind the last position known to be synced, and the names. It is written again before
   * it is synced: the run before may have ended while a sync had failed, and then the kernel shows it, calls it clean,
   * and does not have it on the disk.
   */
  private makeStable(onDisk: Map<number, SegmentOnDisk>, syncedUpTo: number, end: number): void {
    for (const found of onDisk.values()) {
      const { segment } = found;
      if (found.isLaidOut) segment.truncate(segment.size);
      // One that ends just there may have been cut by a boot that was killed before its sync.
      if (positionAt(segment.number, segment.size) < syncedUpTo) continue;
      try {
        this.writeAgain(found, syncedUpTo, end);
      } catch (error) {
        // Pages that the kernel never had room for: they are there for as long as it runs.
        if (!(error instanceof StorageError) || !isDiskFull(error)) throw error;
        this.damage.report(
          segmentFileName(segment.number),
          `its end was not written again: ${error.message}`,
        );
      }
      for (const { path } of segment.files) this.cache.forWriting(path).datasyncNow();
    }
    this.fs.syncDirectoryNow(this.directory);
  }

  private writeAgain({ segment, content }: SegmentOnDisk, syncedUpTo: number, end: number): void {
    if (content.length === 0) return;
    if (positionAt(segment.number, 0) >= syncedUpTo) {
      for (const { path } of segment.files) {
        const file = this.cache.forWriting(path);
        file.writeAt(encodeSegmentHeader(segment), 0, SEGMENT_HEADER_SIZE, 0);
      }
    }
    const unsynced = content.batches.filter(
      ({ position }) => position >= syncedUpTo && position < end,
    );
    const [first] = unsynced;
    if (first === undefined) return;
    const bytes = this.read(segment, offsetOf(first.position));
    for (const { position, length, isGap } of unsynced) {
      const at = offsetOf(position);
      const { path } = segment.files.findLast((some) => some.from <= at)!;
      this.cache.forWriting(path).writeAt(bytes, at, at + (isGap ? GAP_SIZE : length), at);
    }
  }
}

/** What is wrong with a segment file's header; '' for nothing. */
function whatIsWrong(
  header: SegmentHeader | string,
  number: number,
  others: SegmentHeader | null,
): string {
  if (typeof header === 'string') return header;
  if (header.number !== number) return `it is segment ${header.number}`;
  return others !== null && header.salt !== others.salt ? 'it belongs to another segment' : '';
}
