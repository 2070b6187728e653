import { drain, expectChannelError, publish } from '../support/amqp.ts';
import { onDefaultExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'after unbind-ok the source no longer routes to the exchange [exchange.unbind/routes-no-more]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('destination');
    await channel.assertExchange(exchange, 'fanout');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, '');
    await channel.bindExchange(exchange, 'amq.direct', exchange);
    await publish(channel, 'amq.direct', exchange, 'first');
    t.same(await channel.unbindExchange(exchange, 'amq.direct', exchange), {});
    await publish(channel, 'amq.direct', exchange, 'second');
    t.same(await drain(channel, queue), ['first']);
  },
);

scenario(
  'a missing binding or exchange is answered with unbind-ok [exchange.unbind/missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    await channel.unbindExchange('amq.fanout', 'amq.direct', 'never-bound');
    await channel.unbindExchange(broker.exchangeName('missing'), 'amq.direct', 'key');
    await channel.unbindExchange('amq.fanout', broker.exchangeName('missing'), 'key');
    t.same(await channel.checkExchange('amq.fanout'), {}, 'the channel is still open');
  },
);

scenario(
  'the default exchange cannot be unbound [exchange.unbind/default-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange('exchange.unbind'), () =>
      channel.unbindExchange('amq.fanout', '', 'key'),
    );
  },
);

scenario(
  'nothing can be unbound from the default exchange as a destination [exchange.unbind/default-destination]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange('exchange.unbind'), () =>
      channel.unbindExchange('', 'amq.fanout', 'key'),
    );
  },
);
