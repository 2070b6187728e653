/** Writes basic.return and the content that comes back with it. */
import {
  BASIC_RETURN_ID,
  finishMethodFrame,
  NO_ROUTE,
  REPLY_CODES,
  writeShortstr,
  writeU16,
} from '../../generated/index.ts';
import type { MessageParts } from '../storage/record-format.ts';
import { sizeOfContent, writeBody, writeContentHeader } from './delivery-writer.ts';
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
  const { head, envelopeAt, envelopeSize, propertiesAt, propertiesSize } = parts;
  const { body, bodyAt, bodySize } = parts;
  const methodSize = RETURN_FIXED_SIZE + REPLY_TEXT.length + envelopeSize;
  const out = output.reserve(methodSize + sizeOfContent(propertiesSize, bodySize, frameMax));
  const at = output.offset;
  writeU16(out.buf, at + 11, NO_ROUTE);
  let p = writeShortstr(out.buf, at + 13, REPLY_TEXT);
  p += head.buf.copy(out.buf, p, envelopeAt, envelopeAt + envelopeSize);
  p = finishMethodFrame(out.buf, at, channel, BASIC_RETURN_ID, p);
  p = writeContentHeader(out, p, channel, head, propertiesAt, propertiesSize, bodySize);
  output.advance(writeBody(out, p, channel, body, bodyAt, bodySize, frameMax));
}
