import { drain, enqueue, expectChannelError, getOne, textOf } from '../support/amqp.ts';
import { lockedQueue, noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'purge answers with the number of ready messages that it dropped [queue.purge/count]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    t.same(await channel.purgeQueue(queue), { messageCount: 3 });
    t.same(await channel.purgeQueue(queue), { messageCount: 0 });
    t.same(await drain(channel, queue), []);
  },
);

scenario(
  'unacked messages stay and can be requeued after a purge [queue.purge/unacked]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'unacked', 'ready');
    const unacked = await getOne(channel, queue);
    t.same(await channel.purgeQueue(queue), { messageCount: 1 });
    channel.nack(unacked);
    const back = await getOne(channel, queue);
    t.equal(textOf(back), 'unacked');
    t.equal(back.fields.redelivered, true);
  },
);

scenario(
  'purging a missing queue closes the channel with 404 [queue.purge/missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('missing');
    await expectChannelError(t, channel, noQueue(queue, 'queue.purge'), () =>
      channel.purgeQueue(queue),
    );
  },
);

scenario(
  'purging an exclusive queue of another connection closes the channel with 405 [queue.purge/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const { queue } = await owner.assertQueue('', { exclusive: true });
    const other = await broker.channel();
    await expectChannelError(t, other, lockedQueue(queue, 'queue.purge'), () =>
      other.purgeQueue(queue),
    );
  },
);

scenario(
  'with no-wait nothing is answered and the queue is empty [queue.purge/no-wait]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('no-wait'));
    await enqueue(channel, queue, 'one', 'two');
    const raw = await broker.rawChannel();
    raw.send(1, 'queue.purge', { queue, noWait: true });
    raw.send(1, 'queue.declare', { queue, passive: true });
    t.same(await raw.expect(1, 'queue.declare-ok'), { queue, messageCount: 0, consumerCount: 0 });
  },
);
