/**
 * Walks the records of a segment piece by piece, off the loop: for whoever must see all of a segment without holding
 * it in memory or a turn for long.
 *
 * A segment as it was written is walked batch by batch, a compacted one block by block; either way each record comes
 * with its original offset and its placements: the queues that it was entered into, and under which numbers.
 */
import { type ByteArea, newByteArea } from '../base/byte-area.ts';
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

/** Bytes looked at between two turns. */
const PIECE_BYTES = 1024 * 1024;

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
 * of `size` bytes at `at` in `area` is borrowed.
 */
export type RecordScanner = (
  original: number,
  placements: readonly number[],
  area: ByteArea,
  at: number,
  size: number,
) => void;

/**
 * Shows every message and enqueue record of a segment to `visit`, in order, until `isOver` says so between two pieces.
 *
 * @throws StorageError where the file cannot be read, or is not whole
 */
export async function scanSegment(
  segment: ScannedSegment,
  visit: RecordScanner,
  isOver: () => boolean = () => false,
): Promise<void> {
  const scan = new SegmentScan(segment, visit);
  await scan.run(isOver);
}

class SegmentScan {
  private readonly segment: ScannedSegment;
  private readonly visit: RecordScanner;
  private area: ByteArea;
  /** Offset in the file of the area's first byte, and bytes in it. */
  private start: number;
  private used: number;

  constructor(segment: ScannedSegment, visit: RecordScanner) {
    this.segment = segment;
    this.visit = visit;
    this.area = newByteArea(PIECE_BYTES);
    this.start = 0;
    this.used = 0;
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
        if (next === at) throw new StorageError(segment.path, `no valid batch at ${at}`);
      }
      at = next;
    }
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
    for (let p = at - start + BATCH_HEADER_SIZE; p < footerAt; ) {
      const size = recordSizeAt(view, p);
      if (size === 0) throw new StorageError(segment.path, `unknown record at ${start + p}`);
      const kind = view.getUint8(p);
      if (kind === RECORD_MESSAGE || kind === RECORD_LARGE_MESSAGE || kind === RECORD_ENQUEUE) {
        const placements: number[] = [];
        for (const row of sets[routeSetAt(view, p)]!)
          placements.push(numbers[row]!, firsts[row]!++);
        this.visit(start + p, placements, area, p, size);
      }
      p += size;
    }
    return at + batch.length;
  }

  private lengthAt(at: number): number {
    const { view } = this.area;
    const p = at - this.start;
    if (this.segment.isCompacted) return blockLengthAt(view, p);
    return this.used - p >= BATCH_HEADER_SIZE ? view.getUint32(p + 4) : 0;
  }
}
