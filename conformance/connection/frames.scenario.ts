/** Bytes that are no proper frames, and frames out of place: the connection closes, no other one suffers. */
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  QUEUE_DECLARE_ID,
} from '../../generated/index.ts';
import { drain } from '../support/amqp.ts';
import { methodFrame } from '../support/methods.ts';
import { rawFrame } from '../support/raw-client.ts';
import { differs, scenario } from '../support/scenario.ts';

const EMPTY = Buffer.alloc(0);
const METHOD = 'basic.publish';

scenario(
  'a frame that does not end with 206 closes the connection with 501 [connection.frames/bad-end]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const frame = rawFrame(FRAME_HEARTBEAT, 0, EMPTY);
    frame[frame.length - 1] = 205;
    raw.write(frame);
    t.same(await raw.expectConnectionClose(), {
      code: 501,
      text: 'FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,205}',
      method: '',
    });
  },
);

scenario(
  'a frame larger than frame-max closes the connection with 501 [connection.frames/too-large]',
  async (t, broker) => {
    const raw = await broker.rawChannel({ frameMax: 4096 });
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendHeader(1, 5000);
    raw.sendBody(1, Buffer.alloc(5000));
    t.same(await raw.expectConnectionClose(), {
      code: 501,
      text: 'FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,5000,4088}',
      method: '',
    });
  },
);

scenario(
  'an unknown frame type closes the connection with 501 [connection.frames/unknown-type]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.sendFrame(0, 1, EMPTY);
    const close = await raw.expectConnectionClose();
    t.equal(close.code, 501);
    t.match(close.text, /^FRAME_ERROR - type 0, /);
  },
);

scenario(
  'a heartbeat on another channel than 0 closes the connection with 505 [connection.frames/heartbeat-on-channel]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.sendFrame(FRAME_HEARTBEAT, 1, EMPTY);
    t.match(await raw.expectConnectionClose(), { code: 505, text: /^UNEXPECTED_FRAME - / });
  },
);

scenario(
  'a header where a method is expected closes the connection with 505 [connection.frames/header-for-method]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.sendHeader(1, 0);
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
      method: '',
    });
  },
);

scenario(
  'a body where a method is expected closes the connection with 505 [connection.frames/body-for-method]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.sendBody(1, Buffer.from('body'));
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
      method: '',
    });
  },
);

scenario(
  'a method where a content header is expected closes the connection with 505 [connection.frames/method-for-header]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      method: METHOD,
    });
  },
);

scenario(
  'a content header of another class closes the connection with 505 [connection.frames/header-class]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendHeader(1, 0, undefined, 10);
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content header for class 60, got one for class 10 instead',
      method: METHOD,
    });
  },
);

scenario(
  'a method where a body is expected closes the connection with 505 [connection.frames/method-for-body]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendHeader(1, 10);
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
      method: METHOD,
    });
  },
);

scenario(
  'a shortstr that is not UTF-8 closes the connection with 501 [connection.frames/malformed-utf8]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const payload = Buffer.alloc(4 + 2 + 3 + 1 + 4);
    payload.writeUInt32BE(QUEUE_DECLARE_ID, 0);
    payload.set([2, 0xff, 0xfe], 6);
    raw.sendFrame(FRAME_METHOD, 1, payload);
    const close = await raw.expectConnectionClose();
    t.equal(close.code, 501);
    t.match(close.text, /Malformed UTF-8 in shortstr/);
  },
);

/** Class basic, method 999. */
const UNKNOWN_METHOD = Buffer.from([0, 60, 3, 231]);

scenario(
  'an unknown method closes the connection, and the client is told [connection.frames/unknown-method]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 drops the socket, since its reader crashes on the method.',
    'A close frame tells the client what it did; 503 and 540 both say it.',
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.sendFrame(FRAME_METHOD, 1, UNKNOWN_METHOD);
      t.equal(await raw.expectConnectionGone(), null);
    },
  ),
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.sendFrame(FRAME_METHOD, 1, UNKNOWN_METHOD);
    const { code } = await raw.expectConnectionClose();
    t.ok(code === 503 || code === 540, `${code}`);
  },
);

scenario(
  'a method with too few octets closes the connection with 501 [connection.frames/short-method]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const payload = Buffer.alloc(6);
    payload.writeUInt32BE(QUEUE_DECLARE_ID, 0);
    raw.sendFrame(FRAME_METHOD, 1, payload);
    t.match(await raw.expectConnectionClose(), { code: 501, text: /^FRAME_ERROR - / });
  },
);

scenario('frames may come in pieces of any size [connection.frames/pieces]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue(broker.queueName('pieces'));
  const raw = await broker.rawChannel();
  const stream = Buffer.concat([
    methodFrame('basic.publish', 1, { routingKey: queue }),
    rawFrame(FRAME_HEADER, 1, Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0])),
    rawFrame(FRAME_BODY, 1, Buffer.from('hello')),
  ]);
  for (const octet of stream) raw.write(Buffer.from([octet]));
  await raw.closeChannel(1);
  t.same(await drain(channel, queue), ['hello']);
});

scenario(
  'frames of several channels may alternate, also within a message [connection.frames/interleaved]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('interleaved'));
    const raw = await broker.rawChannel();
    await raw.openChannel(2);
    for (const n of [1, 2]) raw.send(n, 'basic.publish', { routingKey: queue });
    for (const n of [2, 1]) raw.sendHeader(n, 4);
    raw.sendHeartbeat();
    for (const n of [2, 1]) raw.sendBody(n, Buffer.from(`${n} a`));
    for (const n of [1, 2]) raw.sendBody(n, Buffer.from('b'));
    await raw.closeChannel(1);
    await raw.closeChannel(2);
    t.same((await drain(channel, queue)).sort(), ['1 ab', '2 ab']);
  },
);
