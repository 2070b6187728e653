import { bodies, consume, enqueue, expectChannelError } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { lockedQueue, noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'basic.consume';

scenario(
  'waiting messages are delivered in order with rising tags from 1 [basic.consume/order]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    const consumer = await consume(channel, queue);
    const messages = await consumer.deliveries.takeMany(3);
    t.same(
      messages.map(({ content, fields }) => [content.toString(), fields.deliveryTag]),
      [
        ['one', 1],
        ['two', 2],
        ['three', 3],
      ],
    );
    t.same(messages[0]?.fields, {
      consumerTag: consumer.tag,
      deliveryTag: 1,
      redelivered: false,
      exchange: '',
      routingKey: queue,
    });
  },
);

scenario(
  'messages published later reach a waiting consumer [basic.consume/waiting]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const consumer = await consume(channel, queue, { noAck: true });
    await enqueue(channel, queue, 'one', 'two');
    t.same(await bodies(consumer, 2), ['one', 'two']);
  },
);

scenario(
  'consume-ok comes before the first delivery of its consumer [basic.consume/ok-first]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('ok-first'));
    await enqueue(channel, queue, 'waiting');
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine', noAck: true });
    t.same(await raw.expect(1, 'basic.consume-ok'), { consumerTag: 'mine' });
    t.match(await raw.expect(1, 'basic.deliver'), { consumerTag: 'mine', deliveryTag: 1 });
  },
);

scenario(
  'an empty tag gets a generated one that starts with amq.ctag- [basic.consume/generated-tag]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const first = await consume(channel, queue);
    const second = await consume(channel, queue);
    t.match(first.tag, /^amq\.ctag-[A-Za-z0-9_-]{22}$/);
    t.not(first.tag, second.tag);
  },
);

scenario(
  'a tag in use on the channel closes the connection with 530 [basic.consume/tag-reused]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine' });
    await raw.expect(1, 'basic.consume-ok');
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine' });
    t.same(await raw.expectConnectionClose(), {
      code: 530,
      text: "NOT_ALLOWED - attempt to reuse consumer tag 'mine'",
      method: METHOD,
    });
  },
);

scenario(
  'a tag may be used on two channels, and again after its consumer was cancelled [basic.consume/tag-per-channel]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const second = await openChannel(connection);
    await consume(channel, queue, { consumerTag: 'mine' });
    t.equal((await consume(second, queue, { consumerTag: 'mine' })).tag, 'mine');
    await channel.cancel('mine');
    t.equal((await consume(channel, queue, { consumerTag: 'mine' })).tag, 'mine');
  },
);

scenario(
  'a missing queue closes the channel with 404 [basic.consume/missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('missing');
    await expectChannelError(t, channel, noQueue(queue, METHOD), () => consume(channel, queue));
  },
);

scenario(
  'an exclusive queue of another connection closes the channel with 405 [basic.consume/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const { queue } = await owner.assertQueue('', { exclusive: true });
    const other = await broker.channel();
    await expectChannelError(t, other, lockedQueue(queue, METHOD), () => consume(other, queue));
  },
);

scenario('consumers of one queue take turns [basic.consume/round-robin]', async (t, broker) => {
  const { connection, channel } = await broker.session();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const second = await openChannel(connection);
  const consumers = [await consume(channel, queue), await consume(second, queue)] as const;
  for (let round = 0; round < 3; round += 1) {
    await enqueue(channel, queue, 'odd', 'even');
    const taken = await Promise.all(consumers.map((consumer) => consumer.deliveries.take()));
    t.equal(taken.length, 2, 'each got one of two');
  }
});

scenario(
  'with no-wait nothing is answered and deliveries come [basic.consume/no-wait]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('no-wait'));
    await enqueue(channel, queue, 'waiting');
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.consume', { queue, consumerTag: 'mine', noWait: true });
    t.match(await raw.expect(1, 'basic.deliver'), { consumerTag: 'mine', deliveryTag: 1 });
  },
);

scenario(
  'no-local is ignored: a connection is delivered what it published [basic.consume/no-local]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const consumer = await consume(channel, queue, { noLocal: true });
    await enqueue(channel, queue, 'my own');
    t.same(await bodies(consumer, 1), ['my own']);
  },
);

scenario(
  'an empty queue name means the queue declared last on the channel [basic.consume/last-declared]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('last');
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'basic.consume', { queue: '', consumerTag: 'mine' });
    await raw.expect(1, 'basic.consume-ok');
    raw.send(1, 'queue.declare', { queue, passive: true });
    t.equal((await raw.expect(1, 'queue.declare-ok')).consumerCount, 1);
  },
);

scenario(
  'a consumer without acknowledgement is not held back by any number of messages [basic.consume/no-ack]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.prefetch(1);
    const consumer = await consume(channel, queue, { noAck: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    t.same(await bodies(consumer, 3), ['one', 'two', 'three']);
    t.same(await channel.purgeQueue(queue), { messageCount: 0 });
  },
);

scenario(
  'with no-wait and an empty tag deliveries tell the generated one [basic.consume/no-wait-generated-tag]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'basic.consume', { queue, noWait: true, noAck: true });
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    const { consumerTag } = await raw.expect(1, 'basic.deliver');
    t.match(consumerTag, /^amq\.ctag-[A-Za-z0-9_-]{22}$/);
  },
);

scenario(
  'unknown arguments are accepted and mean nothing [basic.consume/unknown-argument]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    const consumer = await consume(channel, queue, { arguments: { 'x-nobody-knows': 1 } });
    t.same(await bodies(consumer, 1), ['one']);
  },
);
