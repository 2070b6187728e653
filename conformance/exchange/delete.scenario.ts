import { expectChannelError, publish } from '../support/amqp.ts';
import { noExchange, onDefaultExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'exchange.delete';

scenario('after delete-ok the exchange is gone [exchange.delete/gone]', async (t, broker) => {
  const channel = await broker.channel();
  const exchange = broker.exchangeName('delete');
  await channel.assertExchange(exchange, 'direct');
  t.same(await channel.deleteExchange(exchange), {});
  await expectChannelError(t, channel, noExchange(exchange, 'basic.publish'), () =>
    publish(channel, exchange, 'key', 'lost'),
  );
});

scenario('deleting a missing exchange is no error [exchange.delete/missing]', async (t, broker) => {
  const channel = await broker.channel();
  t.same(await channel.deleteExchange(broker.exchangeName('missing')), {});
});

scenario(
  'the default exchange cannot be deleted [exchange.delete/default-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange(METHOD), () =>
      channel.deleteExchange(''),
    );
  },
);

scenario(
  'an exchange of the standard cannot be deleted [exchange.delete/reserved-prefix]',
  async (t, broker) => {
    const channel = await broker.channel();
    const text =
      "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed";
    await expectChannelError(t, channel, { code: 403, text, method: METHOD }, () =>
      channel.deleteExchange('amq.direct'),
    );
  },
);

scenario(
  'if-unused refuses an exchange with a binding with 406 [exchange.delete/if-unused]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('used');
    await channel.assertExchange(exchange, 'direct');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, 'key');
    const text = `PRECONDITION_FAILED - exchange '${exchange}' in vhost '/' in use`;
    await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
      channel.deleteExchange(exchange, { ifUnused: true }),
    );
  },
);

scenario(
  'if-unused deletes an exchange that is only a destination [exchange.delete/if-unused-destination]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('destination');
    await channel.assertExchange(exchange, 'direct');
    await channel.bindExchange(exchange, 'amq.direct', exchange);
    t.same(await channel.deleteExchange(exchange, { ifUnused: true }), {});
  },
);

scenario(
  'the bindings of a deleted exchange go with it, at either end [exchange.delete/bindings]',
  async (t, broker) => {
    const channel = await broker.channel();
    const source = broker.exchangeName('source');
    const destination = broker.exchangeName('destination');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const declareDestination = () => channel.assertExchange(destination, 'fanout');
    await channel.assertExchange(source, 'fanout');
    await declareDestination();
    await channel.bindExchange(destination, source, '');
    await channel.bindQueue(queue, destination, '');
    await channel.deleteExchange(destination);
    await declareDestination();
    await publish(channel, source, '', 'lost');
    await publish(channel, destination, '', 'lost');
    t.equal(await channel.get(queue), false);
  },
);

scenario(
  'with no-wait nothing is answered and the exchange is gone [exchange.delete/no-wait]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('no-wait');
    await channel.assertExchange(exchange, 'direct');
    const raw = await broker.rawChannel();
    raw.send(1, 'exchange.delete', { exchange, noWait: true });
    raw.send(1, 'exchange.declare', { exchange, passive: true });
    t.same(await raw.expectChannelClose(1), noExchange(exchange, 'exchange.declare'));
  },
);
