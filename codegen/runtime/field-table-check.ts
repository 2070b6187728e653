/**
 * Checks that bytes are a field table that {@link decodeFieldTable} could read, without making one: for messages
 * that are passed on as they came. Same limits, same errors.
 */
import { isUtf8 } from 'node:buffer';
import { readU32 } from './bytes.ts';
import { FIELD_TABLE_DEPTH_MAX, FIELD_TABLE_SIZE_MAX } from './field-table.ts';
import { REPLY_FRAME_ERROR, REPLY_SYNTAX_ERROR, WireError } from './wire-error.ts';

/** Stands in {@link SIZES} where no type has the tag. */
const UNKNOWN = -2;
/** By tag, octets of the values whose size the tag tells; -1: a u32 length comes first. */
const SIZES: Int8Array = sizesByTag({
  t: 1,
  b: 1,
  B: 1,
  s: 2,
  u: 2,
  I: 4,
  i: 4,
  f: 4,
  D: 5,
  d: 8,
  l: 8,
  L: 8,
  T: 8,
  V: 0,
  S: -1,
  x: -1,
  A: -1,
  F: -1,
});
/** The first octet that is not ASCII. */
const ASCII_END = 0x80;
const TAG_ARRAY = 'A'.charCodeAt(0);
const TAG_TABLE = 'F'.charCodeAt(0);

/**
 * Checks the table whose u32 length is at `at`; no octet from `end` on belongs to it.
 *
 * @returns the offset behind the table
 * @throws WireError as decodeFieldTable
 */
export function checkFieldTable(buf: Buffer, at: number, end: number): number {
  const stop = endOfLong(buf, at, end);
  if (stop - at - 4 > FIELD_TABLE_SIZE_MAX) {
    throw new WireError(
      REPLY_SYNTAX_ERROR,
      `table of ${stop - at - 4} octets, at most ${FIELD_TABLE_SIZE_MAX} are accepted`,
      at,
    );
  }
  checkEntries(buf, at + 4, stop, true, 1);
  return stop;
}

/** The offset behind the value whose tag is at `at`, in a table that has been checked. */
export function fieldValueEnd(buf: Buffer, at: number): number {
  const size = SIZES[buf[at]!]!;
  return size >= 0 ? at + 1 + size : at + 5 + readU32(buf, at + 1);
}

function checkEntries(
  buf: Buffer,
  at: number,
  stop: number,
  isTable: boolean,
  depth: number,
): void {
  if (depth > FIELD_TABLE_DEPTH_MAX) {
    throw new WireError(
      REPLY_SYNTAX_ERROR,
      `table nested deeper than ${FIELD_TABLE_DEPTH_MAX}`,
      at,
    );
  }
  let p = at;
  while (p < stop) {
    if (isTable) p = checkKey(buf, p, stop);
    p = checkValue(buf, p, stop, depth);
  }
}

function checkKey(buf: Buffer, at: number, stop: number): number {
  const end = at + 1 + buf[at]!;
  if (end > stop) throw truncated(at);
  // Nearly all keys are ASCII, and to make a string of one takes ten times as long.
  for (let p = at + 1; p < end; p++) {
    if (buf[p]! < ASCII_END) continue;
    if (isUtf8(buf.subarray(p, end))) return end;
    throw new WireError(REPLY_FRAME_ERROR, 'Malformed UTF-8 in shortstr', at);
  }
  return end;
}

function checkValue(buf: Buffer, at: number, stop: number, depth: number): number {
  if (at >= stop) throw truncated(at);
  const tag = buf[at]!;
  const size = SIZES[tag]!;
  if (size === UNKNOWN) {
    throw new WireError(REPLY_SYNTAX_ERROR, `unknown field type ${tag}`, at);
  }
  const end = size >= 0 ? at + 1 + size : endOfLong(buf, at + 1, stop);
  if (end > stop) throw truncated(at);
  if (tag === TAG_TABLE || tag === TAG_ARRAY) {
    checkEntries(buf, at + 5, end, tag === TAG_TABLE, depth + 1);
  }
  return end;
}

function sizesByTag(known: Readonly<Record<string, number>>): Int8Array {
  const sizes = new Int8Array(256).fill(UNKNOWN);
  for (const [tag, size] of Object.entries(known)) sizes[tag.charCodeAt(0)] = size;
  return sizes;
}

/** The offset behind a u32 length and as many octets. */
function endOfLong(buf: Buffer, at: number, end: number): number {
  if (at + 4 > end) throw truncated(at);
  const stop = at + 4 + readU32(buf, at);
  if (stop > end) throw truncated(at);
  return stop;
}

function truncated(at: number): WireError {
  return new WireError(REPLY_FRAME_ERROR, 'table passes the end of what holds it', at);
}
