/**
 * A checkpoint: what recovery would find out by reading the log up to some position. Big-endian; f64 is a
 * double.
 *
 *     FIRNCKPT, version, clean u32 (1: the server stopped in order behind it)
 *     replay from f64, log end f64, next large file f64
 *     base f64, base's crc u32, entries of a full row u32
 *     part count u32, gone count u32, gone queues f64 ..., parts (index-part.ts)
 *     crc u32 over all before it
 *
 * A *base* names itself as its base and holds a part of every queue. Any other one is a *delta*: it holds the parts
 * of the queues that have changed since the base, and the numbers of those that are gone since.
 */
import { crc32 } from 'node:zlib';
import { formatProblem, writeFormatHead } from './format-version.ts';
import { decodePart } from './index-part.ts';
import type { QueueIndex } from './queue-index.ts';

/** What a checkpoint begins with. */
export const CHECKPOINT_MAGIC: string = 'FIRNCKPT';
const HEADER_SIZE = 64;

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

/** What a checkpoint says beside its parts. */
export interface CheckpointHead {
  readonly clean: boolean;
  readonly replayFrom: number;
  readonly logEnd: number;
  /** No file of a large body has had this number or a higher one. */
  readonly nextLargeFile: number;
  /** Number of the checkpoint that it goes on from; its own for a base. */
  readonly base: number;
  /** Checksum at the end of that one; 0 for a base. */
  readonly baseCrc: number;
  /** Entries of a full row, and so of a slot. */
  readonly rowEntries: number;
}

/** A checkpoint read back. */
export interface Checkpoint extends CheckpointHead {
  readonly parts: readonly CheckpointPart[];
  /** Queues of the base that are gone. */
  readonly gone: readonly number[];
  /** Checksum at its end. */
  readonly crc: number;
}

/** Encodes a checkpoint of encoded parts. */
export function encodeCheckpoint(
  head: CheckpointHead,
  parts: readonly Buffer[],
  gone: readonly number[],
): Buffer {
  const header = Buffer.alloc(HEADER_SIZE + 8 * gone.length);
  writeFormatHead(header, CHECKPOINT_MAGIC);
  header.writeUInt32BE(head.clean ? 1 : 0, 12);
  header.writeDoubleBE(head.replayFrom, 16);
  header.writeDoubleBE(head.logEnd, 24);
  header.writeDoubleBE(head.nextLargeFile, 32);
  header.writeDoubleBE(head.base, 40);
  header.writeUInt32BE(head.baseCrc, 48);
  header.writeUInt32BE(head.rowEntries, 52);
  header.writeUInt32BE(parts.length, 56);
  header.writeUInt32BE(gone.length, 60);
  for (const [i, queue] of gone.entries()) header.writeDoubleBE(queue, HEADER_SIZE + 8 * i);
  const trailer = Buffer.alloc(4);
  const content = Buffer.concat([header, ...parts, trailer]);
  content.writeUInt32BE(crc32(content.subarray(0, -4)), content.length - 4);
  return content;
}

/** Checksum at the end of an encoded checkpoint. */
export function crcOfCheckpoint(content: Buffer): number {
  return content.readUInt32BE(content.length - 4);
}

/** Reads a checkpoint file; a sentence that says what is wrong where it cannot be used. */
export function decodeCheckpoint(buf: Buffer): Checkpoint | string {
  if (buf.length < HEADER_SIZE + 4) return 'shorter than a checkpoint';
  const problem = formatProblem(buf, CHECKPOINT_MAGIC, 'a checkpoint');
  if (problem !== null) return problem;
  const crc = crcOfCheckpoint(buf);
  if (crc32(buf.subarray(0, -4)) !== crc) return 'checksum differs';
  const gone: number[] = [];
  let p = HEADER_SIZE;
  for (let i = buf.readUInt32BE(60); i > 0; i--, p += 8) gone.push(buf.readDoubleBE(p));
  const rowEntries = buf.readUInt32BE(52);
  const parts: CheckpointPart[] = [];
  for (let i = buf.readUInt32BE(56); i > 0; i--) {
    const part = decodePart(buf, p, rowEntries);
    parts.push(part.part);
    p = part.end;
  }
  return {
    clean: buf.readUInt32BE(12) === 1,
    replayFrom: buf.readDoubleBE(16),
    logEnd: buf.readDoubleBE(24),
    nextLargeFile: buf.readDoubleBE(32),
    base: buf.readDoubleBE(40),
    baseCrc: buf.readUInt32BE(48),
    rowEntries,
    parts,
    gone,
    crc,
  };
}

/** The queues of a delta and of its base together. */
export function mergeParts(base: Checkpoint, delta: Checkpoint): readonly CheckpointPart[] {
  const replaced = new Set([...delta.gone, ...delta.parts.map(({ index }) => index.number)]);
  return [...base.parts.filter(({ index }) => !replaced.has(index.number)), ...delta.parts];
}
