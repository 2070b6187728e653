/**
 * @hot Writes a stored message as the frames of a basic.deliver, copying the record's bytes as they stand.
 *
 *     method frame   [prefix: header, class, method, consumer tag][tag u64][redelivered][envelope] CE
 *     header frame   [02 channel size][class 60][0][body size u64][flags and properties] CE
 *     body frames    [03 channel size][up to frame-max - 8 octets] CE ...
 *
 * The prefix is the same for all deliveries to a consumer but for the frame's size. Bench: scenario
 * throughput.
 */
import {
  BASIC_CLASS_ID,
  BASIC_DELIVER_ID,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
} from '../../generated/index.ts';
import { type ByteArea, copyBytes } from '../base/byte-area.ts';
import { FixedBytes } from '../base/fixed-bytes.ts';
import {
  bodySizeAt,
  envelopeSizeAt,
  inlineBodySizeAt,
  MESSAGE_HEAD_SIZE,
  propertiesSizeAt,
} from '../storage/record-format.ts';

/** Class, weight and body size, before the property flags. */
const HEADER_FIXED_SIZE = 12;
/** Delivery tag and redelivered. */
const DELIVER_FIXED_SIZE = 9;

/** The bytes with which every deliver frame to this consumer begins; the frame's size is filled in later. */
export function createDeliverPrefix(channel: number, consumerTag: string): FixedBytes {
  const tag = Buffer.from(consumerTag);
  const prefix = Buffer.alloc(FRAME_HEADER_SIZE + 5 + tag.length);
  prefix.writeUInt8(FRAME_METHOD, 0);
  prefix.writeUInt16BE(channel, 1);
  prefix.writeUInt32BE(BASIC_DELIVER_ID, FRAME_HEADER_SIZE);
  prefix.writeUInt8(tag.length, FRAME_HEADER_SIZE + 4);
  tag.copy(prefix, FRAME_HEADER_SIZE + 5);
  return new FixedBytes(prefix);
}

/** Size of the header frame. */
export function sizeOfContentHeader(propertiesSize: number): number {
  return FRAME_OVERHEAD + HEADER_FIXED_SIZE + propertiesSize;
}

/** Size of the body frames. */
function sizeOfBody(bodySize: number, frameMax: number): number {
  if (bodySize === 0) return 0;
  if (bodySize <= frameMax - FRAME_OVERHEAD) return bodySize + FRAME_OVERHEAD;
  return bodySize + Math.ceil(bodySize / (frameMax - FRAME_OVERHEAD)) * FRAME_OVERHEAD;
}

/** Size of header and body frames. */
export function sizeOfContent(propertiesSize: number, bodySize: number, frameMax: number): number {
  return sizeOfContentHeader(propertiesSize) + sizeOfBody(bodySize, frameMax);
}

/** Size of method and header frame of a delivery of the record at `at`. */
export function sizeOfDeliveryHead(prefix: FixedBytes, area: ByteArea, at: number): number {
  const { view } = area;
  return (
    prefix.size +
    DELIVER_FIXED_SIZE +
    envelopeSizeAt(view, at) +
    1 +
    sizeOfContentHeader(propertiesSizeAt(view, at))
  );
}

/** Size of all frames of a delivery of the record at `at`, whose body is in it. */
export function sizeOfDelivery(
  prefix: FixedBytes,
  area: ByteArea,
  at: number,
  frameMax: number,
): number {
  return sizeOfDeliveryHead(prefix, area, at) + sizeOfBody(bodySizeAt(area.view, at), frameMax);
}

/** HOT per delivery. Writes the frames of a message with its body at `to`; returns the offset behind them. */
export function writeDelivery(
  out: ByteArea,
  to: number,
  prefix: FixedBytes,
  channel: number,
  deliveryTag: number,
  redelivered: boolean,
  area: ByteArea,
  at: number,
  frameMax: number,
): number {
  const { view } = area;
  const envelopeSize = envelopeSizeAt(view, at);
  const propertiesSize = propertiesSizeAt(view, at);
  const bodySize = inlineBodySizeAt(view, at);
  const propertiesAt = at + MESSAGE_HEAD_SIZE + envelopeSize;
  let p = writeDeliver(out, to, prefix, deliveryTag, redelivered, area, at, envelopeSize);
  p = writeContentHeader(out, p, channel, area, propertiesAt, propertiesSize, bodySize);
  return writeBody(out, p, channel, area, propertiesAt + propertiesSize, bodySize, frameMax);
}

/** HOT per delivery. Writes method and header frame at `to`; returns the offset behind them. */
export function writeDeliveryHead(
  out: ByteArea,
  to: number,
  prefix: FixedBytes,
  channel: number,
  deliveryTag: number,
  redelivered: boolean,
  area: ByteArea,
  at: number,
): number {
  const { view } = area;
  const envelopeSize = envelopeSizeAt(view, at);
  const p = writeDeliver(out, to, prefix, deliveryTag, redelivered, area, at, envelopeSize);
  const propertiesAt = at + MESSAGE_HEAD_SIZE + envelopeSize;
  const propertiesSize = propertiesSizeAt(view, at);
  return writeContentHeader(
    out,
    p,
    channel,
    area,
    propertiesAt,
    propertiesSize,
    bodySizeAt(view, at),
  );
}

/** HOT per delivery. Writes the method frame. */
function writeDeliver(
  out: ByteArea,
  to: number,
  prefix: FixedBytes,
  deliveryTag: number,
  redelivered: boolean,
  area: ByteArea,
  at: number,
  envelopeSize: number,
): number {
  const view = out.view;
  const prefixSize = prefix.size;
  prefix.copyTo(out, to);
  view.setUint32(to + 3, prefixSize - FRAME_HEADER_SIZE + DELIVER_FIXED_SIZE + envelopeSize);
  let p = to + prefixSize;
  writeTag(view, p, deliveryTag, redelivered);
  p += DELIVER_FIXED_SIZE;
  copyBytes(out, p, area, at + MESSAGE_HEAD_SIZE, envelopeSize);
  p += envelopeSize;
  view.setUint8(p, FRAME_END);
  return p + 1;
}

/** HOT per delivery. Writes delivery tag and redelivered, nine octets, at `at`. */
export function writeTag(
  view: DataView,
  at: number,
  deliveryTag: number,
  redelivered: boolean,
): void {
  view.setUint32(at, (deliveryTag / 0x1_0000_0000) >>> 0);
  view.setUint32(at + 4, deliveryTag >>> 0);
  view.setUint8(at + 8, redelivered ? 1 : 0);
}

/** HOT. Writes a content header frame around properties that are bytes already. */
export function writeContentHeader(
  out: ByteArea,
  to: number,
  channel: number,
  area: ByteArea,
  propertiesAt: number,
  propertiesSize: number,
  bodySize: number,
): number {
  const view = out.view;
  view.setUint8(to, FRAME_HEADER);
  view.setUint16(to + 1, channel);
  view.setUint32(to + 3, HEADER_FIXED_SIZE + propertiesSize);
  view.setUint32(to + 7, BASIC_CLASS_ID << 16);
  view.setUint32(to + 11, bodySize > 0xffff_ffff ? bodySize / 0x1_0000_0000 : 0);
  view.setUint32(to + 15, bodySize);
  const p = to + FRAME_HEADER_SIZE + HEADER_FIXED_SIZE;
  copyBytes(out, p, area, propertiesAt, propertiesSize);
  view.setUint8(p + propertiesSize, FRAME_END);
  return p + propertiesSize + 1;
}

/** HOT. Writes body frames of at most `frameMax` octets each; none for an empty body. */
export function writeBody(
  out: ByteArea,
  to: number,
  channel: number,
  area: ByteArea,
  bodyAt: number,
  bodySize: number,
  frameMax: number,
): number {
  const view = out.view;
  const payloadMax = frameMax - FRAME_OVERHEAD;
  let p = to;
  for (let sent = 0; sent < bodySize; ) {
    const size = Math.min(payloadMax, bodySize - sent);
    view.setUint8(p, FRAME_BODY);
    view.setUint16(p + 1, channel);
    view.setUint32(p + 3, size);
    copyBytes(out, p + FRAME_HEADER_SIZE, area, bodyAt + sent, size);
    p += FRAME_HEADER_SIZE + size;
    view.setUint8(p, FRAME_END);
    p++;
    sent += size;
  }
  return p;
}
