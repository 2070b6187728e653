/**
 * @hot A publish on its way in: where its envelope, properties and body lie.
 *
 * Nearly always method, header and body frame lie whole in one chunk: {@link locatePublish} finds them there
 * and nothing is copied. Otherwise envelope, properties and body are gathered here, frame by frame, and
 * the broker sees the same {@link MessageParts} either way.
 */
import {
  BASIC_CLASS_ID,
  basicPublishBitsAt,
  basicPublishEndAt,
  basicPublishExchangeAt,
  CONTENT_HEADER_FIXED_SIZE,
  contentHeaderBodySize,
  contentHeaderClassId,
  FRAME_BODY,
  FRAME_END,
  FRAME_ERROR,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  WireError,
} from '../../generated/index.ts';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import type { MessageParts } from '../storage/record-format.ts';
import { preconditionFailed, unexpectedFrame } from './protocol-error.ts';

const NO_BYTES = new ByteArea(Buffer.alloc(0));
/** Class and method id before a method's arguments. */
const METHOD_ID_SIZE = 4;

/** What a channel expects next: any method, or the rest of a publish. */
type Phase = 'method' | 'header' | 'body';

/** Gathers a publish whose frames do not lie in one chunk. */
export class ContentAssembly {
  /** The parts of the publish in hand, where they lie. Borrowed when found in place. */
  readonly parts: MessageParts;
  /** Mandatory and immediate. */
  bits: number;
  phase: Phase;
  private received: number;

  constructor() {
    this.parts = {
      head: NO_BYTES,
      envelopeAt: 0,
      envelopeSize: 0,
      propertiesAt: 0,
      propertiesSize: 0,
      body: NO_BYTES,
      bodyAt: 0,
      bodySize: 0,
    };
    this.bits = 0;
    this.phase = 'method';
    this.received = 0;
  }

  /** Takes the arguments of a basic.publish, from behind its ids; its header comes next. */
  begin(buf: Buffer, at: number, end: number): void {
    const envelopeAt = basicPublishExchangeAt(at);
    const bitsAt = basicPublishBitsAt(buf, at);
    if (bitsAt >= end || basicPublishEndAt(buf, at) !== end) {
      throw new WireError(FRAME_ERROR, 'basic.publish does not end where its frame does', at);
    }
    const { parts } = this;
    parts.head = new ByteArea(Buffer.from(buf.subarray(envelopeAt, bitsAt)));
    parts.envelopeAt = 0;
    parts.envelopeSize = bitsAt - envelopeAt;
    this.bits = buf[bitsAt]!;
    this.phase = 'header';
  }

  /** Takes a content header's payload. True: the body is empty, the publish is complete. */
  header(buf: Buffer, start: number, end: number, bodySizeMax: number): boolean {
    const classId = end - start >= CONTENT_HEADER_FIXED_SIZE ? contentHeaderClassId(buf, start) : 0;
    if (classId !== BASIC_CLASS_ID) {
      throw unexpectedFrame(
        `expected content header for class ${BASIC_CLASS_ID}, got one for class ${classId} instead`,
      );
    }
    const { parts } = this;
    const bodySize = contentHeaderBodySize(buf, start);
    requireBodySize(bodySize, bodySizeMax);
    const properties = buf.subarray(start + CONTENT_HEADER_FIXED_SIZE, end);
    const envelope = parts.head.buf;
    parts.head = new ByteArea(Buffer.concat([envelope, properties]));
    parts.propertiesAt = envelope.length;
    parts.propertiesSize = properties.length;
    parts.body = bodySize === 0 ? NO_BYTES : newByteArea(bodySize);
    parts.bodyAt = 0;
    parts.bodySize = bodySize;
    this.received = 0;
    this.phase = 'body';
    return bodySize === 0;
  }

  /** Takes body octets. True: the body is complete. */
  body(buf: Buffer, start: number, end: number): boolean {
    const { body, bodySize } = this.parts;
    if (this.received + end - start > bodySize) {
      throw new WireError(FRAME_ERROR, 'content body frame exceeds remaining content size', start);
    }
    buf.copy(body.buf, this.received, start, end);
    this.received += end - start;
    return this.received === bodySize;
  }

  /** Bytes held for a body that is on its way. */
  get gatheredBytes(): number {
    return this.phase === 'body' ? this.parts.body.buf.length : 0;
  }

  /** Ends the publish in hand; what it held is let go. */
  reset(): void {
    this.phase = 'method';
    this.parts.head = NO_BYTES;
    this.parts.body = NO_BYTES;
  }
}

/** @throws ProtocolError 406 when a body is larger than is taken */
export function requireBodySize(size: number, max: number): void {
  if (size > max) {
    throw preconditionFailed(`message size ${size} is larger than configured max size ${max}`);
  }
}

/**
 * HOT per publish. Looks for the content of the basic.publish whose payload is `area[start..end)`: its header
 * and one body frame, each of at most `payloadMax` octets, right behind it and before `limit`. Fills in `into`, which then borrows from `area`.
 *
 * @returns the offset behind the last frame, or -1 when the publish is not whole or not plain: it is then
 *   gathered frame by frame, which also finds what is wrong with it.
 */
export function locatePublish(
  area: ByteArea,
  start: number,
  end: number,
  limit: number,
  channel: number,
  payloadMax: number,
  into: ContentAssembly,
): number {
  const { buf, view } = area;
  const envelopeAt = basicPublishExchangeAt(start + METHOD_ID_SIZE);
  const keyAt = envelopeAt + 1 + buf[envelopeAt]!;
  if (keyAt >= end) return -1;
  const bitsAt = keyAt + 1 + buf[keyAt]!;
  if (bitsAt + 1 !== end) return -1;
  const header = end + 1;
  const fixedEnd = header + FRAME_HEADER_SIZE + CONTENT_HEADER_FIXED_SIZE;
  if (fixedEnd + 2 >= limit || view.getUint8(header) !== FRAME_HEADER) return -1;
  const headerEnd = header + FRAME_HEADER_SIZE + view.getUint32(header + 3);
  if (headerEnd >= limit || headerEnd < fixedEnd + 2 || view.getUint8(headerEnd) !== FRAME_END) {
    return -1;
  }
  if (view.getUint16(header + 1) !== channel) return -1;
  if (view.getUint16(header + FRAME_HEADER_SIZE) !== BASIC_CLASS_ID) return -1;
  if (view.getUint32(header + FRAME_HEADER_SIZE + 4) !== 0) return -1;
  if (headerEnd - header > payloadMax) return -1;
  const bodySize = view.getUint32(header + FRAME_HEADER_SIZE + 8);
  let next = headerEnd + 1;
  if (bodySize > payloadMax) return -1;
  if (bodySize > 0) {
    const bodyEnd = next + FRAME_HEADER_SIZE + bodySize;
    if (bodyEnd >= limit || view.getUint8(next) !== FRAME_BODY) return -1;
    if (view.getUint16(next + 1) !== channel || view.getUint32(next + 3) !== bodySize) return -1;
    if (view.getUint8(bodyEnd) !== FRAME_END) return -1;
    next = bodyEnd + 1;
  }
  const { parts } = into;
  into.bits = buf[bitsAt]!;
  parts.head = area;
  parts.envelopeAt = envelopeAt;
  parts.envelopeSize = bitsAt - envelopeAt;
  parts.propertiesAt = fixedEnd;
  parts.propertiesSize = headerEnd - fixedEnd;
  parts.body = area;
  parts.bodyAt = headerEnd + 1 + FRAME_HEADER_SIZE;
  parts.bodySize = bodySize;
  return next;
}
