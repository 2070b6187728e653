/**
 * Segments, batches and gaps, byte by byte. All integers are big-endian; f64 is a double.
 *
 * A segment file `msgs.NNNNNNNNNN` is a header followed by batches and gaps without space between:
 *
 *     0           8         12        16     20        28         36      40
 *     +-----------+---------+---------+------+---------+----------+-------+---------------
 *     | FIRNSEGM  | version | segment | salt | created | previous | crc   | batch, gap, ...
 *     |           | 2 u16   | u32     | u32  | f64 ms  | end f64  | u32   |
 *     +-----------+---------+---------+------+---------+----------+-------+---------------
 *
 * "Previous end" is the position at which the log left the segment before: a shorter one lost its tail.
 *
 * A batch is what one turn of the event loop produced; it is valid whole or not at all:
 *
 *     0      4        8          16     24          32            36
 *     +------+--------+----------+------+-----------+-------------+------+
 *     | FBAT | length | position | time | synced up | footer at   | rows |   header, 40 bytes
 *     |      | u32    | f64      | f64  | to f64    | u32         | u32  |
 *     +------+--------+----------+------+-----------+-------------+------+
 *     | records (record-format.ts)                                       |
 *     +------------------------------------------------------------------+
 *     | rows x (queue number f64, first sequence number f64)             |   footer
 *     | route sets u32, each: row count u32, row indexes u32 ...         |
 *     | crc u32 over all before it, seeded with the segment's salt       |
 *     +------------------------------------------------------------------+
 *
 * A gap stands where batches were left unwritten because every message in them had already gone:
 *
 *     +------+--------+----------+------+-----------+------+------+-----+
 *     | FGAP | length | position | time | synced up | 0    | 0    | crc |  ... nothing up to `length`
 *     +------+--------+----------+------+-----------+------+------+-----+
 *
 * The salt makes bytes inside a message body never pass for a batch.
 */
import { crc32 } from 'node:zlib';
import type { ByteArea } from '../base/byte-area.ts';
import { formatProblem, writeFormatHead } from './format-version.ts';

export const SEGMENT_HEADER_SIZE: number = 40;
export const BATCH_HEADER_SIZE: number = 40;
export const CHECKSUM_SIZE: number = 4;
export const GAP_SIZE: number = BATCH_HEADER_SIZE + CHECKSUM_SIZE;
/** Footer bytes for each row of the queue table. */
export const FOOTER_ROW_SIZE: number = 16;
/** A batch is at least a header, an empty footer and the checksum. */
const BATCH_SIZE_MIN = BATCH_HEADER_SIZE + 4 + CHECKSUM_SIZE;

const HEADER_CRC_AT = SEGMENT_HEADER_SIZE - CHECKSUM_SIZE;

/** What a segment file begins with. */
export const SEGMENT_MAGIC: string = 'FIRNSEGM';
const BATCH_MAGIC = 0x46424154; // 'FBAT'
const GAP_MAGIC = 0x46474150; // 'FGAP'

/** What a segment's header says. */
export interface SegmentHeader {
  readonly number: number;
  /** Seeds the checksums of its batches. */
  readonly salt: number;
  /** Wall time of creation: record times count from here. */
  readonly createdMs: number;
  /** Where the log ended before this segment began; 0 for the first. */
  readonly previousEnd: number;
}

/** Encodes a segment's header. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const buf = Buffer.alloc(SEGMENT_HEADER_SIZE);
  writeFormatHead(buf, SEGMENT_MAGIC);
  buf.writeUInt32BE(header.number, 12);
  buf.writeUInt32BE(header.salt, 16);
  buf.writeDoubleBE(header.createdMs, 20);
  buf.writeDoubleBE(header.previousEnd, 28);
  buf.writeUInt32BE(crc32(buf.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
  return buf;
}

/** Decodes a segment's header; a sentence that says what is wrong where it is not one. */
export function decodeSegmentHeader(buf: Buffer): SegmentHeader | string {
  if (buf.length < SEGMENT_HEADER_SIZE) return 'shorter than a segment header';
  const problem = formatProblem(buf, SEGMENT_MAGIC, 'a segment file');
  if (problem !== null) return problem;
  if (crc32(buf.subarray(0, HEADER_CRC_AT)) !== buf.readUInt32BE(HEADER_CRC_AT)) {
    return 'segment header is damaged';
  }
  return {
    number: buf.readUInt32BE(12),
    salt: buf.readUInt32BE(16),
    createdMs: buf.readDoubleBE(20),
    previousEnd: buf.readDoubleBE(28),
  };
}

/** The fixed part of a batch or gap. */
export interface BatchHeader {
  readonly isGap: boolean;
  readonly length: number;
  readonly position: number;
  readonly timeMs: number;
  readonly syncedUpTo: number;
  /** Offset of the footer from the start of the batch. */
  readonly footerAt: number;
  readonly rowCount: number;
}

/** What stands behind the records of a batch. */
export interface DecodedFooter {
  /** The number of each queue touched. */
  readonly numbers: readonly number[];
  /** The first sequence number given out in the batch, by row. Whoever replays counts on from here. */
  readonly firsts: number[];
  /** The rows of each route set. */
  readonly sets: readonly (readonly number[])[];
}

/** Decodes the footer that begins at `at`. */
export function readFooter(view: DataView, at: number, rowCount: number): DecodedFooter {
  const numbers: number[] = [];
  const firsts: number[] = [];
  let p = at;
  for (let row = 0; row < rowCount; row++, p += FOOTER_ROW_SIZE) {
    numbers.push(view.getFloat64(p));
    firsts.push(view.getFloat64(p + 8));
  }
  const sets: number[][] = [];
  const setCount = view.getUint32(p);
  p += 4;
  for (let set = 0; set < setCount; set++) {
    const rows: number[] = [];
    const count = view.getUint32(p);
    for (let i = 1; i <= count; i++) rows.push(view.getUint32(p + 4 * i));
    sets.push(rows);
    p += 4 + 4 * count;
  }
  return { numbers, firsts, sets };
}

/** Fills in the header of the batch at `start..end`; the last {@link CHECKSUM_SIZE} bytes are for its checksum. */
export function sealBatch(
  area: ByteArea,
  start: number,
  end: number,
  header: Omit<BatchHeader, 'isGap' | 'length'>,
): void {
  writeHeader(area.view, start, BATCH_MAGIC, end - start, header);
}

/** Fills in the checksum of the batch at `start..end`, whose header is there. HOT per byte that is written. */
export function checksumBatch(area: ByteArea, start: number, end: number, salt: number): void {
  const at = end - CHECKSUM_SIZE;
  area.view.setUint32(at, crc32(area.buf.subarray(start, at), salt));
}

/** Encodes the header that stands for `length` bytes of batches left unwritten. */
export function encodeGap(
  position: number,
  length: number,
  timeMs: number,
  syncedUpTo: number,
  salt: number,
): Buffer {
  const buf = Buffer.alloc(GAP_SIZE);
  const view = new DataView(buf.buffer, buf.byteOffset, buf.length);
  writeHeader(view, 0, GAP_MAGIC, length, {
    position,
    timeMs,
    syncedUpTo,
    footerAt: 0,
    rowCount: 0,
  });
  buf.writeUInt32BE(crc32(buf.subarray(0, BATCH_HEADER_SIZE), salt), BATCH_HEADER_SIZE);
  return buf;
}

function writeHeader(
  view: DataView,
  at: number,
  magic: number,
  length: number,
  header: Omit<BatchHeader, 'isGap' | 'length'>,
): void {
  view.setUint32(at, magic);
  view.setUint32(at + 4, length);
  view.setFloat64(at + 8, header.position);
  view.setFloat64(at + 16, header.timeMs);
  view.setFloat64(at + 24, header.syncedUpTo);
  view.setUint32(at + 32, header.footerAt);
  view.setUint32(at + 36, header.rowCount);
}

/** How many bytes the batch or gap that may begin at `at` needs in memory, as far as the bytes up to `end` tell. */
export function batchLengthAt({ view }: ByteArea, at: number, end: number): number {
  return end - at < GAP_SIZE || view.getUint32(at) !== BATCH_MAGIC
    ? GAP_SIZE
    : view.getUint32(at + 4);
}

/**
 * Reads the batch or gap that should start at `at`.
 *
 * @returns its header, or null when the bytes there, up to `end`, are no valid batch: the checksum covers
 *   every byte but the checksum itself, and the position must be the expected one.
 */
export function readBatch(
  area: ByteArea,
  at: number,
  end: number,
  position: number,
  salt: number,
): BatchHeader | null {
  if (end - at < GAP_SIZE) return null;
  const view = area.view;
  const magic = view.getUint32(at);
  const length = view.getUint32(at + 4);
  if (magic !== BATCH_MAGIC && magic !== GAP_MAGIC) return null;
  if (view.getFloat64(at + 8) !== position) return null;
  const isGap = magic === GAP_MAGIC;
  const checked = isGap ? GAP_SIZE : length;
  if (isGap ? length < GAP_SIZE : length < BATCH_SIZE_MIN || length > end - at) return null;
  const crcAt = at + checked - CHECKSUM_SIZE;
  if (crc32(area.buf.subarray(at, crcAt), salt) !== view.getUint32(crcAt)) return null;
  return {
    isGap,
    length,
    position,
    timeMs: view.getFloat64(at + 16),
    syncedUpTo: view.getFloat64(at + 24),
    footerAt: view.getUint32(at + 32),
    rowCount: view.getUint32(at + 36),
  };
}
