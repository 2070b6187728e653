/** Auto-delete is an argument of queue.declare; what it does shows only when consumers leave. */
import { consume, expectChannelError, getOne } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'an auto-delete queue goes with its last consumer, not before [queue.auto-delete/last-consumer]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('auto-delete');
    await channel.assertQueue(queue, { autoDelete: true });
    const first = await consume(channel, queue);
    const second = await consume(channel, queue);
    await channel.cancel(first.tag);
    t.equal((await channel.checkQueue(queue)).consumerCount, 1);
    await channel.cancel(second.tag);
    await expectChannelError(t, channel, noQueue(queue, 'queue.declare'), () =>
      channel.checkQueue(queue),
    );
  },
);

scenario(
  'an auto-delete queue is gone when the channel of its last consumer has closed [queue.auto-delete/channel-close]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const queue = broker.queueName('auto-delete');
    await channel.assertQueue(queue, { autoDelete: true });
    await consume(channel, queue);
    await channel.close();
    const next = await openChannel(connection);
    await expectChannelError(t, next, noQueue(queue, 'queue.declare'), () =>
      next.checkQueue(queue),
    );
  },
);

scenario(
  'an auto-delete queue that never had a consumer stays, basic.get does not count [queue.auto-delete/no-consumer]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const queue = broker.queueName('auto-delete');
    await channel.assertQueue(queue, { autoDelete: true });
    t.equal(await channel.get(queue), false);
    await channel.close();
    const next = await openChannel(connection);
    t.equal((await next.checkQueue(queue)).consumerCount, 0);
  },
);

scenario(
  'deleting an auto-delete queue by its consumer drops unacked messages without harm [queue.auto-delete/unacked]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('auto-delete');
    await channel.assertQueue(queue, { autoDelete: true });
    channel.sendToQueue(queue, Buffer.from('one'));
    await channel.waitForConfirms();
    const unacked = await getOne(channel, queue);
    const consumer = await consume(channel, queue);
    await channel.cancel(consumer.tag);
    channel.ack(unacked);
    const { queue: next } = await channel.assertQueue('', { exclusive: true });
    t.match(next, /^amq\.gen-/, 'the ack of a message whose queue is gone is no error');
  },
);
