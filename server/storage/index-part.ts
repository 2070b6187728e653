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

/**
 * Encodes one queue as it is now; `position` is the end of the last closed batch.
 *
 * A part is taken in one turn, whatever the queue's length: a hundred million messages are twelve thousand rows. So
 * their sizes are added up first, and each is then written where it belongs, without a buffer of its own.
 */
export function encodePart(index: QueueIndex, position: number, store: RowStore): Buffer {
  const { rows } = index;
  const isStored = new Uint8Array(rows.length);
  let size = PART_HEAD_SIZE + LARGE_SIZE * (index.large?.size ?? 0);
  let rowCount = 0;
  for (let at = 0; at < rows.length; at++) {
    const row = rows.view(at)!;
    if (row.live === 0) continue;
    isStored[at] = store(index, row) ? 1 : 0;
    size += encodedSize(row, isStored[at] === 1);
    rowCount++;
  }
  const buf = Buffer.allocUnsafe(size);
  buf.writeUInt32BE(size, 0);
  buf.writeUInt32BE(rowCount, 4);
  buf.writeDoubleBE(index.number, 8);
  buf.writeDoubleBE(position, 16);
  buf.writeDoubleBE(index.nextSequence, 24);
  buf.writeDoubleBE(index.redeliveredUpTo, 32);
  buf.writeDoubleBE(index.reservedUpTo, 40);
  buf.writeDoubleBE(index.readyBytes + index.unackedBytes, 48);
  buf.writeUInt32BE(index.large?.size ?? 0, 56);
  buf.writeUInt32BE(0, 60);
  let p = PART_HEAD_SIZE;
  for (let at = 0; at < rows.length; at++) {
    const row = rows.view(at)!;
    if (row.live > 0) p = encodeRow(buf, p, row, isStored[at] === 1);
  }
  for (const [sequence, file] of index.large ?? []) {
    p = buf.writeDoubleBE(sequence, p);
    p = buf.writeDoubleBE(file, p);
  }
  return buf;
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

function encodedSize(row: IndexRow, isStored: boolean): number {
  const size =
    ROW_HEAD_SIZE +
    segmentsInUse(row) * SEGMENT_SIZE +
    settledSize(row) +
    (row.returns?.count ?? 0) * RETURN_SIZE;
  return isStored ? size : size + 8 * (row.count - row.settledPrefix);
}

/** Encodes a row at `at`; returns its end. */
function encodeRow(buf: Buffer, at: number, row: IndexRow, isStored: boolean): number {
  const { segments, positions, settledPrefix, count } = row;
  const kind = settledKind(row);
  buf.writeDoubleBE(row.first, at);
  buf.writeUInt32BE(count, at + 8);
  buf.writeUInt32BE(settledPrefix, at + 12);
  buf.writeInt32BE(isStored ? row.slot : -1, at + 16);
  buf.writeUInt32BE(isStored ? row.crc : 0, at + 20);
  buf.writeUInt16BE(kind, at + 24);
  buf.writeUInt16BE(kind === SETTLED_LIST ? settledBehindPrefix(row) : 0, at + 26);
  buf.writeUInt16BE(segmentsInUse(row), at + 28);
  buf.writeUInt16BE(row.returns?.count ?? 0, at + 30);
  let p = at + ROW_HEAD_SIZE;
  for (let triplet = 0; triplet < segments.length; triplet += TRIPLET) {
    if (segments[triplet + 1] === 0) continue;
    p = buf.writeUInt32BE(segments[triplet]!, p);
    p = buf.writeUInt32BE(segments[triplet + 1]!, p);
    p = buf.writeDoubleBE(segments[triplet + 2]!, p);
  }
  p = encodeSettled(buf, p, row, kind);
  row.returns?.forEach((entry, times) => {
    p = buf.writeUInt16BE(entry, p);
    p = buf.writeUInt16BE(times, p);
  });
  if (isStored) return p;
  return p + bytesOfPositions(positions!.subarray(settledPrefix, count)).copy(buf, p);
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

function settledBehindPrefix({ count, live, settledPrefix }: IndexRow): number {
  return count - live - settledPrefix;
}

/** How what is settled behind the prefix is told: in the shorter of its two forms. */
function settledKind(row: IndexRow): number {
  const count = settledBehindPrefix(row);
  if (row.settledBits === null || count === 0) return SETTLED_NONE;
  return 2 * count >= row.settledBits.length ? SETTLED_BITS : SETTLED_LIST;
}

function settledSize(row: IndexRow): number {
  const kind = settledKind(row);
  if (kind === SETTLED_NONE) return 0;
  return kind === SETTLED_BITS ? row.settledBits!.length : 2 * settledBehindPrefix(row);
}

function encodeSettled(buf: Buffer, at: number, row: IndexRow, kind: number): number {
  if (kind === SETTLED_NONE) return at;
  if (kind === SETTLED_BITS) {
    buf.set(row.settledBits!, at);
    return at + row.settledBits!.length;
  }
  let p = at;
  let entry = row.nextSettled(row.settledPrefix, row.count);
  for (; entry < row.count; entry = row.nextSettled(entry + 1, row.count)) {
    p = buf.writeUInt16BE(entry, p);
  }
  return p;
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

/** How many segments have an unsettled message. */
function segmentsInUse({ segments }: IndexRow): number {
  let count = 0;
  for (let at = 1; at < segments.length; at += TRIPLET) if (segments[at]! > 0) count++;
  return count;
}
