/**
 * A compacted segment, byte by byte: the few messages that are left of a segment, under its own number and
 * name. Big-endian; f64 is a double.
 *
 *     FIRNCOMP, version, segment u32, salt u32, created f64 ms, previous end f64,
 *     end offset u32, message count u32, table at u32, 0 u32, crc u32                   56 bytes
 *     block: magic FCBL, length u32, entry count u32, entries, crc u32 (seeded with the salt)
 *       entry: original offset u32, placement count u32,
 *              placements: queue number f64, sequence number f64; the record as it was
 *     table: message count x (original offset, offset of the record here, record size; all u32,
 *            little-endian), ascending by original offset; crc u32 (seeded with the salt)
 *
 * Positions are for life: a record is found by its original offset, through the table. The "end offset" is where the
 * log left the segment. Placements say which queues the message was entered into, and under which numbers: only a
 * recovery without any checkpoint reads them. An enqueue record is kept like a message, for the same reason.
 */
import { crc32 } from 'node:zlib';
import type { ByteArea } from '../base/byte-area.ts';
import type { SegmentHeader } from './batch-format.ts';
import { formatProblem, magicOf, writeFormatHead } from './format-version.ts';

/** What a compacted segment begins with. */
export const COMPACTED_MAGIC: string = 'FIRNCOMP';
const BLOCK_MAGIC = 0x4643424c; // 'FCBL'
const HEADER_CRC_AT = 52;
const BLOCK_HEAD_SIZE = 12;
const ENTRY_HEAD_SIZE = 8;
const PLACEMENT_SIZE = 16;
/** Three words a row: {@link OffsetTable}. */
const TABLE_ROW_SIZE = 12;
const CHECKSUM_SIZE = 4;
/** A table is built, and read, in pieces of so many rows. */
const ROWS_PER_CHUNK = 8192;
const BYTES_PER_STEP = ROWS_PER_CHUNK * TABLE_ROW_SIZE;

export const COMPACTED_HEADER_SIZE: number = HEADER_CRC_AT + CHECKSUM_SIZE;

/** What the header says, beyond that of the segment it was. */
export interface CompactedHeader extends SegmentHeader {
  /** Offset at which the log left the segment. */
  readonly endOffset: number;
  /** Messages kept: rows of the table. */
  readonly messageCount: number;
  readonly tableAt: number;
}

/** True when the bytes begin as a compacted segment does. */
export function isCompacted(head: Buffer): boolean {
  return magicOf(head) === COMPACTED_MAGIC;
}

export function encodeCompactedHeader(header: CompactedHeader): Buffer {
  const buf = Buffer.alloc(COMPACTED_HEADER_SIZE);
  writeFormatHead(buf, COMPACTED_MAGIC);
  buf.writeUInt32BE(header.number, 12);
  buf.writeUInt32BE(header.salt, 16);
  buf.writeDoubleBE(header.createdMs, 20);
  buf.writeDoubleBE(header.previousEnd, 28);
  buf.writeUInt32BE(header.endOffset, 36);
  buf.writeUInt32BE(header.messageCount, 40);
  buf.writeUInt32BE(header.tableAt, 44);
  buf.writeUInt32BE(0, 48);
  buf.writeUInt32BE(crc32(buf.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
  return buf;
}

/** Decodes the header; a sentence that says what is wrong where it is not one. */
export function decodeCompactedHeader(buf: Buffer): CompactedHeader | string {
  if (buf.length < COMPACTED_HEADER_SIZE) return 'shorter than the header of a compacted segment';
  const problem = formatProblem(buf, COMPACTED_MAGIC, 'a compacted segment');
  if (problem !== null) return problem;
  if (crc32(buf.subarray(0, HEADER_CRC_AT)) !== buf.readUInt32BE(HEADER_CRC_AT)) {
    return 'header of the compacted segment is damaged';
  }
  return {
    number: buf.readUInt32BE(12),
    salt: buf.readUInt32BE(16),
    createdMs: buf.readDoubleBE(20),
    previousEnd: buf.readDoubleBE(28),
    endOffset: buf.readUInt32BE(36),
    messageCount: buf.readUInt32BE(40),
    tableAt: buf.readUInt32BE(44),
  };
}

/** Lays entries side by side into blocks; the bytes leave through {@link BlockBuilder.take}. */
export class BlockBuilder {
  private buf: Buffer;
  private at: number;
  private count: number;

  constructor(capacity: number) {
    this.buf = Buffer.allocUnsafe(capacity);
    this.at = BLOCK_HEAD_SIZE;
    this.count = 0;
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** Bytes that the block would have if it ended now. */
  get size(): number {
    return this.at + CHECKSUM_SIZE;
  }

  /**
   * Adds a record of `size` bytes at `recordAt` in `area`. `placements` holds queue and sequence number in turn.
   *
   * @returns the record's offset in the block
   */
  add(
    original: number,
    placements: readonly number[],
    area: ByteArea,
    recordAt: number,
    size: number,
  ): number {
    this.makeRoom(ENTRY_HEAD_SIZE + placements.length * (PLACEMENT_SIZE / 2) + size);
    const { buf } = this;
    let p = buf.writeUInt32BE(original, this.at);
    p = buf.writeUInt32BE(placements.length / 2, p);
    for (const number of placements) p = buf.writeDoubleBE(number, p);
    area.buf.copy(buf, p, recordAt, recordAt + size);
    this.at = p + size;
    this.count++;
    return p;
  }

  /** The finished block, borrowed until the next {@link add}; the builder is empty again. */
  take(salt: number): Buffer {
    const { buf, at } = this;
    buf.writeUInt32BE(BLOCK_MAGIC, 0);
    buf.writeUInt32BE(at + CHECKSUM_SIZE, 4);
    buf.writeUInt32BE(this.count, 8);
    buf.writeUInt32BE(crc32(buf.subarray(0, at), salt), at);
    this.at = BLOCK_HEAD_SIZE;
    this.count = 0;
    return buf.subarray(0, at + CHECKSUM_SIZE);
  }

  private makeRoom(size: number): void {
    const needed = this.at + size + CHECKSUM_SIZE;
    if (needed <= this.buf.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.buf.length));
    this.buf.copy(grown, 0, 0, this.at);
    this.buf = grown;
  }
}

/** Told of each entry of a block: offsets are into the area read, the placements are borrowed. */
export type EntryVisitor = (
  original: number,
  placements: readonly number[],
  recordAt: number,
) => void;

/**
 * Reads the block at `at`, before `end`, and visits its entries; `sizeOfRecord` tells the size of the record at an
 * offset.
 *
 * @returns the offset behind the block, or -1 when there is no valid one
 */
export function readBlock(
  area: ByteArea,
  at: number,
  end: number,
  salt: number,
  sizeOfRecord: (view: DataView, at: number) => number,
  visit: EntryVisitor,
): number {
  const { buf, view } = area;
  if (end - at < BLOCK_HEAD_SIZE + CHECKSUM_SIZE || view.getUint32(at) !== BLOCK_MAGIC) return -1;
  const length = view.getUint32(at + 4);
  if (length < BLOCK_HEAD_SIZE + CHECKSUM_SIZE || length > end - at) return -1;
  const crcAt = at + length - CHECKSUM_SIZE;
  if (crc32(buf.subarray(at, crcAt), salt) !== view.getUint32(crcAt)) return -1;
  let p = at + BLOCK_HEAD_SIZE;
  const placements: number[] = [];
  for (let i = view.getUint32(at + 8); i > 0; i--) {
    const original = view.getUint32(p);
    const placementCount = view.getUint32(p + 4);
    placements.length = 0;
    p += ENTRY_HEAD_SIZE;
    for (let n = 2 * placementCount; n > 0; n--, p += 8) placements.push(view.getFloat64(p));
    visit(original, placements, p);
    p += sizeOfRecord(view, p);
  }
  return at + length;
}

/** Length of the block that begins at `at`, or 0 when none does: how much must be read to see it whole. */
export function blockLengthAt(view: DataView, at: number): number {
  if (view.byteLength - at < BLOCK_HEAD_SIZE || view.getUint32(at) !== BLOCK_MAGIC) return 0;
  return view.getUint32(at + 4);
}

/** Where the records of a compacted segment are, ascending by original offset. */
export class OffsetTable {
  readonly length: number;
  /** Original offset, offset, size in turn. */
  private readonly rows: Uint32Array;

  constructor(rows: Uint32Array) {
    this.rows = rows;
    this.length = rows.length / 3;
  }

  originalAt(row: number): number {
    return this.rows[3 * row]!;
  }

  offsetAt(row: number): number {
    return this.rows[3 * row + 1]!;
  }

  sizeAt(row: number): number {
    return this.rows[3 * row + 2]!;
  }

  /** Memory that it takes, in bytes. */
  get byteLength(): number {
    return this.rows.byteLength;
  }

  /** The first row at or behind an original offset; {@link length} when there is none. */
  firstFrom(original: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.originalAt(middle) < original) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Collects the rows of a table, in ascending order of their original offset. It may be millions of rows. */
export class OffsetTableBuilder {
  /** Full ones, but for the last. */
  private readonly chunks: Uint32Array[];
  count: number;

  constructor() {
    this.chunks = [];
    this.count = 0;
  }

  add(original: number, offset: number, size: number): void {
    const at = 3 * (this.count % ROWS_PER_CHUNK);
    if (at === 0) this.chunks.push(new Uint32Array(3 * ROWS_PER_CHUNK));
    const rows = this.chunks.at(-1)!;
    rows[at] = original;
    rows[at + 1] = offset;
    rows[at + 2] = size;
    this.count++;
  }

  /** Size of the table with its checksum, in bytes. */
  get size(): number {
    return sizeOfTable(this.count);
  }

  /** The bytes of the table, in pieces of at most 96 KiB. */
  *encode(salt: number): Generator<Buffer, void> {
    let crc = salt;
    let left = this.count * TABLE_ROW_SIZE;
    for (const { buffer, byteLength } of this.chunks) {
      const piece = Buffer.from(buffer, 0, Math.min(left, byteLength));
      crc = crc32(piece, crc);
      left -= piece.length;
      yield piece;
    }
    const checksum = Buffer.alloc(CHECKSUM_SIZE);
    checksum.writeUInt32BE(crc);
    yield checksum;
  }
}

/** Size of a table of `count` rows, with its checksum, in bytes. */
export function sizeOfTable(count: number): number {
  return count * TABLE_ROW_SIZE + CHECKSUM_SIZE;
}

/** Reads the table from its bytes; null when its checksum differs. */
export function decodeTable(buf: Buffer, count: number, salt: number): OffsetTable | null {
  const steps = decodeTableInSteps(buf, count, salt);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same, in steps of a fraction of a millisecond: others may have a turn between two of them. */
export function* decodeTableInSteps(
  buf: Buffer,
  count: number,
  salt: number,
): Generator<void, OffsetTable | null> {
  const size = count * TABLE_ROW_SIZE;
  if (buf.length < size + CHECKSUM_SIZE) return null;
  const rows = new Uint32Array(3 * count);
  const bytes = Buffer.from(rows.buffer);
  let crc = salt;
  for (let at = 0; at < size; at += BYTES_PER_STEP) {
    const end = Math.min(at + BYTES_PER_STEP, size);
    buf.copy(bytes, at, at, end);
    crc = crc32(bytes.subarray(at, end), crc);
    yield;
  }
  return crc === buf.readUInt32BE(size) ? new OffsetTable(rows) : null;
}
