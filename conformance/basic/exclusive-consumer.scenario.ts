import { bodies, consume, enqueue, expectChannelError } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { scenario } from '../support/scenario.ts';

function inExclusiveUse(queue: string) {
  const text = `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`;
  return { code: 403, text, method: 'basic.consume' };
}

for (const [rule, second] of [
  ['second', {}],
  ['second-exclusive', { exclusive: true }],
] as const) {
  scenario(
    `beside an exclusive consumer no ${rule === 'second' ? 'other' : 'exclusive'} one is let in [basic.consume/exclusive-${rule}]`,
    async (t, broker) => {
      const { connection, channel } = await broker.session();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      const first = await consume(channel, queue, { exclusive: true });
      const other = await openChannel(connection);
      await expectChannelError(t, other, inExclusiveUse(queue), () =>
        consume(other, queue, second),
      );
      await enqueue(channel, queue, 'still mine');
      t.same(await bodies(first, 1), ['still mine']);
    },
  );
}

scenario(
  'exclusive use is refused while somebody consumes [basic.consume/exclusive-too-late]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await consume(channel, queue);
    const other = await openChannel(connection);
    await expectChannelError(t, other, inExclusiveUse(queue), () =>
      consume(other, queue, { exclusive: true }),
    );
  },
);

scenario(
  'a queue is free again when its exclusive consumer is cancelled, or its channel closed [basic.consume/exclusive-ends]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const second = await openChannel(connection);
    const first = await consume(channel, queue, { exclusive: true });
    await channel.cancel(first.tag);
    await consume(second, queue, { exclusive: true });
    await second.close();
    await consume(channel, queue);
    t.same(await channel.checkQueue(queue), { queue, messageCount: 0, consumerCount: 1 });
  },
);

scenario(
  'exclusive use does not keep others from getting [basic.consume/exclusive-get]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('got'));
    await channel.prefetch(1);
    const consumer = await consume(channel, queue, { exclusive: true });
    await enqueue(channel, queue, 'delivered', 'left');
    t.same(await bodies(consumer, 1), ['delivered']);
    const other = await broker.channel();
    t.match(await other.get(queue, { noAck: true }), { fields: { messageCount: 0 } });
  },
);
