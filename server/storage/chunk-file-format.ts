/**
 * A chunk file, byte by byte: `enq/NNNNNNNNNN` in the folder of its vhost, named by its queue's number. Big-endian but
 * for the positions.
 *
 *     0         8         12        16          24                32      36         4096
 *     +---------+---------+---------+-----------+-----------------+-------+- zeros --+--------+--------+---
 *     | FIRNENQF| version | entries | queue f64 | zeros           | crc   |          | slot 0 | slot 1 | ...
 *     +---------+---------+---------+-----------+-----------------+-------+----------+--------+--------+---
 *
 * A slot holds `entries` positions, f64 little-endian: entry i is the position of the row's first number + i. How many
 * of them count, and their checksum, stands in the checkpoint that names the slot.
 */
import { crc32 } from 'node:zlib';
import { formatProblem, writeFormatHead } from './format-version.ts';

/** What a chunk file begins with. */
export const CHUNK_MAGIC: string = 'FIRNENQF';
/** The folder of the chunk files in a vhost's folder. */
export const CHUNK_FOLDER = 'enq';
/** Bytes before the first slot: a page, so that slots are aligned. */
export const CHUNK_HEADER_SIZE = 4096;

const CRC_AT = 32;
const HEADER_USED = CRC_AT + 4;
const NAME_DIGITS = 10;
const NAME = /^\d{10,}$/;

/** What the header says. */
export interface ChunkHeader {
  /** Entries of a slot. */
  readonly entries: number;
  readonly queue: number;
}

/** The file name of a queue's chunks. */
export function chunkFileName(queue: number): string {
  return String(queue).padStart(NAME_DIGITS, '0');
}

/** The number of the queue whose chunk file has this name; -1 when it is no such name. */
export function queueOfChunkFile(name: string): number {
  const queue = NAME.test(name) ? Number(name) : -1;
  return chunkFileName(queue) === name ? queue : -1;
}

export function encodeChunkHeader({ entries, queue }: ChunkHeader): Buffer {
  const header = Buffer.alloc(CHUNK_HEADER_SIZE);
  writeFormatHead(header, CHUNK_MAGIC);
  header.writeUInt32BE(entries, 12);
  header.writeDoubleBE(queue, 16);
  header.writeUInt32BE(crc32(header.subarray(0, CRC_AT)), CRC_AT);
  return header;
}

/** Decodes the header; a sentence that says what is wrong where it is none. */
export function decodeChunkHeader(buf: Buffer): ChunkHeader | string {
  if (buf.length < HEADER_USED) return 'shorter than the header of a chunk file';
  const problem = formatProblem(buf, CHUNK_MAGIC, 'a chunk file');
  if (problem !== null) return problem;
  if (crc32(buf.subarray(0, CRC_AT)) !== buf.readUInt32BE(CRC_AT)) return 'header is damaged';
  return { entries: buf.readUInt32BE(12), queue: buf.readDoubleBE(16) };
}
