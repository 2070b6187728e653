import { bodies, consume, enqueue, expectChannelError, settle } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { scenario } from '../support/scenario.ts';

const PRIORITY = 'x-priority';

scenario(
  'a consumer of higher priority gets everything as long as it takes it [basic.consume/priority-first]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const low = await consume(channel, queue, { noAck: true, priority: -1 });
    const plain = await consume(channel, queue, { noAck: true });
    const high = await consume(channel, queue, { noAck: true, priority: 10 });
    await enqueue(channel, queue, 'one', 'two', 'three');
    t.same(await bodies(high, 3), ['one', 'two', 'three']);
    await settle(channel, queue);
    t.equal(plain.deliveries.count + low.deliveries.count, 0);
    await channel.cancel(high.tag);
    await enqueue(channel, queue, 'four');
    t.same(await bodies(plain, 1), ['four']);
  },
);

scenario(
  'lower ones get what the higher ones have no room for, and no more [basic.consume/priority-room]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.prefetch(2);
    const high = await consume(channel, queue, { priority: 5 });
    const second = await openChannel(connection);
    const low = await consume(second, queue, { noAck: true });
    await enqueue(channel, queue, 'one', 'two');
    const taken = await high.deliveries.takeMany(2);
    await enqueue(channel, queue, 'three');
    t.same(await bodies(low, 1), ['three']);
    for (const message of taken) channel.ack(message);
    await settle(channel, queue);
    await enqueue(channel, queue, 'four');
    t.same(await bodies(high, 1), ['four']);
    t.equal(low.deliveries.count, 0);
  },
);

scenario(
  'consumers of one priority take turns [basic.consume/priority-turns]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const equals = [
      await consume(channel, queue, { noAck: true, priority: 3 }),
      await consume(channel, queue, { noAck: true, priority: 3 }),
    ] as const;
    await enqueue(channel, queue, 'one', 'two', 'three', 'four');
    const shares = await Promise.all(equals.map((consumer) => consumer.deliveries.takeMany(2)));
    t.same(
      shares.map((share) => share.length),
      [2, 2],
    );
  },
);

for (const [type, value] of [
  ['longstr', 'high'],
  ['double', 1.5],
  ['bool', true],
] as const) {
  scenario(
    `a priority of type ${type} closes the channel with 406 [basic.consume/priority-${type}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      const text = `PRECONDITION_FAILED - invalid arg '${PRIORITY}' for queue '${queue}' in vhost '/': "expected integer, got ${type}"`;
      await expectChannelError(t, channel, { code: 406, text, method: 'basic.consume' }, () =>
        consume(channel, queue, { arguments: { [PRIORITY]: value } }),
      );
    },
  );
}
