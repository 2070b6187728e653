import { bodies, consume, enqueue, getOne, settle } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'a consumer is delivered no more than its prefetch count unacked [basic.qos/per-consumer]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three', 'four');
    await channel.prefetch(2);
    const consumer = await consume(channel, queue);
    const [first] = await consumer.deliveries.takeMany(2);
    await settle(channel, queue);
    t.equal(consumer.deliveries.count, 0, 'the limit is reached');
    if (first === undefined) throw new Error('two were delivered');
    channel.ack(first);
    t.same(await bodies(consumer, 1), ['three'], 'an ack makes room for one more');
    await settle(channel, queue);
    t.equal(consumer.deliveries.count, 0);
  },
);

scenario(
  'the prefetch count holds for each consumer on its own [basic.qos/each-consumer]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.prefetch(1);
    const first = await consume(channel, queue);
    const second = await consume(channel, queue);
    await enqueue(channel, queue, 'one', 'two', 'three');
    await Promise.all([first.deliveries.take(), second.deliveries.take()]);
    await settle(channel, queue);
    t.equal(first.deliveries.count + second.deliveries.count, 0);
    t.same(await channel.purgeQueue(queue), { messageCount: 1 });
  },
);

scenario(
  'the prefetch count holds for consumers that start later, not for running ones [basic.qos/later-consumers]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue: first } = await channel.assertQueue('', { exclusive: true });
    const { queue: second } = await channel.assertQueue('', { exclusive: true });
    const unlimited = await consume(channel, first);
    await channel.prefetch(1);
    const limited = await consume(channel, second);
    await enqueue(channel, first, 'one', 'two', 'three');
    await enqueue(channel, second, 'one', 'two', 'three');
    t.same(await bodies(unlimited, 3), ['one', 'two', 'three']);
    t.same(await bodies(limited, 1), ['one']);
    await settle(channel, second);
    t.equal(limited.deliveries.count, 0);
  },
);

scenario('a prefetch count of 0 is no limit [basic.qos/unlimited]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.prefetch(1);
  await channel.prefetch(0);
  const consumer = await consume(channel, queue);
  await enqueue(channel, queue, 'one', 'two', 'three');
  t.same(await bodies(consumer, 3), ['one', 'two', 'three']);
});

scenario(
  'the global prefetch count is shared by all consumers of the channel [basic.qos/global]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue: first } = await channel.assertQueue('', { exclusive: true });
    const { queue: second } = await channel.assertQueue('', { exclusive: true });
    await channel.prefetch(2, true);
    const one = await consume(channel, first);
    const two = await consume(channel, second);
    await enqueue(channel, first, 'a', 'b');
    const [held] = await one.deliveries.takeMany(2);
    await enqueue(channel, second, 'c');
    await settle(channel, second);
    t.equal(two.deliveries.count, 0, 'the first consumer holds all of the credit');
    if (held === undefined) throw new Error('two were delivered');
    channel.ack(held);
    t.same(await bodies(two, 1), ['c']);
  },
);

scenario(
  'raising or lifting the global prefetch count acts at once [basic.qos/global-raised]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.prefetch(1, true);
    const consumer = await consume(channel, queue);
    await enqueue(channel, queue, 'one', 'two', 'three', 'four');
    t.same(await bodies(consumer, 1), ['one']);
    await channel.prefetch(2, true);
    t.same(await bodies(consumer, 1), ['two']);
    await settle(channel, queue);
    t.equal(consumer.deliveries.count, 0);
    await channel.prefetch(0, true);
    t.same(await bodies(consumer, 2), ['three', 'four']);
  },
);

scenario('the global and the own prefetch count both hold [basic.qos/both]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.prefetch(1, false);
  await channel.prefetch(10, true);
  const consumer = await consume(channel, queue);
  await enqueue(channel, queue, 'one', 'two');
  t.same(await bodies(consumer, 1), ['one']);
  await settle(channel, queue);
  t.equal(consumer.deliveries.count, 0);
});

scenario(
  'basic.get is not held back by a prefetch count and does not use it up [basic.qos/get]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    await channel.prefetch(1);
    await getOne(channel, queue);
    const consumer = await consume(channel, queue);
    t.same(await bodies(consumer, 1), ['two']);
    await getOne(channel, queue);
    t.equal(await channel.get(queue), false);
  },
);

scenario('a message goes to the consumer that has room [basic.qos/room]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.prefetch(1);
  const busy = await consume(channel, queue);
  await enqueue(channel, queue, 'held');
  await busy.deliveries.take();
  await channel.prefetch(0);
  const free = await consume(channel, queue);
  await enqueue(channel, queue, 'one', 'two', 'three');
  t.same(await bodies(free, 3), ['one', 'two', 'three']);
  t.equal(busy.deliveries.count, 0);
});

scenario(
  'a prefetch size closes the connection with 540 [basic.qos/prefetch-size]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.qos', { prefetchSize: 1 });
    t.same(await raw.expectConnectionClose(), {
      code: 540,
      text: 'NOT_IMPLEMENTED - prefetch_size!=0 (1)',
      method: 'basic.qos',
    });
  },
);
