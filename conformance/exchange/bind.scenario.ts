import { drain, expectChannelError, publish } from '../support/amqp.ts';
import { noExchange, onDefaultExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'exchange.bind';

scenario(
  'a bound exchange routes on what its source receives, by its own rules [exchange.bind/routes]',
  async (t, broker) => {
    const channel = await broker.channel();
    const source = broker.exchangeName('source');
    const destination = broker.exchangeName('destination');
    await channel.assertExchange(source, 'topic');
    await channel.assertExchange(destination, 'direct');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindExchange(destination, source, 'stock.#');
    await channel.bindQueue(queue, destination, 'stock.wheat');
    await publish(channel, source, 'stock.wheat', 'both match');
    await publish(channel, source, 'stock.rye', 'second does not match');
    await publish(channel, source, 'wheat', 'first does not match');
    t.same(await drain(channel, queue), ['both match']);
  },
);

scenario(
  'a message that reaches a queue on several paths is enqueued once [exchange.bind/enqueued-once]',
  async (t, broker) => {
    const channel = await broker.channel();
    const source = broker.exchangeName('source');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.assertExchange(source, 'fanout');
    await channel.bindQueue(queue, source, '');
    for (const path of ['one', 'two']) {
      const middle = broker.exchangeName(path);
      await channel.assertExchange(middle, 'fanout');
      await channel.bindExchange(middle, source, '');
      await channel.bindQueue(queue, middle, '');
    }
    await publish(channel, source, '', 'once');
    t.same(await drain(channel, queue), ['once']);
  },
);

scenario('a cycle of exchanges routes a message once [exchange.bind/cycle]', async (t, broker) => {
  const channel = await broker.channel();
  const first = broker.exchangeName('first');
  const second = broker.exchangeName('second');
  await channel.assertExchange(first, 'fanout');
  await channel.assertExchange(second, 'fanout');
  await channel.bindExchange(second, first, '');
  await channel.bindExchange(first, second, '');
  await channel.bindExchange(first, first, '');
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, second, '');
  await publish(channel, first, '', 'once');
  t.same(await drain(channel, queue), ['once']);
});

scenario(
  'an internal exchange receives from other exchanges [exchange.bind/internal]',
  async (t, broker) => {
    const channel = await broker.channel();
    const internal = broker.exchangeName('internal');
    await channel.assertExchange(internal, 'fanout', { internal: true });
    await channel.bindExchange(internal, 'amq.direct', internal);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, internal, '');
    await publish(channel, 'amq.direct', internal, 'through');
    t.same(await drain(channel, queue), ['through']);
  },
);

scenario(
  'a missing source closes the channel with 404 [exchange.bind/missing-source]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('missing');
    await expectChannelError(t, channel, noExchange(exchange, METHOD), () =>
      channel.bindExchange('amq.direct', exchange, 'key'),
    );
  },
);

scenario(
  'a missing destination closes the channel with 404 [exchange.bind/missing-destination]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('missing');
    await expectChannelError(t, channel, noExchange(exchange, METHOD), () =>
      channel.bindExchange(exchange, 'amq.direct', 'key'),
    );
  },
);

scenario(
  'the default exchange cannot be the source [exchange.bind/default-source]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange(METHOD), () =>
      channel.bindExchange('amq.direct', '', 'key'),
    );
  },
);

scenario(
  'the default exchange cannot be the destination [exchange.bind/default-destination]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange(METHOD), () =>
      channel.bindExchange('', 'amq.direct', 'key'),
    );
  },
);
