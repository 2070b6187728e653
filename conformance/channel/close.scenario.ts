import { consume, drain, enqueue, expectChannelError, getOne } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'closing a channel requeues its unacked messages in their order [channel.close/requeues]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    const consumer = await consume(channel, queue);
    await consumer.deliveries.takeMany(3);
    await channel.close();
    const next = await openChannel(connection);
    t.same(await drain(next, queue), ['one', 'two', 'three']);
  },
);

scenario(
  'closing a channel requeues twenty thousand unacked messages in their order [channel.close/requeues-many]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const numbers = Array.from({ length: 20_000 }, (_, i) => `${i}`);
    await enqueue(channel, queue, ...numbers);
    await (await consume(channel, queue)).deliveries.takeMany(numbers.length);
    await channel.close();
    const next = await openChannel(connection);
    t.equal((await next.checkQueue(queue)).messageCount, numbers.length);
    const again = await consume(next, queue, { noAck: true });
    const deliveries = await again.deliveries.takeMany(numbers.length);
    t.same(
      deliveries.map(({ content }) => content.toString()),
      numbers,
    );
    t.ok(deliveries.every(({ fields }) => fields.redelivered));
    t.equal(await next.get(queue), false);
  },
);

scenario('closing a channel ends its consumers [channel.close/consumers]', async (t, broker) => {
  const { connection, channel } = await broker.session();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await consume(channel, queue);
  await channel.close();
  t.equal((await (await openChannel(connection)).checkQueue(queue)).consumerCount, 0);
});

scenario(
  'a closed channel can be opened again at once, its tags start at 1 [channel.close/reuse]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    t.equal((await raw.get(1, queue)).deliveryTag, 1);
    await raw.closeChannel(1);
    await raw.openChannel(1);
    const again = await raw.get(1, queue);
    t.equal(again.deliveryTag, 1);
    t.equal(again.redelivered, true);
  },
);

scenario(
  'an error closes its channel and nothing else [channel.close/error-scope]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const other = await openChannel(connection);
    const { queue } = await other.assertQueue('', { exclusive: true });
    const missing = broker.queueName('missing');
    await expectChannelError(t, channel, noQueue(missing, 'queue.declare'), () =>
      channel.checkQueue(missing),
    );
    await enqueue(other, queue, 'still here');
    t.same(await drain(other, queue), ['still here']);
    t.equal((await (await openChannel(connection)).checkQueue(queue)).queue, queue);
  },
);

scenario(
  'an error requeues the unacked messages of its channel and ends its consumers [channel.close/error-requeues]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two');
    const consumer = await consume(channel, queue);
    await consumer.deliveries.takeMany(2);
    const missing = broker.queueName('missing');
    await expectChannelError(t, channel, noQueue(missing, 'queue.declare'), () =>
      channel.checkQueue(missing),
    );
    const next = await openChannel(connection);
    t.equal((await getOne(next, queue)).fields.redelivered, true);
    t.equal((await next.checkQueue(queue)).consumerCount, 0);
  },
);

scenario(
  'after an error everything on the channel is ignored until close-ok [channel.close/ignored-until-ok]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const missing = broker.queueName('missing');
    const ignored = broker.queueName('ignored');
    raw.send(1, 'queue.declare', { queue: missing, passive: true });
    raw.send(1, 'queue.declare', { queue: ignored });
    raw.send(1, 'queue.declare', { queue: missing, passive: true });
    t.same(await raw.expectChannelClose(1), noQueue(missing, 'queue.declare'));
    await raw.openChannel(1);
    raw.send(1, 'queue.declare', { queue: ignored, passive: true });
    t.same(await raw.expectChannelClose(1), noQueue(ignored, 'queue.declare'));
  },
);

scenario(
  'a close of the client that crosses one of the server is answered [channel.close/crossing]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const missing = broker.queueName('missing');
    raw.send(1, 'queue.declare', { queue: missing, passive: true });
    raw.send(1, 'channel.close', { replyCode: 200, replyText: 'bye' });
    t.equal((await raw.expect(1, 'channel.close')).replyCode, 404);
    t.same(await raw.expect(1, 'channel.close-ok'), {});
    raw.send(1, 'channel.close-ok');
    await raw.openChannel(1);
    raw.send(1, 'queue.declare', { queue: '', exclusive: true });
    t.match((await raw.expect(1, 'queue.declare-ok')).queue, /^amq\.gen-/);
  },
);

scenario(
  'a method on a channel that was closed closes the connection with 504 [channel.close/used-after]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    await raw.closeChannel(1);
    raw.send(1, 'queue.declare', { queue: '' });
    t.same(await raw.expectConnectionClose(), {
      code: 504,
      text: "CHANNEL_ERROR - expected 'channel.open'",
      method: 'queue.declare',
    });
  },
);
