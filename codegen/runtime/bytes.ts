/**
 * @hot Big-endian integers, short strings and UTF-8 text at a given offset of a buffer.
 *
 * These are the words from which generated encoders and accessors are made. They are free functions of
 * a few stores or loads, so that V8 inlines them and folds the constants of the caller; the methods of
 * Buffer (`writeUInt32BE`) validate value and offset again at every call.
 *
 * They check nothing: a value outside its type is cut to its low bits, a read behind the end yields NaN
 * or 0. Readers of bytes from outside use {@link ByteReader}; encoders end with `finishFrame`, which
 * refuses a buffer that was too small.
 */
import { isUtf8 } from 'node:buffer';

const TWO_TO_32 = 0x1_0000_0000;
/** Octets of the longest short string (spec 4.2.5.3). */
export const SHORTSTR_SIZE_MAX = 255;
/** Strings up to this length are written by a loop over their characters; `Buffer.write` costs 50 ns. */
const LOOP_LENGTH_MAX = 24;
const REPLACEMENT_CHARACTER = '\ufffd';

/** Reads an unsigned octet. */
export function readU8(buf: Buffer, at: number): number {
  return buf[at]!;
}

/** Reads an unsigned 16-bit integer. */
export function readU16(buf: Buffer, at: number): number {
  return (buf[at]! << 8) | buf[at + 1]!;
}

/** Reads an unsigned 32-bit integer. */
export function readU32(buf: Buffer, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0;
}

/** Reads an unsigned 64-bit integer as a double: exact up to 2^53, rounded above. */
export function readU64(buf: Buffer, at: number): number {
  return readU32(buf, at) * TWO_TO_32 + readU32(buf, at + 4);
}

/** Writes the low 8 bits of `value`. */
export function writeU8(buf: Buffer, at: number, value: number): void {
  buf[at] = value;
}

/** Writes the low 16 bits of `value`. */
export function writeU16(buf: Buffer, at: number, value: number): void {
  buf[at] = value >>> 8;
  buf[at + 1] = value;
}

/** Writes the low 32 bits of `value`. */
export function writeU32(buf: Buffer, at: number, value: number): void {
  buf[at] = value >>> 24;
  buf[at + 1] = value >>> 16;
  buf[at + 2] = value >>> 8;
  buf[at + 3] = value;
}

/** Writes a 64-bit integer in two's complement; `value` is an integer of at most 53 bits. */
export function writeU64(buf: Buffer, at: number, value: number): void {
  const low = value >>> 0;
  writeU32(buf, at, (value - low) / TWO_TO_32);
  writeU32(buf, at + 4, low);
}

/**
 * Writes a length octet and the UTF-8 octets of `text`.
 *
 * @returns the offset behind the string.
 * @throws RangeError when the text takes more than 255 octets.
 */
export function writeShortstr(buf: Buffer, at: number, text: string): number {
  const length = text.length;
  if (length <= LOOP_LENGTH_MAX) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      buf[at + 1 + i] = code;
    }
    if (i === length) {
      buf[at] = length;
      return at + 1 + length;
    }
  }
  const size = Buffer.byteLength(text);
  if (size > SHORTSTR_SIZE_MAX) {
    throw new RangeError(`short string of ${size} octets, at most ${SHORTSTR_SIZE_MAX} fit`);
  }
  buf[at] = size;
  buf.write(text, at + 1);
  return at + 1 + size;
}

/** Writes a 32-bit length and the octets of `bytes`; returns the offset behind them. */
export function writeLongstr(buf: Buffer, at: number, bytes: Buffer): number {
  writeU32(buf, at, bytes.length);
  bytes.copy(buf, at + 4);
  return at + 4 + bytes.length;
}

/** The text in `buf[at..end)`, or null when these octets are not valid UTF-8. */
export function readUtf8(buf: Buffer, at: number, end: number): string | null {
  const text = buf.toString('utf8', at, end);
  // Decoding puts the replacement character where octets are invalid, but it can also be meant.
  if (text.includes(REPLACEMENT_CHARACTER) && !isUtf8(buf.subarray(at, end))) return null;
  return text;
}
