/**
 * A checkpoint: what recovery would find out by reading the log up to some position. Big-endian; f64 is a
 * double.
 *
 *     FIRNCKPT, version, clean u32 (1: the server stopped in order behind it)
 *     replay from f64, log end f64, next large file f64, part count u32
 *     part: queue f64, position f64, next sequence f64, redelivered up to f64, deliverable up to f64,
 *           bytes f64, run count u32, delivery count entries u32, large message count u32,
 *           runs: first sequence f64, count u32, positions f64 little-endian (-1: settled) ...
 *           entries: sequence f64, delivery count u32
 *           large messages: sequence f64, file number f64
 *     crc u32 over all before it
 *
 * A part holds the queue as it was at its own position; replay skips the queue's records before that.
 * Every unsettled message is in a run: unacked is only "not settled".
 */
import { crc32 } from 'node:zlib';
import { formatProblem, writeFormatHead } from './format-version.ts';
import { QueueIndex } from './queue-index.ts';

/** What a checkpoint begins with. */
export const CHECKPOINT_MAGIC: string = 'FIRNCKPT';
const HEADER_SIZE = 44;
const PART_HEAD_SIZE = 60;
const RUN_HEAD_SIZE = 12;
const ENTRY_SIZE = 12;
const LARGE_SIZE = 16;

const NAME_PREFIX = 'checkpoint.';
const NAME_DIGITS = 10;

/** The file name of checkpoint `number`. */
export function checkpointFileName(number: number): string {
  return NAME_PREFIX + String(number).padStart(NAME_DIGITS, '0');
}

/** The number of the checkpoint with this file name, or -1. */
export function checkpointNumberOf(name: string): number {
  return /^checkpoint\.\d{10}$/.test(name) ? Number(name.slice(NAME_PREFIX.length)) : -1;
}

/** One queue as a checkpoint holds it. */
export interface CheckpointPart {
  readonly index: QueueIndex;
  /** Replay skips the queue's records before this position. */
  readonly position: number;
  /** Sum of the body sizes of all unsettled messages. */
  readonly bytes: number;
}

/** A checkpoint read back. */
export interface Checkpoint {
  readonly clean: boolean;
  readonly replayFrom: number;
  readonly logEnd: number;
  /** No file of a large body has had this number or a higher one. */
  readonly nextLargeFile: number;
  readonly parts: readonly CheckpointPart[];
}

/**
 * Encodes one queue as it is now; `position` is the end of the last closed batch. The index is copied as it lies
 * in memory, since ten million positions one by one would hold the loop for a second.
 */
export function encodePart(index: QueueIndex, position: number): Buffer {
  const counts = index.deliveryCountEntries();
  const large = [...(index.large ?? [])];
  let runCount = 0;
  let size = PART_HEAD_SIZE + (counts.length / 2) * ENTRY_SIZE + large.length * LARGE_SIZE;
  index.forEachRun((_first, positions) => {
    runCount++;
    size += RUN_HEAD_SIZE + positions.byteLength;
  });
  const buf = Buffer.allocUnsafe(size);
  buf.writeDoubleBE(index.number, 0);
  buf.writeDoubleBE(position, 8);
  buf.writeDoubleBE(index.nextSequence, 16);
  buf.writeDoubleBE(index.redeliveredUpTo, 24);
  buf.writeDoubleBE(index.reservedUpTo, 32);
  buf.writeDoubleBE(index.readyBytes + index.unackedBytes, 40);
  buf.writeUInt32BE(runCount, 48);
  buf.writeUInt32BE(counts.length / 2, 52);
  buf.writeUInt32BE(large.length, 56);
  let p = PART_HEAD_SIZE;
  index.forEachRun((first, positions) => {
    p = buf.writeDoubleBE(first, p);
    p = buf.writeUInt32BE(positions.length, p);
    p += Buffer.from(positions.buffer, positions.byteOffset, positions.byteLength).copy(buf, p);
  });
  for (let i = 0; i < counts.length; i += 2) {
    p = buf.writeDoubleBE(counts[i]!, p);
    p = buf.writeUInt32BE(counts[i + 1]!, p);
  }
  for (const [sequence, file] of large) {
    p = buf.writeDoubleBE(sequence, p);
    p = buf.writeDoubleBE(file, p);
  }
  return buf;
}

/** Puts encoded parts together to the content of a checkpoint file. */
export function encodeCheckpoint(
  parts: readonly Buffer[],
  clean: boolean,
  replayFrom: number,
  logEnd: number,
  nextLargeFile: number,
): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  writeFormatHead(header, CHECKPOINT_MAGIC);
  header.writeUInt32BE(clean ? 1 : 0, 12);
  header.writeDoubleBE(replayFrom, 16);
  header.writeDoubleBE(logEnd, 24);
  header.writeDoubleBE(nextLargeFile, 32);
  header.writeUInt32BE(parts.length, 40);
  const trailer = Buffer.alloc(4);
  const content = Buffer.concat([header, ...parts, trailer]);
  content.writeUInt32BE(crc32(content.subarray(0, -4)), content.length - 4);
  return content;
}

/** Reads a checkpoint file; a sentence that says what is wrong where it cannot be used. */
export function decodeCheckpoint(buf: Buffer): Checkpoint | string {
  if (buf.length < HEADER_SIZE + 4) return 'shorter than a checkpoint';
  const problem = formatProblem(buf, CHECKPOINT_MAGIC, 'a checkpoint');
  if (problem !== null) return problem;
  if (crc32(buf.subarray(0, -4)) !== buf.readUInt32BE(buf.length - 4)) return 'checksum differs';
  const parts: CheckpointPart[] = [];
  let p = HEADER_SIZE;
  for (let i = buf.readUInt32BE(40); i > 0; i--) {
    const part = decodePart(buf, p);
    parts.push(part.part);
    p = part.end;
  }
  return {
    clean: buf.readUInt32BE(12) === 1,
    replayFrom: buf.readDoubleBE(16),
    logEnd: buf.readDoubleBE(24),
    nextLargeFile: buf.readDoubleBE(32),
    parts,
  };
}

function decodePart(buf: Buffer, at: number): { part: CheckpointPart; end: number } {
  const index = new QueueIndex(buf.readDoubleBE(at), true);
  const runCount = buf.readUInt32BE(at + 48);
  const entryCount = buf.readUInt32BE(at + 52);
  const largeCount = buf.readUInt32BE(at + 56);
  let p = at + PART_HEAD_SIZE;
  for (let run = 0; run < runCount; run++) {
    const first = buf.readDoubleBE(p);
    const count = buf.readUInt32BE(p + 8);
    p += RUN_HEAD_SIZE;
    for (let i = 0; i < count; i++, p += 8) {
      const at = buf.readDoubleLE(p);
      if (at >= 0) index.restore(first + i, at);
    }
  }
  for (let i = 0; i < entryCount; i++, p += ENTRY_SIZE) {
    index.restoreDeliveryCount(buf.readDoubleBE(p), buf.readUInt32BE(p + 8));
  }
  for (let i = 0; i < largeCount; i++, p += LARGE_SIZE) {
    index.noteLarge(buf.readDoubleBE(p), buf.readDoubleBE(p + 8));
  }
  index.nextSequence = buf.readDoubleBE(at + 16);
  index.redeliveredUpTo = buf.readDoubleBE(at + 24);
  index.reservedUpTo = buf.readDoubleBE(at + 32);
  return {
    part: { index, position: buf.readDoubleBE(at + 8), bytes: buf.readDoubleBE(at + 40) },
    end: p,
  };
}
