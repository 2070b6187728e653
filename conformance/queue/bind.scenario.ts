import { drain, expectChannelError, publish } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { lockedQueue, noExchange, noQueue, onDefaultExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'a binding routes from the moment that bind-ok arrives [queue.bind/routes]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('bind');
    await channel.assertExchange(exchange, 'direct');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await publish(channel, exchange, 'key', 'before');
    await channel.bindQueue(queue, exchange, 'key');
    await publish(channel, exchange, 'key', 'after');
    t.same(await drain(channel, queue), ['after']);
  },
);

scenario('the same binding made twice is one binding [queue.bind/duplicate]', async (t, broker) => {
  const channel = await broker.channel();
  const exchange = broker.exchangeName('bind');
  await channel.assertExchange(exchange, 'direct');
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, exchange, 'key');
  await channel.bindQueue(queue, exchange, 'key');
  await publish(channel, exchange, 'key', 'once');
  t.same(await drain(channel, queue), ['once']);
  await channel.unbindQueue(queue, exchange, 'key');
  await publish(channel, exchange, 'key', 'lost');
  t.same(await drain(channel, queue), []);
});

scenario(
  'the same key with other arguments is another binding [queue.bind/arguments]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('bind');
    await channel.assertExchange(exchange, 'direct');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, 'key', { a: 1, b: 'two' });
    await channel.bindQueue(queue, exchange, 'key', { other: true });
    await channel.unbindQueue(queue, exchange, 'key', { other: true });
    await publish(channel, exchange, 'key', 'still bound');
    t.same(await drain(channel, queue), ['still bound']);
    await channel.unbindQueue(queue, exchange, 'key', { b: 'two', a: 1 });
    await publish(channel, exchange, 'key', 'no longer');
    t.same(await drain(channel, queue), [], 'the order of the arguments does not matter');
  },
);

scenario(
  'a message that matches several bindings of a queue is enqueued once [queue.bind/enqueued-once]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('bind');
    await channel.assertExchange(exchange, 'topic');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    for (const key of ['a.b', 'a.*', '#']) await channel.bindQueue(queue, exchange, key);
    await publish(channel, exchange, 'a.b', 'once');
    t.same(await drain(channel, queue), ['once']);
  },
);

scenario(
  'binding a missing queue closes the channel with 404 [queue.bind/missing-queue]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('missing');
    await expectChannelError(t, channel, noQueue(queue, 'queue.bind'), () =>
      channel.bindQueue(queue, 'amq.direct', 'key'),
    );
  },
);

scenario(
  'binding to a missing exchange closes the channel with 404 [queue.bind/missing-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const exchange = broker.exchangeName('missing');
    await expectChannelError(t, channel, noExchange(exchange, 'queue.bind'), () =>
      channel.bindQueue(queue, exchange, 'key'),
    );
  },
);

scenario(
  'binding to the default exchange closes the channel with 403 [queue.bind/default-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await expectChannelError(t, channel, onDefaultExchange('queue.bind'), () =>
      channel.bindQueue(queue, '', 'key'),
    );
  },
);

scenario(
  'binding an exclusive queue of another connection closes the channel with 405 [queue.bind/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const { queue } = await owner.assertQueue('', { exclusive: true });
    const other = await broker.channel();
    await expectChannelError(t, other, lockedQueue(queue, 'queue.bind'), () =>
      other.bindQueue(queue, 'amq.direct', 'key'),
    );
  },
);

scenario(
  'an empty queue name means the queue declared last; with an empty key that too is its name [queue.bind/last-declared]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const exchange = broker.exchangeName('bind');
    await channel.assertExchange(exchange, 'direct');
    const raw = await broker.rawChannel();
    const queue = broker.queueName('last');
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'queue.bind', { queue: '', exchange, routingKey: '' });
    await raw.expect(1, 'queue.bind-ok');
    raw.send(1, 'queue.bind', { queue: '', exchange, routingKey: 'key' });
    await raw.expect(1, 'queue.bind-ok');
    const publisher = await openChannel(connection);
    await publish(publisher, exchange, queue, 'by name');
    await publish(publisher, exchange, 'key', 'by key');
    await publish(publisher, exchange, '', 'lost');
    t.same(await drain(publisher, queue), ['by name', 'by key']);
  },
);

scenario(
  'an empty queue name on a channel that declared none closes it with 404 [queue.bind/none-declared]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'queue.bind', { queue: '', exchange: 'amq.direct', routingKey: 'key' });
    t.same(await raw.expectChannelClose(1), {
      code: 404,
      text: 'NOT_FOUND - no previously declared queue',
      method: 'queue.bind',
    });
  },
);

scenario(
  'with no-wait nothing is answered and the binding exists [queue.bind/no-wait]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('no-wait'));
    const raw = await broker.rawChannel();
    raw.send(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: queue, noWait: true });
    raw.send(1, 'queue.declare', { queue, passive: true });
    await raw.expect(1, 'queue.declare-ok');
    await publish(channel, 'amq.direct', queue, 'bound');
    t.same(await drain(channel, queue), ['bound']);
  },
);
