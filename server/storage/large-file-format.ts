/**
 * A file that holds one large body: `large/NNNNNNNNNNNNNNNN` in the folder of its vhost. Big-endian.
 *
 *     FIRNBODY, format version (format-version.ts), file number f64, crc u32 over the 20 bytes before it; then the body
 *
 * The number is never used again. What the body's size and checksum must be, stands in the message's record.
 */
import { crc32 } from 'node:zlib';
import { formatProblem, writeFormatHead } from './format-version.ts';

/** The magic word of a large body's file. */
export const LARGE_MAGIC = 'FIRNBODY';
const CRC_AT = 20;
const NAME_DIGITS = 16;
const NAME = /^\d{16}$/;

/** The folder of these files, in the vhost's. */
export const LARGE_FOLDER: string = 'large';

/** Offset of the body in its file. */
export const LARGE_HEADER_SIZE: number = CRC_AT + 4;

/** The name of file `number` in its folder. */
export function largeFileName(number: number): string {
  return String(number).padStart(NAME_DIGITS, '0');
}

/** The number of the file with this name, or -1 when it is none of these files. */
export function largeFileNumberOf(name: string): number {
  return NAME.test(name) ? Number(name) : -1;
}

export function encodeLargeHeader(number: number): Buffer {
  const buf = Buffer.alloc(LARGE_HEADER_SIZE);
  writeFormatHead(buf, LARGE_MAGIC);
  buf.writeDoubleBE(number, 12);
  buf.writeUInt32BE(crc32(buf.subarray(0, CRC_AT)), CRC_AT);
  return buf;
}

/** The file number that a header names; a sentence that says what is wrong where it is none. */
export function decodeLargeHeader(buf: Buffer): number | string {
  if (buf.length < LARGE_HEADER_SIZE) return 'shorter than the header of a body';
  const problem = formatProblem(buf, LARGE_MAGIC, 'the file of a body');
  if (problem !== null) return problem;
  if (crc32(buf.subarray(0, CRC_AT)) !== buf.readUInt32BE(CRC_AT)) return 'header is damaged';
  return buf.readDoubleBE(12);
}
