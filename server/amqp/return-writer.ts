/** Writes basic.return and the content that comes back with it. */
import {
  BASIC_RETURN_ID,
  finishMethodFrame,
  NO_ROUTE,
  REPLY_CODES,
  writeShortstr,
  writeU16,
} from '../../generated/index.ts';
import { type ByteArea, newByteArea } from '../base/byte-area.ts';
import { type MessageParts, realBodySizeOf } from '../storage/record-format.ts';
import {
  sizeOfContent,
  sizeOfContentHeader,
  writeBody,
  writeContentHeader,
} from './delivery-writer.ts';
import type { Output } from './output.ts';

/** Frame header, ids, reply code; reply text and envelope come on top. */
const RETURN_FIXED_SIZE = 7 + 4 + 2 + 1 + 1;
const REPLY_TEXT = REPLY_CODES[NO_ROUTE]?.name ?? '';

/** Sends a publish back to its publisher: no queue took it. Its envelope is forwarded as it came. */
export function writeReturn(
  output: Output,
  channel: number,
  frameMax: number,
  parts: MessageParts,
): void {
  const out = output.reserve(sizeOfReturn(parts, frameMax));
  output.advance(writeReturnAt(out, output.offset, channel, frameMax, parts));
}

/** The frames of a return, for one that has to wait for its turn. */
export function encodeReturn(channel: number, frameMax: number, parts: MessageParts): Buffer {
  const out = newByteArea(sizeOfReturn(parts, frameMax));
  writeReturnAt(out, 0, channel, frameMax, parts);
  return out.buf;
}

/** Method and header frame of a return, for one whose body lies in a file. */
export function encodeReturnHead(channel: number, parts: MessageParts): Buffer {
  const out = newByteArea(sizeOfMethod(parts) + sizeOfContentHeader(parts.propertiesSize));
  writeReturnHead(out, 0, channel, parts);
  return out.buf;
}

function sizeOfMethod({ envelopeSize }: MessageParts): number {
  return RETURN_FIXED_SIZE + REPLY_TEXT.length + envelopeSize;
}

function sizeOfReturn(parts: MessageParts, frameMax: number): number {
  return sizeOfMethod(parts) + sizeOfContent(parts.propertiesSize, parts.bodySize, frameMax);
}

function writeReturnAt(
  out: ByteArea,
  at: number,
  channel: number,
  frameMax: number,
  parts: MessageParts,
): number {
  const p = writeReturnHead(out, at, channel, parts);
  return writeBody(out, p, channel, parts.body, parts.bodyAt, parts.bodySize, frameMax);
}

function writeReturnHead(out: ByteArea, at: number, channel: number, parts: MessageParts): number {
  const { head, envelopeAt, envelopeSize, propertiesAt, propertiesSize } = parts;
  writeU16(out.buf, at + 11, NO_ROUTE);
  let p = writeShortstr(out.buf, at + 13, REPLY_TEXT);
  p += head.buf.copy(out.buf, p, envelopeAt, envelopeAt + envelopeSize);
  p = finishMethodFrame(out.buf, at, channel, BASIC_RETURN_ID, p);
  const bodySize = realBodySizeOf(parts);
  return writeContentHeader(out, p, channel, head, propertiesAt, propertiesSize, bodySize);
}
