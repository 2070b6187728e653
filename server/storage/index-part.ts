/**
 * One queue in a checkpoint. Big-endian; f64 is a double.
 *
 *     part: size u32 (of all of it), row count u32, queue f64, position f64, next sequence f64, redelivered up to f64,
 *           deliverable up to f64, bytes f64, large message count u32, zero u32, rows, large messages
 *     row:  first f64, count u32, settled prefix u32, slot i32 (-1: its positions follow), crc u32 of the slot's positions,
 *           settled kind u16 (0 none behind the prefix, 1 list, 2 bits), settled count u16,
 *           segment count u16, return count u16,
 *           segments: number u32, unsettled u32, bytes f64 ...
 *           settled: u16 entries ... or a bit for each entry of a full row
 *           returns: entry u16, count u16 ...
 *           without a slot: positions f64 little-endian from the settled prefix on
 *     large message: sequence f64, file number f64
 *
 * A part holds the queue as it was at its own position; replay skips the queue's records before that. Every unsettled
 * message is in a row: unacked is only "not settled". A row of which nothing is left is not there.
 */
import type { CheckpointPart } from './checkpoint-format.ts';
import { IndexRow, TRIPLET } from './index-row.ts';
import { bytesOfPositions } from './positions.ts';
import { QueueIndex } from './queue-index.ts';
import { ReturnCounts } from './return-counts.ts';

const PART_HEAD_SIZE = 64;
const LARGE_SIZE = 16;
const ROW_HEAD_SIZE = 32;
const SEGMENT_SIZE = 16;
const RETURN_SIZE = 4;

const SETTLED_NONE = 0;
const SETTLED_LIST = 1;
const SETTLED_BITS = 2;

/** Puts a row into its slot where that is worth it; false: its positions go into the part. */
export type RowStore = (index: QueueIndex, row: IndexRow) => boolean;

/** Encodes one queue as it is now; `position` is the end of the last closed batch. */
export function encodePart(index: QueueIndex, position: number, store: RowStore): Buffer {
  const encoded: Buffer[] = [];
  for (const row of index.rows.views()) {
    if (row.live > 0) encoded.push(encodeRow(row, store(index, row)));
  }
  const rowCount = encoded.length;
  encoded.push(encodeLarge(index));
  const size = PART_HEAD_SIZE + encoded.reduce((sum, { length }) => sum + length, 0);
  const head = Buffer.allocUnsafe(PART_HEAD_SIZE);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(rowCount, 4);
  head.writeDoubleBE(index.number, 8);
  head.writeDoubleBE(position, 16);
  head.writeDoubleBE(index.nextSequence, 24);
  head.writeDoubleBE(index.redeliveredUpTo, 32);
  head.writeDoubleBE(index.reservedUpTo, 40);
  head.writeDoubleBE(index.readyBytes + index.unackedBytes, 48);
  head.writeUInt32BE(index.large?.size ?? 0, 56);
  head.writeUInt32BE(0, 60);
  return Buffer.concat([head, ...encoded], size);
}

/** Reads the part at `at`, of rows of `rowEntries` entries. */
export function decodePart(
  buf: Buffer,
  at: number,
  rowEntries: number,
): { part: CheckpointPart; end: number } {
  const index = new QueueIndex(buf.readDoubleBE(at + 8), true);
  const end = at + buf.readUInt32BE(at);
  let p = at + PART_HEAD_SIZE;
  for (let i = buf.readUInt32BE(at + 4); i > 0; i--) {
    const { row, next } = decodeRow(buf, p, rowEntries);
    index.adoptRow(row);
    index.readyCount += row.live;
    p = next;
  }
  for (let i = buf.readUInt32BE(at + 56); i > 0; i--, p += LARGE_SIZE) {
    index.noteLarge(buf.readDoubleBE(p), buf.readDoubleBE(p + 8));
  }
  index.nextSequence = buf.readDoubleBE(at + 24);
  index.redeliveredUpTo = buf.readDoubleBE(at + 32);
  index.reservedUpTo = buf.readDoubleBE(at + 40);
  const bytes = buf.readDoubleBE(at + 48);
  return { part: { index, position: buf.readDoubleBE(at + 16), bytes }, end };
}

function encodeLarge({ large }: QueueIndex): Buffer {
  const buf = Buffer.allocUnsafe(LARGE_SIZE * (large?.size ?? 0));
  let p = 0;
  for (const [sequence, file] of large ?? []) {
    p = buf.writeDoubleBE(sequence, p);
    p = buf.writeDoubleBE(file, p);
  }
  return buf;
}

function encodeRow(row: IndexRow, isStored: boolean): Buffer {
  const { segments, positions, settledPrefix, count } = row;
  const triplets = segmentsInUse(segments);
  const returns: number[] = [];
  row.returns?.forEach((entry, times) => {
    returns.push(entry, times);
  });
  const settled = settledIn(row);
  const size =
    ROW_HEAD_SIZE +
    triplets.length * SEGMENT_SIZE +
    settled.bytes.length +
    (returns.length / 2) * RETURN_SIZE +
    (isStored ? 0 : 8 * (count - settledPrefix));
  const buf = Buffer.allocUnsafe(size);
  buf.writeDoubleBE(row.first, 0);
  buf.writeUInt32BE(count, 8);
  buf.writeUInt32BE(settledPrefix, 12);
  buf.writeInt32BE(isStored ? row.slot : -1, 16);
  buf.writeUInt32BE(isStored ? row.crc : 0, 20);
  buf.writeUInt16BE(settled.kind, 24);
  buf.writeUInt16BE(settled.count, 26);
  buf.writeUInt16BE(triplets.length, 28);
  buf.writeUInt16BE(returns.length / 2, 30);
  let p = ROW_HEAD_SIZE;
  for (const triplet of triplets) {
    p = buf.writeUInt32BE(segments[triplet]!, p);
    p = buf.writeUInt32BE(segments[triplet + 1]!, p);
    p = buf.writeDoubleBE(segments[triplet + 2]!, p);
  }
  p += settled.bytes.copy(buf, p);
  for (const number of returns) p = buf.writeUInt16BE(number, p);
  if (!isStored) bytesOfPositions(positions!.subarray(settledPrefix, count)).copy(buf, p);
  return buf;
}

function decodeRow(buf: Buffer, at: number, rowEntries: number): { row: IndexRow; next: number } {
  const row = new IndexRow(buf.readDoubleBE(at));
  row.count = buf.readUInt32BE(at + 8);
  row.settledPrefix = buf.readUInt32BE(at + 12);
  row.slot = buf.readInt32BE(at + 16);
  row.crc = buf.readUInt32BE(at + 20);
  let p = at + ROW_HEAD_SIZE;
  for (let i = buf.readUInt16BE(at + 28); i > 0; i--, p += SEGMENT_SIZE) {
    row.segments.push(buf.readUInt32BE(p), buf.readUInt32BE(p + 4), buf.readDoubleBE(p + 8));
    row.live += buf.readUInt32BE(p + 4);
  }
  p = decodeSettled(buf, p, row, buf.readUInt16BE(at + 24), buf.readUInt16BE(at + 26), rowEntries);
  const returnCount = buf.readUInt16BE(at + 30);
  if (returnCount > 0) row.returns = new ReturnCounts(rowEntries);
  for (let i = 0; i < returnCount; i++, p += RETURN_SIZE) {
    row.returns!.set(buf.readUInt16BE(p), buf.readUInt16BE(p + 2));
  }
  if (row.slot >= 0) {
    row.stored = row.count;
    return { row, next: p };
  }
  const positions = new Float64Array(row.count);
  const size = 8 * (row.count - row.settledPrefix);
  buf.copy(bytesOfPositions(positions.subarray(row.settledPrefix)), 0, p, p + size);
  row.positions = positions;
  return { row, next: p + size };
}

interface EncodedSettled {
  readonly kind: number;
  readonly count: number;
  readonly bytes: Buffer;
}

/** What is settled behind the prefix, in the shorter of its two forms. */
function settledIn(row: IndexRow): EncodedSettled {
  const bits = row.settledBits;
  const settledCount = row.count - row.live - row.settledPrefix;
  if (bits === null || settledCount === 0) {
    return { kind: SETTLED_NONE, count: 0, bytes: Buffer.alloc(0) };
  }
  if (2 * settledCount >= bits.length) {
    return { kind: SETTLED_BITS, count: 0, bytes: Buffer.from(bits) };
  }
  const bytes = Buffer.allocUnsafe(2 * settledCount);
  let p = 0;
  let entry = row.nextSettled(row.settledPrefix, row.count);
  for (; entry < row.count; entry = row.nextSettled(entry + 1, row.count))
    p = bytes.writeUInt16BE(entry, p);
  return { kind: SETTLED_LIST, count: settledCount, bytes };
}

function decodeSettled(
  buf: Buffer,
  at: number,
  row: IndexRow,
  kind: number,
  count: number,
  rowEntries: number,
): number {
  if (kind === SETTLED_BITS) {
    const end = at + rowEntries / 8;
    row.settledBits = Uint8Array.from(buf.subarray(at, end));
    return end;
  }
  for (let i = 0; i < count; i++) row.mark(buf.readUInt16BE(at + 2 * i), rowEntries);
  return at + 2 * count;
}

/** The triplets that say something. */
function segmentsInUse(segments: readonly number[]): number[] {
  const triplets: number[] = [];
  for (let at = 0; at < segments.length; at += TRIPLET) {
    if (segments[at + 1]! > 0) triplets.push(at);
  }
  return triplets;
}
