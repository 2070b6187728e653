import { consume, enqueue, expectChannelError, fakeMessage, getOne } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { unknownTag } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'basic.ack';

scenario(
  'an acked message is gone, an unacked one comes back when the channel closes [basic.ack/settles]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue(broker.queueName('ack'));
    await enqueue(channel, queue, 'acked', 'unacked');
    channel.ack(await getOne(channel, queue));
    await getOne(channel, queue);
    await channel.close();
    const next = await openChannel(connection);
    const back = await getOne(next, queue);
    t.equal(back.content.toString(), 'unacked');
    t.equal(back.fields.redelivered, true);
    t.equal(await next.get(queue), false);
  },
);

scenario(
  'multiple settles everything up to the tag, over consumers and gets [basic.ack/multiple]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue: first } = await channel.assertQueue(broker.queueName('first'));
    const { queue: second } = await channel.assertQueue(broker.queueName('second'));
    await enqueue(channel, first, 'one', 'two');
    await enqueue(channel, second, 'three', 'four');
    const consumer = await consume(channel, first);
    await consumer.deliveries.takeMany(2);
    const third = await getOne(channel, second);
    await getOne(channel, second);
    channel.ack(third, true);
    await channel.close();
    const next = await openChannel(connection);
    t.equal(await next.get(first), false);
    t.equal((await getOne(next, second)).content.toString(), 'four');
    t.equal(await next.get(second), false);
  },
);

scenario(
  'multiple with tag 0 settles everything outstanding, also nothing at all [basic.ack/multiple-all]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue(broker.queueName('all'));
    channel.ackAll();
    await enqueue(channel, queue, 'one', 'two');
    await getOne(channel, queue);
    await getOne(channel, queue);
    channel.ackAll();
    await channel.close();
    t.equal(await (await openChannel(connection)).get(queue), false);
  },
);

scenario('acks may come in any order [basic.ack/any-order]', async (t, broker) => {
  const { connection, channel } = await broker.session();
  const { queue } = await channel.assertQueue(broker.queueName('order'));
  await enqueue(channel, queue, 'one', 'two', 'three', 'four', 'five');
  const consumer = await consume(channel, queue);
  const messages = await consumer.deliveries.takeMany(5);
  for (const index of [3, 1, 4]) {
    const message = messages[index];
    if (message !== undefined) channel.ack(message);
  }
  await channel.close();
  const next = await openChannel(connection);
  t.equal((await getOne(next, queue)).content.toString(), 'one');
  t.equal((await getOne(next, queue)).content.toString(), 'three');
  t.equal(await next.get(queue), false);
});

scenario(
  'a tag that was never delivered closes the channel with 406 [basic.ack/unknown-tag]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, unknownTag(7, METHOD), () => channel.ack(fakeMessage(7)));
  },
);

scenario(
  'a second ack of the same tag closes the channel with 406 [basic.ack/double]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    const message = await getOne(channel, queue);
    channel.ack(message);
    await expectChannelError(t, channel, unknownTag(1, METHOD), () => channel.ack(message));
  },
);

scenario(
  'multiple up to a tag that is not outstanding closes the channel with 406 [basic.ack/multiple-unknown]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    await getOne(channel, queue);
    await expectChannelError(t, channel, unknownTag(2, METHOD), () =>
      channel.ack(fakeMessage(2), true),
    );
  },
);

scenario(
  'tag 0 without multiple closes the channel with 406 [basic.ack/zero]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.ack', { deliveryTag: 0 });
    t.same(await raw.expectChannelClose(1), unknownTag(0, METHOD));
  },
);

scenario(
  'the ack of a no-ack delivery closes the channel with 406 [basic.ack/no-ack]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    const message = await getOne(channel, queue, { noAck: true });
    await expectChannelError(t, channel, unknownTag(1, METHOD), () => channel.ack(message));
  },
);

scenario(
  'the tag of another channel closes the channel with 406 [basic.ack/other-channel]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    const message = await getOne(channel, queue);
    const other = await openChannel(connection);
    await expectChannelError(t, other, unknownTag(1, METHOD), () => other.ack(message));
    channel.ack(message);
    t.equal((await channel.checkQueue(queue)).queue, queue, 'its own channel may ack it');
  },
);
