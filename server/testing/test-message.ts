/** Messages for storage tests: the body says which one it is, in every byte, so that a wrong byte shows. */
import { ByteArea } from '../base/byte-area.ts';
import type { MessageParts } from '../storage/record-format.ts';
import {
  bodySizeAt,
  envelopeSizeAt,
  MESSAGE_HEAD_SIZE,
  messageSizeAt,
  propertiesSizeAt,
} from '../storage/record-format.ts';

/** Exchange `e` and routing key `key`, as on the wire. */
const ENVELOPE = Buffer.from('\x01e\x03key', 'latin1');
/** Property flags without properties. */
const PROPERTIES = Buffer.from([0, 0]);
/** Smallest body: the message's own number. */
const BODY_SIZE_MIN = 4;

/** The parts of test message `id` with a body of `bodySize` bytes, at least four. */
export function testMessage(id: number, bodySize: number = BODY_SIZE_MIN): MessageParts {
  const body = Buffer.alloc(bodySize, id & 0xff);
  body.writeUInt32BE(id, 0);
  const area = new ByteArea(Buffer.concat([ENVELOPE, PROPERTIES, body]));
  return {
    head: area,
    envelopeAt: 0,
    envelopeSize: ENVELOPE.length,
    propertiesAt: ENVELOPE.length,
    propertiesSize: PROPERTIES.length,
    body: area,
    bodyAt: ENVELOPE.length + PROPERTIES.length,
    bodySize,
    large: null,
  };
}

/** The number of the test message whose record starts at `at`; -1 when any byte of it is not as it must be. */
export function testMessageIdAt(area: ByteArea, at: number): number {
  const { buf, view } = area;
  if (at < 0 || at + MESSAGE_HEAD_SIZE > buf.length) return -1;
  const end = at + messageSizeAt(view, at);
  const bodyAt = end - bodySizeAt(view, at);
  if (buf[at] !== 1 || end > buf.length || end - bodyAt < BODY_SIZE_MIN) return -1;
  if (envelopeSizeAt(view, at) !== ENVELOPE.length) return -1;
  if (propertiesSizeAt(view, at) !== PROPERTIES.length) return -1;
  const id = buf.readUInt32BE(bodyAt);
  const expected = testMessage(id, end - bodyAt).head.buf;
  return buf.subarray(at + MESSAGE_HEAD_SIZE, end).equals(expected) ? id : -1;
}
