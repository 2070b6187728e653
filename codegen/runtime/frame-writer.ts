/**
 * @hot Lays frames into a buffer. The layout of a frame is drawn in frame-scanner.ts.
 *
 * Method frames are written back to front: generated code lays down the arguments first and then calls
 * {@link finishMethodFrame}, which knows the size by then. Content headers: see content-header.ts.
 */
import { writeU16, writeU32 } from './bytes.ts';

const TYPE_METHOD = 1;
const TYPE_BODY = 3;
const TYPE_HEARTBEAT = 8;
const FRAME_END_OCTET = 0xce;

/** Octets of a frame before its payload: type, channel, size. */
export const FRAME_HEADER_SIZE = 7;
/** Octets of a frame beside its payload: {@link FRAME_HEADER_SIZE} and the end octet. */
export const FRAME_OVERHEAD = 8;
/** Octets at the start of a method frame's payload that say which method it is: class and method, 16 bits each. */
export const METHOD_ID_SIZE = 4;

/**
 * Completes the frame that begins at `at` and whose payload lies in `buf[at + 7..end)`: writes type,
 * channel, size and end octet.
 *
 * @returns the offset behind the frame.
 * @throws RangeError when the buffer is too small; what was written of the frame is then undefined.
 */
export function finishFrame(
  buf: Buffer,
  at: number,
  type: number,
  channel: number,
  end: number,
): number {
  if (end >= buf.length) throw new RangeError(`frame of ${end + 1 - at} octets does not fit`);
  buf[at] = type;
  writeU16(buf, at + 1, channel);
  writeU32(buf, at + 3, end - at - FRAME_HEADER_SIZE);
  buf[end] = FRAME_END_OCTET;
  return end + 1;
}

/**
 * Completes the method frame that begins at `at` and whose arguments lie in `buf[at + 11..end)`.
 *
 * @returns the offset behind the frame.
 * @throws RangeError as {@link finishFrame}.
 */
export function finishMethodFrame(
  buf: Buffer,
  at: number,
  channel: number,
  methodId: number,
  end: number,
): number {
  writeU32(buf, at + 7, methodId);
  return finishFrame(buf, at, TYPE_METHOD, channel, end);
}

/**
 * Writes one body frame around `body[start..end)`. The caller cuts a body into pieces of at most
 * frame-max - 8 octets.
 *
 * @returns the offset behind the frame.
 * @throws RangeError as {@link finishFrame}.
 */
export function encodeBodyFrame(
  buf: Buffer,
  at: number,
  channel: number,
  body: Buffer,
  start: number = 0,
  end: number = body.length,
): number {
  const payloadEnd = at + FRAME_HEADER_SIZE + end - start;
  body.copy(buf, at + FRAME_HEADER_SIZE, start, end);
  return finishFrame(buf, at, TYPE_BODY, channel, payloadEnd);
}

/**
 * Writes a heartbeat frame (8 octets, channel 0).
 *
 * @returns the offset behind the frame.
 * @throws RangeError as {@link finishFrame}.
 */
export function encodeHeartbeat(buf: Buffer, at: number): number {
  return finishFrame(buf, at, TYPE_HEARTBEAT, 0, at + FRAME_HEADER_SIZE);
}
