/**
 * @hot The fixed part of a content header payload (spec 4.2.6.1):
 *
 *     0          2          4              12
 *     +----------+----------+--------------+----------------+-------- -
 *     | class id |  weight  |  body size   | property flags | values
 *     +----------+----------+--------------+----------------+-------- -
 *      short      short, 0   longlong       short
 *
 * Flags and values are generated per class: see generated/basic-properties.ts.
 */
import { readU16, readU64, writeU16, writeU64 } from './bytes.ts';
import { finishFrame } from './frame-writer.ts';

const TYPE_HEADER = 2;

/** Octets of a content header payload before its property flags. */
export const CONTENT_HEADER_FIXED_SIZE = 12;

/** Class id in the content header payload at `at`. */
export function contentHeaderClassId(buf: Buffer, at: number): number {
  return readU16(buf, at);
}

/** Octets of the body that follows the content header whose payload is at `at`. */
export function contentHeaderBodySize(buf: Buffer, at: number): number {
  return readU64(buf, at + 4);
}

/**
 * Completes the content header frame that begins at `at` and whose property flags and values lie in
 * `buf[at + 19..end)`.
 *
 * @returns the offset behind the frame.
 * @throws RangeError as {@link finishFrame}.
 */
export function finishContentHeader(
  buf: Buffer,
  at: number,
  channel: number,
  classId: number,
  bodySize: number,
  end: number,
): number {
  writeU16(buf, at + 7, classId);
  writeU16(buf, at + 9, 0); // weight: unused, must be zero
  writeU64(buf, at + 11, bodySize);
  return finishFrame(buf, at, TYPE_HEADER, channel, end);
}
