import { drain, expectChannelError, publish } from '../support/amqp.ts';
import { lockedQueue, onDefaultExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'after unbind-ok the exchange no longer routes to the queue [queue.unbind/routes-no-more]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'amq.direct', queue);
    await publish(channel, 'amq.direct', queue, 'first');
    await channel.unbindQueue(queue, 'amq.direct', queue);
    await publish(channel, 'amq.direct', queue, 'second');
    t.same(await drain(channel, queue), ['first']);
  },
);

scenario('only the binding with that key goes [queue.unbind/one-binding]', async (t, broker) => {
  const channel = await broker.channel();
  const exchange = broker.exchangeName('unbind');
  await channel.assertExchange(exchange, 'direct');
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, exchange, 'kept');
  await channel.bindQueue(queue, exchange, 'gone');
  await channel.unbindQueue(queue, exchange, 'gone');
  await publish(channel, exchange, 'gone', 'gone');
  await publish(channel, exchange, 'kept', 'kept');
  t.same(await drain(channel, queue), ['kept']);
});

scenario(
  'a missing binding, queue or exchange is answered with unbind-ok [queue.unbind/missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.unbindQueue(queue, 'amq.direct', 'never-bound');
    await channel.unbindQueue(broker.queueName('missing'), 'amq.direct', 'key');
    await channel.unbindQueue(queue, broker.exchangeName('missing'), 'key');
    t.equal((await channel.checkQueue(queue)).queue, queue, 'the channel is still open');
  },
);

scenario(
  'unbinding from the default exchange closes the channel with 403 [queue.unbind/default-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await expectChannelError(t, channel, onDefaultExchange('queue.unbind'), () =>
      channel.unbindQueue(queue, '', queue),
    );
  },
);

scenario(
  'unbinding an exclusive queue of another connection closes the channel with 405 [queue.unbind/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const { queue } = await owner.assertQueue('', { exclusive: true });
    await owner.bindQueue(queue, 'amq.direct', queue);
    const other = await broker.channel();
    await expectChannelError(t, other, lockedQueue(queue, 'queue.unbind'), () =>
      other.unbindQueue(queue, 'amq.direct', queue),
    );
  },
);
