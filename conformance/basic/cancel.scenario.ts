import { bodies, consume, enqueue, settle } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'after cancel-ok nothing is delivered to the consumer any more [basic.cancel/stops]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const consumer = await consume(channel, queue);
    await enqueue(channel, queue, 'delivered');
    t.same(await bodies(consumer, 1), ['delivered']);
    t.same(await channel.cancel(consumer.tag), { consumerTag: consumer.tag });
    await enqueue(channel, queue, 'kept');
    await settle(channel, queue);
    t.equal(consumer.deliveries.count, 0);
    t.same(await channel.purgeQueue(queue), { messageCount: 1 });
  },
);

scenario(
  'unacked messages of a cancelled consumer stay with the channel [basic.cancel/unacked]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two');
    const consumer = await consume(channel, queue);
    const [first, second] = await consumer.deliveries.takeMany(2);
    await channel.cancel(consumer.tag);
    t.equal(await channel.get(queue), false, 'they were not requeued');
    if (first === undefined || second === undefined) throw new Error('two were delivered');
    channel.ack(first);
    channel.nack(second);
    t.match(await channel.get(queue), { fields: { redelivered: true, deliveryTag: 3 } });
  },
);

scenario(
  'an unknown tag is answered with cancel-ok [basic.cancel/unknown-tag]',
  async (t, broker) => {
    const channel = await broker.channel();
    t.same(await channel.cancel('nobody'), { consumerTag: 'nobody' });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const consumer = await consume(channel, queue);
    await channel.cancel(consumer.tag);
    t.same(await channel.cancel(consumer.tag), { consumerTag: consumer.tag });
  },
);

scenario(
  'with no-wait nothing is answered and the consumer is gone [basic.cancel/no-wait]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine' });
    await raw.expect(1, 'basic.consume-ok');
    raw.send(1, 'basic.cancel', { consumerTag: 'mine', noWait: true });
    raw.send(1, 'queue.declare', { queue, passive: true });
    t.equal((await raw.expect(1, 'queue.declare-ok')).consumerCount, 0);
  },
);
