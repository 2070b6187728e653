import type { ConfirmChannel, Options } from 'amqplib';
import { drain, expectChannelError, getOne, publish, returnsOf, textOf } from '../support/amqp.ts';
import { noExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'basic.publish';

/** Sends a body through a queue of its own and answers with what came out. */
async function through(
  channel: ConfirmChannel,
  body: Buffer,
  options: Options.Publish = {},
): Promise<ReturnType<typeof getOne>> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await publish(channel, '', queue, body, options);
  return getOne(channel, queue, { noAck: true });
}

scenario(
  'publishing to a missing exchange closes the channel with 404 [basic.publish/missing-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('missing');
    await expectChannelError(t, channel, noExchange(exchange, METHOD), () =>
      publish(channel, exchange, 'key', 'lost'),
    );
  },
);

scenario(
  'messages of one channel come out of a queue in the order of publishing [basic.publish/order]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const numbers = Array.from({ length: 500 }, (_, index) => `${index}`);
    await Promise.all(numbers.map((number) => publish(channel, '', queue, number)));
    t.same(await drain(channel, queue), numbers);
  },
);

scenario('an empty body is a message [basic.publish/empty-body]', async (t, broker) => {
  const channel = await broker.channel();
  const message = await through(channel, Buffer.alloc(0), { messageId: 'empty' });
  t.equal(message.content.length, 0);
  t.equal(message.properties.messageId, 'empty');
});

const FRAME_MAX = 4096;
const FRAME_BODY = FRAME_MAX - 8;

for (const size of [1, FRAME_BODY - 1, FRAME_BODY, FRAME_BODY + 1, 3 * FRAME_BODY]) {
  scenario(
    `a body of ${size} octets passes through a frame-max of ${FRAME_MAX} untouched [basic.publish/body-${size}]`,
    async (t, broker) => {
      const channel = await broker.channel({ frameMax: FRAME_MAX });
      const body = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
      const message = await through(channel, body);
      t.ok(message.content.equals(body));
    },
  );
}

scenario(
  'a body of 1 MiB passes through untouched [basic.publish/body-1-mib]',
  async (t, broker) => {
    const channel = await broker.channel();
    const body = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32BE(at, at);
    const message = await through(channel, body);
    t.ok(message.content.equals(body));
  },
);

scenario(
  'a body may come in frames of any size, empty ones among them [basic.publish/body-pieces]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('pieces'));
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.publish', { routingKey: queue });
    raw.sendHeader(1, 11);
    for (const piece of ['h', '', 'ello ', '', 'world']) raw.sendBody(1, Buffer.from(piece));
    raw.send(1, 'basic.publish', { routingKey: queue });
    raw.sendHeader(1, 0);
    await raw.closeChannel(1);
    t.same(await drain(channel, queue), ['hello world', '']);
  },
);

scenario('all properties pass through untouched [basic.publish/properties]', async (t, broker) => {
  const channel = await broker.channel();
  const properties = {
    contentType: 'text/plain; charset=utf-8',
    contentEncoding: 'identity',
    deliveryMode: 2,
    priority: 5,
    correlationId: 'correlation ✓',
    replyTo: 'reply-queue',
    messageId: 'message-1',
    timestamp: 1_700_000_000,
    type: 'greeting',
    userId: broker.environment.username,
    appId: 'conformance',
  };
  const message = await through(channel, Buffer.from('hello'), properties);
  t.match(message.properties, properties);
  t.equal(textOf(message), 'hello');
});

scenario(
  'a message without properties is delivered without properties [basic.publish/no-properties]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('bare'));
    const { properties, body } = await raw.get(1, queue);
    t.same(properties, Buffer.from([0, 0]), 'the property flags, and nothing behind them');
    t.equal(body.toString(), 'bare');
  },
);

scenario(
  'a delivery names the exchange and routing key of the publish [basic.publish/envelope]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const key = `clé-ключ-${queue}`;
    await channel.bindQueue(queue, 'amq.topic', key);
    await publish(channel, 'amq.topic', key, 'hello');
    const { fields } = await getOne(channel, queue, { noAck: true });
    t.match(fields, { exchange: 'amq.topic', routingKey: key, redelivered: false });
  },
);

scenario(
  'an unroutable mandatory message is returned with 312, whole [basic.publish/mandatory-return]',
  async (t, broker) => {
    const channel = await broker.channel();
    const returns = returnsOf(channel);
    const properties = { messageId: 'm-1', headers: { a: 1, b: 'two' } };
    const key = broker.queueName('nobody');
    await publish(channel, 'amq.direct', key, 'unroutable', { ...properties, mandatory: true });
    const returned = await returns.take();
    t.match(returned.fields, {
      replyCode: 312,
      replyText: 'NO_ROUTE',
      exchange: 'amq.direct',
      routingKey: key,
    });
    t.match(returned.properties, properties);
    t.equal(textOf(returned), 'unroutable');
  },
);

scenario(
  'a returned message may be empty or larger than a frame [basic.publish/mandatory-sizes]',
  async (t, broker) => {
    const channel = await broker.channel({ frameMax: FRAME_MAX });
    const returns = returnsOf(channel);
    const key = broker.queueName('nobody');
    for (const size of [0, 2 * FRAME_BODY, 50_000]) {
      await publish(channel, '', key, Buffer.alloc(size, 'x'), { mandatory: true });
      t.equal((await returns.take()).content.length, size);
    }
  },
);

scenario(
  'a routed mandatory message is not returned, an unroutable one without mandatory is dropped [basic.publish/no-return]',
  async (t, broker) => {
    const channel = await broker.channel();
    const returns = returnsOf(channel);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await publish(channel, '', queue, 'routed', { mandatory: true });
    await publish(channel, '', `${queue}-missing`, 'dropped');
    await publish(channel, '', `${queue}-missing`, 'returned', { mandatory: true });
    t.equal(textOf(await returns.take()), 'returned');
    t.same(await drain(channel, queue), ['routed']);
  },
);

scenario(
  'immediate closes the connection with 540 [basic.publish/immediate]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.publish(1, { routingKey: 'anywhere', immediate: true }, Buffer.from('now'));
    t.same(await raw.expectConnectionClose(), {
      code: 540,
      text: 'NOT_IMPLEMENTED - immediate=true',
      method: METHOD,
    });
  },
);

scenario(
  'content that follows a failed publish is swallowed, not taken as an error of its own [basic.publish/pipelined-after-error]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('pipelined'));
    const raw = await broker.rawChannel();
    const exchange = broker.exchangeName('missing');
    raw.publish(1, { exchange, routingKey: 'key' }, Buffer.from('fails'));
    for (const body of ['swallowed', 'too']) {
      raw.publish(1, { routingKey: queue }, Buffer.from(body));
    }
    t.same(await raw.expectChannelClose(1), noExchange(exchange, METHOD));
    await raw.openChannel(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('kept'));
    await raw.closeChannel(1);
    t.same(await drain(channel, queue), ['kept']);
  },
);
