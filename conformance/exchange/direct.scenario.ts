import { drain, publish } from '../support/amqp.ts';
import { BoundQueues } from '../support/routing.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'direct routes by the exact key, octet by octet [exchange.direct/exact-key]',
  async (t, broker) => {
    const bound = await BoundQueues.bind(
      await broker.channel(),
      broker.exchangeName('direct'),
      'direct',
      {
        key: { key: 'key' },
        KEY: { key: 'KEY' },
        empty: { key: '' },
        star: { key: '*' },
        unicode: { key: 'ключ' },
      },
    );
    t.same(await bound.reachedBy('key'), ['key']);
    t.same(await bound.reachedBy('KEY'), ['KEY']);
    t.same(await bound.reachedBy(''), ['empty']);
    t.same(await bound.reachedBy('*'), ['star']);
    t.same(await bound.reachedBy('ключ'), ['unicode']);
    t.same(await bound.reachedBy('key '), []);
  },
);

scenario(
  'several queues bound with one key all get the message [exchange.direct/many-queues]',
  async (t, broker) => {
    const bound = await BoundQueues.bind(
      await broker.channel(),
      broker.exchangeName('direct'),
      'direct',
      {
        first: { key: 'key' },
        second: { key: 'key' },
        third: { key: 'key' },
      },
    );
    t.same(await bound.reachedBy('key'), ['first', 'second', 'third']);
  },
);

scenario(
  'the default exchange routes to the queue whose name is the routing key [exchange.direct/default]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await publish(channel, '', queue, 'by name');
    const message = await channel.get(queue, { noAck: true });
    t.match(message, { fields: { exchange: '', routingKey: queue, redelivered: false } });
    t.same(await drain(channel, queue), []);
  },
);

scenario(
  'arguments of a binding mean nothing to a direct, fanout or topic exchange [exchange.direct/arguments-ignored]',
  async (t, broker) => {
    const channel = await broker.channel();
    for (const exchange of ['amq.direct', 'amq.fanout', 'amq.topic']) {
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, exchange, queue, { 'x-match': 'all', absent: 1 });
      await publish(channel, exchange, queue, exchange);
      t.same(await drain(channel, queue), [exchange]);
    }
  },
);
