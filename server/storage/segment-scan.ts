/**
 * Walks the records of a segment piece by piece, off the loop: for whoever must see all of a segment without holding
 * it in memory or a turn for long.
 *
 * A segment as it was written is walked batch by batch, a compacted one block by block; either way each record comes
 * with its original offset and its placements: the queues that it was entered into, and under which numbers.
 */
import { type ByteArea, newByteArea } from '../base/byte-area.ts';
import { isZero } from '../base/is-zero.ts';
import { BATCH_HEADER_SIZE, readBatch, readFooter } from './batch-format.ts';
import { blockLengthAt, readBlock } from './compacted-format.ts';
import { positionAt } from './position.ts';
import {
  RECORD_ENQUEUE,
  RECORD_LARGE_MESSAGE,
  RECORD_MESSAGE,
  recordSizeAt,
  routeSetAt,
} from './record-format.ts';
import { StorageError } from './storage-error.ts';

/** Bytes looked at in a turn: of the smallest messages they are some four thousand, which take two milliseconds. */
const PIECE_BYTES = 256 * 1024;
const MAGIC_SIZE = 4;
const BATCH_MAGIC_BYTES: readonly Buffer[] = [
  Buffer.from('FBAT', 'latin1'),
  Buffer.from('FGAP', 'latin1'),
];
const BLOCK_MAGIC_BYTES = Buffer.from('FCBL', 'latin1');

/** The bytes of a segment, and where they end. */
export interface ScannedSegment {
  readonly number: number;
  readonly salt: number;
  readonly path: string;
  /** The file is in compacted form. */
  readonly isCompacted: boolean;
  /** Bytes of the file that hold batches; of a compacted one up to its table. */
  readonly scanEnd: number;
  /** Offset in the file of the first batch or block. */
  readonly scanStart: number;
  /** Reads up to `length` bytes of the file at `offset`; resolves to their number. */
  readFile(buf: Buffer, length: number, offset: number): Promise<number>;
}

/**
 * Told of each message and each enqueue by reference. `placements` holds queue and sequence number in turn; the record
 * of `size` bytes at `at` in `area` is borrowed, and so are the placements.
 */
export type RecordScanner = (
  original: number,
  placements: readonly number[],
  area: ByteArea,
  at: number,
  size: number,
) => void;

/** How a segment is walked. */
export interface ScanOptions {
  /** Asked between two pieces whether enough was shown. */
  readonly isOver?: () => boolean;
  /** What is no valid batch or block is stepped over, instead of thrown. */
  readonly skipsDamage?: boolean;
  /** Lent for the pieces ({@link newScanMemory}); made anew where it is not given. */
  readonly memory?: ByteArea;
}

/** Memory that one scan after the other may use. */
export function newScanMemory(): ByteArea {
  return newByteArea(PIECE_BYTES);
}

/**
 * Shows every message and enqueue record of a segment to `visit`, in order.
 *
 * @throws StorageError where the file cannot be read, or is not whole
 */
export async function scanSegment(
  segment: ScannedSegment,
  visit: RecordScanner,
  options: ScanOptions = {},
): Promise<void> {
  const memory = options.memory ?? newScanMemory();
  const scan = new SegmentScan(segment, visit, options.skipsDamage === true, memory);
  await scan.run(options.isOver ?? (() => false));
}

/** Shows the records of a segment whose bytes are in memory; what is no valid batch or block is stepped over. */
export function scanBytes(segment: ScannedSegment, bytes: ByteArea, visit: RecordScanner): void {
  new SegmentScan(segment, visit, true, bytes).runOver();
}

class SegmentScan {
  private readonly segment: ScannedSegment;
  private readonly visit: RecordScanner;
  private readonly skipsDamage: boolean;
  private area: ByteArea;
  /** Offset in the file of the area's first byte, and bytes in it. */
  private start: number;
  private used: number;
  private readonly placements: number[];

  constructor(
    segment: ScannedSegment,
    visit: RecordScanner,
    skipsDamage: boolean,
    memory: ByteArea,
  ) {
    this.segment = segment;
    this.visit = visit;
    this.skipsDamage = skipsDamage;
    this.area = memory;
    this.start = 0;
    this.used = 0;
    this.placements = [];
  }

  async run(isOver: () => boolean): Promise<void> {
    const { segment } = this;
    let at = segment.scanStart;
    while (at < segment.scanEnd && !isOver()) {
      await this.load(at, PIECE_BYTES);
      let next = this.walk(at);
      if (next === at) {
        // The first unit is longer than a piece: it is read whole.
        await this.load(at, this.lengthAt(at));
        next = this.walk(at);
        if (next === at && (await this.isLaidOut(at))) return;
        if (next === at && !this.skipsDamage) {
          throw new StorageError(segment.path, `no valid batch at ${at}`);
        }
        if (next === at) next = await this.findNext(at + 1);
      }
      at = next;
    }
  }

  /** Whether nothing but zeros lies from `from` on: a crash may bring them back after they were cut off (segment.ts). */
  private async isLaidOut(from: number): Promise<boolean> {
    const { scanEnd } = this.segment;
    for (let at = from; at < scanEnd; at += this.used) {
      await this.load(at, PIECE_BYTES);
      if (this.used === 0) break;
      if (!isZero(this.area.buf, 0, this.used)) return false;
    }
    return true;
  }

  /** Walks the whole segment, which is in memory. */
  runOver(): void {
    this.used = Math.min(this.area.buf.length, this.segment.scanEnd);
    for (let at = this.segment.scanStart; at < this.used; ) {
      const next = this.walk(at);
      at = next === at ? this.magicAt(at + 1) : next;
    }
  }

  /** The next offset from `from` on at which a batch or block may begin; the end when there is none. */
  private async findNext(from: number): Promise<number> {
    const { scanEnd } = this.segment;
    for (let at = from; at < scanEnd; at += this.used - MAGIC_SIZE + 1) {
      await this.load(at, PIECE_BYTES);
      if (this.used < MAGIC_SIZE) break;
      const found = this.magicAt(at);
      if (found < at + this.used) return found;
    }
    return scanEnd;
  }

  /** The next offset in memory with a magic word; the end of what is in memory when there is none. */
  private magicAt(from: number): number {
    const bytes = this.area.buf.subarray(0, this.used);
    const magics = this.segment.isCompacted ? [BLOCK_MAGIC_BYTES] : BATCH_MAGIC_BYTES;
    const found = magics.map((magic) => bytes.indexOf(magic, from - this.start));
    return this.start + Math.min(this.used, ...found.filter((at) => at >= 0));
  }

  /** Reads `length` bytes from `at` on, or what there is. */
  private async load(at: number, length: number): Promise<void> {
    const wanted = Math.min(length, this.segment.scanEnd - at);
    if (wanted > this.area.buf.length) this.area = newByteArea(wanted);
    this.start = at;
    this.used = await this.segment.readFile(this.area.buf, wanted, at);
  }

  /** Walks the whole units in memory from the file offset `from` on; the offset behind the last. */
  private walk(from: number): number {
    let at = from;
    for (;;) {
      const next = this.segment.isCompacted ? this.walkBlock(at) : this.walkBatch(at);
      if (next < 0) return at;
      at = next;
    }
  }

  private walkBlock(at: number): number {
    const { area, start, used, segment } = this;
    const end = readBlock(
      area,
      at - start,
      used,
      segment.salt,
      recordSizeAt,
      (original, placed, p) => this.visit(original, placed, area, p, recordSizeAt(area.view, p)),
    );
    return end < 0 ? -1 : start + end;
  }

  private walkBatch(at: number): number {
    const { area, start, used, segment } = this;
    const position = positionAt(segment.number, at);
    const batch = readBatch(area, at - start, used, position, segment.salt);
    if (batch === null) return -1;
    if (batch.isGap) return at + batch.length;
    const footerAt = at - start + batch.footerAt;
    const { numbers, firsts, sets } = readFooter(area.view, footerAt, batch.rowCount);
    const { view } = area;
    const { placements } = this;
    for (let p = at - start + BATCH_HEADER_SIZE; p < footerAt; ) {
      const size = recordSizeAt(view, p);
      if (size === 0 && this.skipsDamage) break;
      if (size === 0) throw new StorageError(segment.path, `unknown record at ${start + p}`);
      const kind = view.getUint8(p);
      if (kind === RECORD_MESSAGE || kind === RECORD_LARGE_MESSAGE || kind === RECORD_ENQUEUE) {
        placements.length = 0;
        for (const row of sets[routeSetAt(view, p)]!) {
          placements.push(numbers[row]!, firsts[row]!++);
        }
        this.visit(start + p, placements, area, p, size);
      }
      p += size;
    }
    return at + batch.length;
  }

  private lengthAt(at: number): number {
    const { view } = this.area;
    const p = at - this.start;
    if (this.used - p < MAGIC_SIZE + 4) return 0;
    return this.segment.isCompacted ? blockLengthAt(view, p) : view.getUint32(p + 4);
  }
}
