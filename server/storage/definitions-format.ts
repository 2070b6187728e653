/**
 * `definitions.amqp`: every durable exchange, queue and binding of a vhost as the AMQP frame it came in as.
 * Big-endian; f64 is a double.
 *
 *     FIRNDEFS, version, position f64, next queue number f64, crc u32 over all before it
 *     entry: frame size u32, queue number f64 (0: none), AMQP frame, crc u32 over all before it
 *
 * Definition records of the log before `position` are contained. A damaged entry costs that entry only.
 */
import { crc32 } from 'node:zlib';
import { formatProblem, writeFormatHead } from './format-version.ts';

/** What the file begins with. */
export const DEFINITIONS_MAGIC: string = 'FIRNDEFS';
const HEADER_SIZE = 32;
const ENTRY_HEAD_SIZE = 12;
const CHECKSUM_SIZE = 4;

/** The file's name in the vhost's directory. */
export const DEFINITIONS_FILE: string = 'definitions.amqp';

/** A declaration or binding, and the number of the queue it declares (0: none). */
export interface Definition {
  readonly queue: number;
  /** The AMQP method frame, whole. */
  readonly frame: Buffer;
}

/** The file read back. */
export interface DefinitionsFile {
  readonly position: number;
  readonly nextQueueNumber: number;
  readonly definitions: readonly Definition[];
  /** Sentences about entries that could not be read. */
  readonly damage: readonly string[];
}

/** What the file begins with, besides its magic word. */
export interface DefinitionsHead {
  /** Definition records of the log before it are contained. */
  readonly position: number;
  readonly nextQueueNumber: number;
}

/** Encodes the whole file. */
export function encodeDefinitions(
  head: DefinitionsHead,
  definitions: Iterable<Definition>,
): Buffer {
  const entries = [...definitions].map(encodeDefinition);
  return Buffer.concat([encodeDefinitionsHead(head), ...entries]);
}

/** What comes before the entries. */
export function encodeDefinitionsHead({ position, nextQueueNumber }: DefinitionsHead): Buffer {
  const buf = Buffer.alloc(HEADER_SIZE);
  writeFormatHead(buf, DEFINITIONS_MAGIC);
  buf.writeDoubleBE(position, 12);
  buf.writeDoubleBE(nextQueueNumber, 20);
  buf.writeUInt32BE(crc32(buf.subarray(0, 28)), 28);
  return buf;
}

/** One entry, whole. */
export function encodeDefinition({ queue, frame }: Definition): Buffer {
  const crcAt = ENTRY_HEAD_SIZE + frame.length;
  const buf = Buffer.allocUnsafe(crcAt + CHECKSUM_SIZE);
  buf.writeUInt32BE(frame.length, 0);
  buf.writeDoubleBE(queue, 4);
  frame.copy(buf, ENTRY_HEAD_SIZE);
  buf.writeUInt32BE(crc32(buf.subarray(0, crcAt)), crcAt);
  return buf;
}

/** Reads the file; a sentence that says what is wrong where nothing of it can be used. */
export function decodeDefinitions(buf: Buffer): DefinitionsFile | string {
  if (buf.length < HEADER_SIZE) return 'shorter than its header';
  const problem = formatProblem(buf, DEFINITIONS_MAGIC, 'a definitions file');
  if (problem !== null) return problem;
  if (crc32(buf.subarray(0, 28)) !== buf.readUInt32BE(28)) return 'header is damaged';
  const definitions: Definition[] = [];
  const damage: string[] = [];
  let p = HEADER_SIZE;
  while (p < buf.length) {
    const size = entrySizeAt(buf, p);
    if (size > 0) {
      const frame = Buffer.from(buf.subarray(p + ENTRY_HEAD_SIZE, p + size - CHECKSUM_SIZE));
      definitions.push({ queue: buf.readDoubleBE(p + 4), frame });
      p += size;
      continue;
    }
    const from = p;
    do p++;
    while (p < buf.length && entrySizeAt(buf, p) === 0);
    damage.push(`bytes ${from} to ${p} are damaged: they are skipped`);
  }
  return {
    position: buf.readDoubleBE(12),
    nextQueueNumber: buf.readDoubleBE(20),
    definitions,
    damage,
  };
}

/** Size of the entry at `at`, its checksum included; 0 when there is no whole and undamaged one. */
function entrySizeAt(buf: Buffer, at: number): number {
  if (buf.length - at < ENTRY_HEAD_SIZE + CHECKSUM_SIZE) return 0;
  const crcAt = at + ENTRY_HEAD_SIZE + buf.readUInt32BE(at);
  if (crcAt + CHECKSUM_SIZE > buf.length) return 0;
  const isWhole = crc32(buf.subarray(at, crcAt)) === buf.readUInt32BE(crcAt);
  return isWhole ? crcAt + CHECKSUM_SIZE - at : 0;
}
