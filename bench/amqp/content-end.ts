/**
 * @hot Finds the end of a message's content in a chunk of a stream, without looking into it.
 *
 * A content (spec 4.2.6) is a header frame and body frames behind a method frame:
 *
 *     +---+----+------+-------+--------+-----------+-----------+----+  +---+----+------+---------+----+
 *     | 2 | ch | size | class | weight | body size | flags ... | CE |  | 3 | ch | size | payload | CE |
 *     +---+----+------+-------+--------+-----------+-----------+----+  +---+----+------+---------+----+
 *     0   1    3      7       9        11          19                  at + size + 8
 *
 * It judges nothing: what it does not recognise as a whole content it leaves to the frame scanner.
 */
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  METHOD_ID_SIZE,
  readU32,
} from '../../generated/index.ts';

/** Frame header, class, weight, body size, property flags, end octet. */
const CONTENT_HEADER_MIN_BYTES = 22;

/**
 * The offset behind the content that begins at `at`, behind the end octet of its method frame, when it
 * lies whole in `buf[at..limit)` and its body is in one frame or none; otherwise -1.
 *
 * HOT per message. A generator that builds an object for a frame costs more than the broker under
 * test; here a message is some fifteen byte reads. Bench: micro/content-end.
 */
export function contentEnd(buf: Buffer, at: number, limit: number): number {
  if (limit - at < CONTENT_HEADER_MIN_BYTES) return -1;
  if (buf[at - 1] !== FRAME_END || buf[at] !== FRAME_HEADER) return -1;
  const headerEnd = at + FRAME_OVERHEAD + readU32(buf, at + 3);
  if (headerEnd > limit || buf[headerEnd - 1] !== FRAME_END || readU32(buf, at + 11) !== 0) {
    return -1;
  }
  const bodySize = readU32(buf, at + 15);
  if (bodySize === 0) return headerEnd;
  const end = headerEnd + FRAME_OVERHEAD + bodySize;
  if (
    end > limit ||
    buf[headerEnd] !== FRAME_BODY ||
    readU32(buf, headerEnd + 3) !== bodySize ||
    buf[end - 1] !== FRAME_END
  ) {
    return -1;
  }
  return end;
}

/**
 * Where the content of the method frame that begins at `at` begins, when that is one of `methodId`; otherwise -1. HOT per
 * message.
 */
export function contentBehind(methodId: number, buf: Buffer, at: number, limit: number): number {
  if (limit - at < FRAME_HEADER_SIZE + METHOD_ID_SIZE || buf[at] !== FRAME_METHOD) return -1;
  if (readU32(buf, at + FRAME_HEADER_SIZE) !== methodId) return -1;
  return at + FRAME_OVERHEAD + readU32(buf, at + 3);
}
