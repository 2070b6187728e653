import {
  consume,
  enqueue,
  expectChannelError,
  getOne,
  publish,
  returnsOf,
} from '../support/amqp.ts';
import { lockedQueue, noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'delete answers with the number of ready messages that went with the queue [queue.delete/count]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('delete'));
    await enqueue(channel, queue, 'one', 'two', 'three');
    await getOne(channel, queue);
    t.same(await channel.deleteQueue(queue), { messageCount: 2 });
    await expectChannelError(t, channel, noQueue(queue, 'queue.declare'), () =>
      channel.checkQueue(queue),
    );
  },
);

scenario('deleting a missing queue is no error [queue.delete/missing]', async (t, broker) => {
  const channel = await broker.channel();
  t.same(await channel.deleteQueue(broker.queueName('missing')), { messageCount: 0 });
});

scenario(
  'the bindings of a deleted queue go with it [queue.delete/bindings]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('delete'));
    await channel.bindQueue(queue, 'amq.direct', queue);
    await channel.deleteQueue(queue);
    await channel.assertQueue(queue);
    const returns = returnsOf(channel);
    await publish(channel, 'amq.direct', queue, 'unroutable', { mandatory: true });
    t.equal((await returns.take()).fields.routingKey, queue);
  },
);

scenario(
  'if-unused refuses a queue with a consumer with 406 [queue.delete/if-unused]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('used'));
    const consumer = await broker.channel();
    const { tag } = await consume(consumer, queue);
    const text = `PRECONDITION_FAILED - queue '${queue}' in vhost '/' in use`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.delete' }, () =>
      channel.deleteQueue(queue, { ifUnused: true }),
    );
    await consumer.cancel(tag);
    t.same(await consumer.deleteQueue(queue, { ifUnused: true }), { messageCount: 0 });
  },
);

scenario(
  'if-empty refuses a queue with ready messages with 406 [queue.delete/if-empty]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('filled'));
    await enqueue(channel, queue, 'one');
    const text = `PRECONDITION_FAILED - queue '${queue}' in vhost '/' not empty`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.delete' }, () =>
      channel.deleteQueue(queue, { ifEmpty: true }),
    );
  },
);

scenario(
  'if-empty counts ready messages only [queue.delete/if-empty-unacked]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('unacked'));
    await enqueue(channel, queue, 'one');
    await getOne(channel, queue);
    t.same(await channel.deleteQueue(queue, { ifEmpty: true }), { messageCount: 0 });
  },
);

scenario(
  'where both conditions fail, not empty wins [queue.delete/if-unused-if-empty]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('both'));
    await channel.prefetch(1);
    await consume(channel, queue);
    await enqueue(channel, queue, 'unacked', 'ready');
    const text = `PRECONDITION_FAILED - queue '${queue}' in vhost '/' not empty`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.delete' }, () =>
      channel.deleteQueue(queue, { ifUnused: true, ifEmpty: true }),
    );
  },
);

scenario(
  'deleting an exclusive queue of another connection closes the channel with 405 [queue.delete/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const { queue } = await owner.assertQueue('', { exclusive: true });
    const other = await broker.channel();
    await expectChannelError(t, other, lockedQueue(queue, 'queue.delete'), () =>
      other.deleteQueue(queue),
    );
  },
);

scenario(
  'a tag delivered from a deleted queue can still be acked and nacked [queue.delete/unacked-tags]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('delete'));
    await enqueue(channel, queue, 'one', 'two');
    const first = await getOne(channel, queue);
    const second = await getOne(channel, queue);
    await channel.deleteQueue(queue);
    channel.ack(first);
    channel.nack(second);
    t.same(await channel.assertQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
  },
);

scenario(
  'an empty name means the queue declared last on the channel [queue.delete/last-declared]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('last');
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'queue.delete', { queue: '' });
    t.same(await raw.expect(1, 'queue.delete-ok'), { messageCount: 0 });
    raw.send(1, 'queue.declare', { queue, passive: true });
    t.equal((await raw.expectChannelClose(1)).code, 404);
  },
);

scenario(
  'with no-wait nothing is answered and the queue is gone [queue.delete/no-wait]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('no-wait');
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'queue.delete', { queue, noWait: true });
    raw.send(1, 'queue.declare', { queue, passive: true });
    t.equal((await raw.expectChannelClose(1)).code, 404);
  },
);
