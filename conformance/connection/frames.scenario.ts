/** Bytes that are no proper frames, and frames out of place: the connection closes, no other one suffers. */
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  QUEUE_DECLARE_ID,
} from '../../generated/index.ts';
import { drain, methodName, type ServerClose } from '../support/amqp.ts';
import type { Broker } from '../support/broker.ts';
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

/** Ids that the specification gives to nobody: a method, a class, none at all, the highest, a gap. */
const UNKNOWN_METHODS = [
  [60, 999],
  [99, 1],
  [0, 0],
  [65_535, 65_535],
  [30, 20],
] as const;

/** What the connection was closed with, for every unknown method, on a channel. */
function outcomesOfUnknown(broker: Broker, channel: number): Promise<(ServerClose | null)[]> {
  return Promise.all(
    UNKNOWN_METHODS.map(async ([classId, methodId]) => {
      const raw = await broker.rawChannel();
      const ids = Buffer.alloc(4);
      ids.writeUInt16BE(classId, 0);
      ids.writeUInt16BE(methodId, 2);
      raw.sendFrame(FRAME_METHOD, channel, ids);
      return raw.expectConnectionGone();
    }),
  );
}

scenario(
  'an unknown method closes the connection, and the client is told [connection.frames/unknown-method]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 drops the socket, since its reader crashes on the method.',
    'A close frame tells the client what it did.',
    async (t, broker) => {
      for (const channel of [0, 1]) {
        const outcomes = await outcomesOfUnknown(broker, channel);
        t.same(
          outcomes,
          UNKNOWN_METHODS.map(() => null),
        );
      }
    },
  ),
  async (t, broker) => {
    const onChannel = UNKNOWN_METHODS.map(([classId, methodId]) => ({
      code: 503,
      text: `COMMAND_INVALID - unknown method ${classId}.${methodId}`,
      method: methodName(classId, methodId),
    }));
    t.same(await outcomesOfUnknown(broker, 1), onChannel);
    const onZero = UNKNOWN_METHODS.map(([classId, methodId]) => ({
      code: 504,
      text: 'CHANNEL_ERROR - unexpected method in connection state running',
      method: methodName(classId, methodId),
    }));
    t.same(await outcomesOfUnknown(broker, 0), onZero);
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

scenario(
  'a frame may be larger than negotiated by the eight octets of its framing, not more [connection.frames/tolerance]',
  async (t, broker) => {
    const raw = await broker.rawChannel({ frameMax: 4096 });
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.publish', { routingKey: queue });
    raw.sendHeader(1, 4096);
    raw.sendBody(1, Buffer.alloc(4096));
    t.equal((await raw.get(1, queue)).body.length, 4096);
    raw.send(1, 'basic.publish', { routingKey: queue });
    raw.sendHeader(1, 4097);
    raw.sendBody(1, Buffer.alloc(4097));
    t.same(await raw.expectConnectionClose(), {
      code: 501,
      text: 'FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4097,4088}',
      method: '',
    });
  },
);

scenario(
  'a body where a content header is expected closes the connection with 505 [connection.frames/body-for-header]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendBody(1, Buffer.from('body'));
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead',
      method: METHOD,
    });
  },
);

scenario(
  'a second content header where a body is expected closes the connection with 505 [connection.frames/header-for-body]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendHeader(1, 4);
    raw.sendHeader(1, 4);
    t.same(await raw.expectConnectionClose(), {
      code: 505,
      text: 'UNEXPECTED_FRAME - expected content body, got non content body frame instead',
      method: METHOD,
    });
  },
);

scenario(
  'a body frame behind a complete message closes the connection with 505 [connection.frames/body-behind-message]',
  async (t, broker) => {
    for (const body of [Buffer.alloc(0), Buffer.from('body')]) {
      const raw = await broker.rawChannel();
      raw.publish(1, { routingKey: 'any' }, body);
      raw.sendBody(1, Buffer.alloc(0));
      t.same(await raw.expectConnectionClose(), {
        code: 505,
        text: 'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
        method: '',
      });
    }
  },
);

scenario(
  'more body than the content header announced closes the connection with 501 [connection.frames/body-too-long]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 does not notice, and waits for the end of a body that has passed already.',
    'Later versions answer 501; a channel that waits for ever helps nobody.',
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, 'basic.publish', { routingKey: 'any' });
      raw.sendHeader(1, 4);
      raw.sendBody(1, Buffer.from('hello'));
      raw.send(1, 'channel.flow');
      t.match(await raw.expectConnectionClose(), { code: 505 });
    },
  ),
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendHeader(1, 4);
    raw.sendBody(1, Buffer.from('hello'));
    t.same(await raw.expectConnectionClose(), {
      code: 501,
      text: 'FRAME_ERROR - content body frame exceeds remaining content size',
      method: METHOD,
    });
  },
);

scenario(
  'a heartbeat with a payload closes the connection with 501 [connection.frames/heartbeat-payload]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.sendFrame(FRAME_HEARTBEAT, 0, Buffer.from('beat'));
    t.match(await raw.expectConnectionClose(), {
      code: 501,
      text: /^FRAME_ERROR - type 8, /,
      method: '',
    });
  },
);

scenario(
  'a content header or a body on channel 0 closes the connection with 505 [connection.frames/content-on-channel-0]',
  async (t, broker) => {
    for (const type of [FRAME_HEADER, FRAME_BODY]) {
      const raw = await broker.rawConnection();
      raw.sendFrame(type, 0, Buffer.alloc(14));
      const close = await raw.expectConnectionClose();
      t.match(close, { code: 505, text: /^UNEXPECTED_FRAME - /, method: '' });
    }
  },
);

scenario(
  'a content header or a body on a channel that is not open closes the connection with 505 [connection.frames/content-on-closed-channel]',
  async (t, broker) => {
    for (const type of [FRAME_HEADER, FRAME_BODY]) {
      const raw = await broker.rawConnection();
      raw.sendFrame(type, 1, Buffer.alloc(14));
      t.same(await raw.expectConnectionClose(), {
        code: 505,
        text: 'UNEXPECTED_FRAME - expected method frame, got non method frame instead',
        method: '',
      });
    }
  },
);

/** Content headers of class 60 whose properties are none, by what is wrong with them. */
const BAD_PROPERTIES = {
  'flags are missing': [],
  'a property is cut off': [0x80, 0, 5, 65],
  'octets follow the last property': [0, 0, 1, 2, 3],
  'more flags are announced than exist': [0, 1, 0, 0],
};

scenario(
  'a content header whose properties are malformed closes the connection with 501 [connection.frames/bad-properties]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 answers 541, since its reader crashes on them.',
    'Frames that cannot be read are what 501 is for.',
    async (t, broker) => {
      for (const [what, octets] of Object.entries(BAD_PROPERTIES)) {
        const raw = await broker.rawChannel();
        raw.publish(1, { routingKey: 'any' }, EMPTY, Buffer.from(octets));
        t.match(await raw.expectConnectionClose(), { code: 541, text: 'INTERNAL_ERROR' }, what);
      }
    },
  ),
  async (t, broker) => {
    for (const [what, octets] of Object.entries(BAD_PROPERTIES)) {
      const raw = await broker.rawChannel();
      raw.publish(1, { routingKey: 'any' }, EMPTY, Buffer.from(octets));
      t.match(await raw.expectConnectionClose(), { code: 501, text: /^FRAME_ERROR - ./ }, what);
    }
  },
);

scenario(
  'a content header that is too short for its size closes the connection with 501 [connection.frames/short-header]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: 'any' });
    raw.sendFrame(FRAME_HEADER, 1, Buffer.from([0, 60, 0, 0, 0]));
    t.match(await raw.expectConnectionClose(), { code: 501, text: /^FRAME_ERROR - ./ });
  },
);

scenario(
  'a method frame that is too short for its ids closes the connection with 501 [connection.frames/no-method-id]',
  async (t, broker) => {
    for (const channel of [0, 1]) {
      const raw = await broker.rawChannel();
      raw.sendFrame(FRAME_METHOD, channel, Buffer.alloc(3));
      t.match(await raw.expectConnectionClose(), { code: 501, text: /^FRAME_ERROR - ./ });
    }
  },
);
