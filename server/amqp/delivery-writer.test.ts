import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import {
  ByteReader,
  decodeBasicDeliver,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_METHOD,
  FrameScanner,
} from '../../generated/index.ts';
import { newByteArea } from '../base/byte-area.ts';
import { sizeOfMessage, writeMessage } from '../storage/record-format.ts';
import { messageTo } from '../testing/open-broker.ts';
import { createDeliverPrefix, sizeOfDelivery, writeDelivery } from './delivery-writer.ts';

interface Delivery {
  readonly channel: number;
  readonly consumerTag: string;
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  readonly bodySize: number;
  readonly frameMax: number;
}

/** The frames of a delivery, as a client cuts them. */
function framesOf(delivery: Delivery) {
  const { channel, consumerTag, deliveryTag, redelivered, frameMax } = delivery;
  const body = Buffer.from(Array.from({ length: delivery.bodySize }, (_, i) => i % 251));
  const message = messageTo(delivery.exchange, delivery.routingKey, body.toString('latin1'));
  const ascii = { ...message, bodySize: body.length };
  body.copy(message.body.buf);
  const at = 5;
  const record = newByteArea(at + sizeOfMessage(ascii));
  writeMessage(record, at, ascii, 0, 0);
  const prefix = createDeliverPrefix(channel, consumerTag);
  const size = sizeOfDelivery(prefix, record, at, frameMax);
  const out = newByteArea(size + 20);
  out.buf.fill(0xee);
  const end = writeDelivery(
    out,
    10,
    prefix,
    channel,
    deliveryTag,
    redelivered,
    record,
    at,
    frameMax,
  );
  const frames: { type: number; channel: number; payload: Buffer }[] = [];
  const scanner = new FrameScanner(
    {
      onFrame(type, on, buf, start, frameEnd) {
        frames.push({ type, channel: on, payload: Buffer.from(buf.subarray(start, frameEnd)) });
        return frameEnd + 1;
      },
      onBodyPiece() {
        throw new Error('the output ends inside a frame');
      },
    },
    frameMax,
  );
  scanner.scan(out.buf, 10, end);
  const isClean = out.buf.subarray(0, 10).every((octet) => octet === 0xee);
  const isCleanBehind = out.buf.subarray(end).every((octet) => octet === 0xee);
  return { frames, body, size, written: end - 10, isClean: isClean && isCleanBehind };
}

function check(delivery: Delivery): boolean {
  const { frames, body, size, written, isClean } = framesOf(delivery);
  const [method, header, ...bodies] = frames;
  if (!isClean || written !== size || method === undefined || header === undefined) return false;
  if (method.type !== FRAME_METHOD || header.type !== FRAME_HEADER) return false;
  if (frames.some(({ channel }) => channel !== delivery.channel)) return false;
  const reader = new ByteReader(method.payload, 4, method.payload.length);
  const { consumerTag, deliveryTag, redelivered, exchange, routingKey } =
    decodeBasicDeliver(reader);
  const { bodySize, channel, frameMax, ...expected } = delivery;
  const heard = { consumerTag, deliveryTag, redelivered, exchange, routingKey };
  if (JSON.stringify(heard) !== JSON.stringify(expected)) return false;
  if (Number(header.payload.readBigUInt64BE(4)) !== bodySize) return false;
  if (bodies.some(({ type, payload }) => type !== FRAME_BODY || payload.length === 0)) return false;
  if (bodies.slice(0, -1).some(({ payload }) => payload.length !== frameMax - 8)) return false;
  return Buffer.concat(bodies.map(({ payload }) => payload)).equals(body);
}

const PLAIN: Delivery = {
  channel: 3,
  consumerTag: 'amq.ctag-x',
  deliveryTag: 1,
  redelivered: false,
  exchange: 'amq.topic',
  routingKey: 'a.b',
  bodySize: 16,
  frameMax: 4096,
};

t.test('a client reads from the frames what was published', async (t) => {
  const texts = fc.string({ unit: 'binary', maxLength: 60 });
  const deliveries = fc.record({
    channel: fc.integer({ min: 1, max: 65_535 }),
    consumerTag: texts,
    deliveryTag: fc.oneof(fc.nat(), fc.maxSafeNat()),
    redelivered: fc.boolean(),
    exchange: texts,
    routingKey: texts,
    bodySize: fc.oneof(fc.nat(300), fc.nat(20_000)),
    frameMax: fc.integer({ min: 4096, max: 8192 }),
  });
  // Compared in the order of the method's own fields.
  checkProperty(
    t,
    fc.property(deliveries, (delivery) => check(delivery)),
    { numRuns: 300 },
  );
});

t.test('an empty body has no body frame', async (t) => {
  t.equal(framesOf({ ...PLAIN, bodySize: 0 }).frames.length, 2);
  t.ok(check({ ...PLAIN, bodySize: 0 }));
});

t.test('a body that fills its frames exactly has no empty one behind them', async (t) => {
  for (const frameCount of [1, 2, 3]) {
    const bodySize = frameCount * (4096 - 8);
    t.equal(framesOf({ ...PLAIN, bodySize }).frames.length, 2 + frameCount);
    t.ok(check({ ...PLAIN, bodySize }));
    t.equal(framesOf({ ...PLAIN, bodySize: bodySize + 1 }).frames.length, 3 + frameCount);
    t.ok(check({ ...PLAIN, bodySize: bodySize + 1 }));
  }
});

t.test('a delivery tag beyond 32 bits keeps all of them', async (t) => {
  for (const deliveryTag of [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    t.ok(check({ ...PLAIN, deliveryTag }), `${deliveryTag}`);
  }
});
