import type { ConfirmChannel } from 'amqplib';
import { consume, getOne, publish, returnsOf } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

const MB = 1_000_000;

/** No two stretches of it are alike. */
function largeBody(size: number): Buffer {
  const body = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) body.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
  return body;
}

async function publishTo(channel: ConfirmChannel, queue: string, body: Buffer): Promise<void> {
  await publish(channel, '', queue, body, { persistent: true, messageId: `of ${body.length}` });
}

for (const size of [5 * MB, 20 * MB]) {
  scenario(
    `a body of ${size / MB} MB is delivered as it was published [basic.deliver/large-${size / MB}mb]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const { queue } = await channel.assertQueue(broker.queueName('large'), { durable: true });
      const body = largeBody(size);
      await publishTo(channel, queue, body);
      const { deliveries } = await consume(channel, queue);
      const delivery = await deliveries.take();
      t.ok(delivery.content.equals(body));
      t.equal(delivery.properties.messageId, `of ${size}`);
      channel.ack(delivery);
    },
  );
}

scenario(
  'a large body that was requeued comes again, to a get as well [basic.get/large-requeued]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('large'), { durable: true });
    const body = largeBody(5 * MB);
    await publishTo(channel, queue, body);
    const first = await getOne(channel, queue, { noAck: false });
    channel.nack(first, false, true);
    const again = await getOne(channel, queue, { noAck: false });
    t.equal(again.fields.redelivered, true);
    t.ok(again.content.equals(body));
    channel.ack(again);
  },
);

scenario(
  'a large body that no queue takes comes back whole [basic.return/large]',
  async (t, broker) => {
    const channel = await broker.channel();
    const returns = returnsOf(channel);
    const body = largeBody(5 * MB);
    await publish(channel, '', broker.queueName('missing'), body, { mandatory: true });
    t.ok((await returns.take()).content.equals(body));
  },
);

scenario(
  'a large body reaches every queue of a fanout exchange [basic.publish/large-fanout]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { exchange } = await channel.assertExchange(broker.exchangeName('large'), 'fanout', {
      durable: false,
    });
    const queues: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, exchange, '');
      queues.push(queue);
    }
    const body = largeBody(5 * MB);
    await publish(channel, exchange, 'any', body);
    for (const queue of queues) {
      const { content } = await getOne(channel, queue, { noAck: true });
      t.ok(content.equals(body), queue);
    }
  },
);

scenario(
  'replies of another channel come while a large body is under way [basic.deliver/large-interleaved]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue(broker.queueName('large'), { durable: true });
    const body = largeBody(20 * MB);
    await publishTo(channel, queue, body);
    const { deliveries } = await consume(channel, queue);
    const other = await connection.createConfirmChannel();
    const { queue: quick } = await other.assertQueue('', { exclusive: true });
    await publish(other, '', quick, 'small');
    t.equal((await getOne(other, quick, { noAck: true })).content.toString(), 'small');
    const delivery = await deliveries.take();
    t.ok(delivery.content.equals(body));
    channel.ack(delivery);
  },
);
