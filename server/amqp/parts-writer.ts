/**
 * Writes messages that go out as they came in, without having been stored: a basic.return to the publisher, and the
 * basic.deliver of a direct reply. Envelope and properties are forwarded octet by octet.
 */
import {
  BASIC_DELIVER_ID,
  BASIC_RETURN_ID,
  finishMethodFrame,
  NO_ROUTE,
  REPLY_CODES,
  writeShortstr,
  writeU16,
  writeU64,
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

/** Frame header and ids before the arguments, the frame's end octet behind them. */
const METHOD_OVERHEAD = 7 + 4 + 1;
const ARGUMENTS_AT = 7 + 4;
const REPLY_TEXT = REPLY_CODES[NO_ROUTE]?.name ?? '';

/** The method that carries a message: its arguments before the envelope, which is always the last of them. */
export interface PartsMethod {
  readonly id: number;
  /** Octets of the arguments before the envelope. */
  readonly argumentsSize: number;
  /** Writes them at `at`; returns the offset behind them. */
  writeArguments(buf: Buffer, at: number): number;
}

/** basic.return: no queue took the message. */
export const RETURN_METHOD: PartsMethod = {
  id: BASIC_RETURN_ID,
  argumentsSize: 2 + 1 + REPLY_TEXT.length,
  writeArguments(buf, at) {
    writeU16(buf, at, NO_ROUTE);
    return writeShortstr(buf, at + 2, REPLY_TEXT);
  },
};

/** basic.deliver to a consumer, with the tag that is set before each message. */
export class DeliverMethod implements PartsMethod {
  readonly id: number = BASIC_DELIVER_ID;
  readonly argumentsSize: number;
  deliveryTag: number;
  private readonly consumerTag: string;

  constructor(consumerTag: string) {
    this.argumentsSize = 1 + Buffer.byteLength(consumerTag) + 8 + 1;
    this.deliveryTag = 0;
    this.consumerTag = consumerTag;
  }

  writeArguments(buf: Buffer, at: number): number {
    const p = writeShortstr(buf, at, this.consumerTag);
    writeU64(buf, p, this.deliveryTag);
    buf[p + 8] = 0;
    return p + 9;
  }
}

/** Sends a message whose body is at hand. */
export function writeParts(
  output: Output,
  method: PartsMethod,
  channel: number,
  frameMax: number,
  parts: MessageParts,
): void {
  const out = output.reserve(sizeOfParts(method, parts, frameMax));
  output.advance(writePartsAt(out, output.offset, method, channel, frameMax, parts));
}

/** The frames of a message, for one that has to wait for its turn. */
export function encodeParts(
  method: PartsMethod,
  channel: number,
  frameMax: number,
  parts: MessageParts,
): Buffer {
  const out = newByteArea(sizeOfParts(method, parts, frameMax));
  writePartsAt(out, 0, method, channel, frameMax, parts);
  return out.buf;
}

/** Method and header frame of a message, for one whose body lies in a file. */
export function encodePartsHead(method: PartsMethod, channel: number, parts: MessageParts): Buffer {
  const out = newByteArea(sizeOfMethod(method, parts) + sizeOfContentHeader(parts.propertiesSize));
  writeHead(out, 0, method, channel, parts);
  return out.buf;
}

function sizeOfMethod({ argumentsSize }: PartsMethod, { envelopeSize }: MessageParts): number {
  return METHOD_OVERHEAD + argumentsSize + envelopeSize;
}

function sizeOfParts(method: PartsMethod, parts: MessageParts, frameMax: number): number {
  return (
    sizeOfMethod(method, parts) + sizeOfContent(parts.propertiesSize, parts.bodySize, frameMax)
  );
}

function writePartsAt(
  out: ByteArea,
  at: number,
  method: PartsMethod,
  channel: number,
  frameMax: number,
  parts: MessageParts,
): number {
  const p = writeHead(out, at, method, channel, parts);
  return writeBody(out, p, channel, parts.body, parts.bodyAt, parts.bodySize, frameMax);
}

function writeHead(
  out: ByteArea,
  at: number,
  method: PartsMethod,
  channel: number,
  parts: MessageParts,
): number {
  const { head, envelopeAt, envelopeSize, propertiesAt, propertiesSize } = parts;
  let p = method.writeArguments(out.buf, at + ARGUMENTS_AT);
  p += head.buf.copy(out.buf, p, envelopeAt, envelopeAt + envelopeSize);
  p = finishMethodFrame(out.buf, at, channel, method.id, p);
  const bodySize = realBodySizeOf(parts);
  return writeContentHeader(out, p, channel, head, propertiesAt, propertiesSize, bodySize);
}
