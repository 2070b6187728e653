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

scenario(
  'the same binding made twice is one binding, other arguments make another [exchange.bind/identity]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('destination');
    await channel.assertExchange(exchange, 'fanout');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, '');
    await channel.bindExchange(exchange, 'amq.direct', exchange);
    await channel.bindExchange(exchange, 'amq.direct', exchange);
    await channel.bindExchange(exchange, 'amq.direct', exchange, { a: 1 });
    await channel.unbindExchange(exchange, 'amq.direct', exchange);
    await publish(channel, 'amq.direct', exchange, 'by the other');
    await channel.unbindExchange(exchange, 'amq.direct', exchange, { a: 1 });
    await publish(channel, 'amq.direct', exchange, 'by none');
    t.same(await drain(channel, queue), ['by the other']);
  },
);

scenario(
  'with no-wait nothing is answered and the binding exists, or exists no more [exchange.bind/no-wait]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const destination = broker.exchangeName('destination');
    raw.send(1, 'exchange.declare', { exchange: destination, type: 'fanout' });
    await raw.expect(1, 'exchange.declare-ok');
    const queue = await raw.declareQueue(1);
    raw.send(1, 'queue.bind', { queue, exchange: destination });
    await raw.expect(1, 'queue.bind-ok');
    const binding = { destination, source: 'amq.direct', routingKey: destination, noWait: true };
    const message = { exchange: 'amq.direct', routingKey: destination };
    raw.send(1, 'exchange.bind', binding);
    raw.publish(1, message, Buffer.from('bound'));
    raw.send(1, 'exchange.unbind', binding);
    raw.publish(1, message, Buffer.from('unbound'));
    t.match(await raw.get(1, queue), { body: Buffer.from('bound'), messageCount: 0 });
    t.same(raw.untaken, []);
  },
);

scenario(
  'a binding that its source cannot read closes the channel with 406 [exchange.bind/bad-arguments]',
  async (t, broker) => {
    const channel = await broker.channel();
    const args = { 'x-match': 'some' };
    await expectChannelError(
      t,
      channel,
      {
        code: 406,
        text: 'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x',
        method: 'exchange.bind',
      },
      () => channel.bindExchange('amq.fanout', 'amq.headers', '', args),
    );
  },
);
