/** Auto-delete is an argument of exchange.declare; what it does shows when bindings go. */
import { expectChannelError } from '../support/amqp.ts';
import { noExchange } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const AUTO_DELETE = { autoDelete: true };

scenario(
  'an auto-delete exchange goes with its last binding, not before [exchange.auto-delete/last-binding]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('auto-delete');
    await channel.assertExchange(exchange, 'direct', AUTO_DELETE);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, 'a');
    await channel.bindQueue(queue, exchange, 'b');
    await channel.unbindQueue(queue, exchange, 'a');
    await channel.checkExchange(exchange);
    await channel.unbindQueue(queue, exchange, 'b');
    await expectChannelError(t, channel, noExchange(exchange, 'exchange.declare'), () =>
      channel.checkExchange(exchange),
    );
  },
);

scenario(
  'an auto-delete exchange goes when its last bound queue is deleted [exchange.auto-delete/queue-deleted]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('auto-delete');
    await channel.assertExchange(exchange, 'direct', AUTO_DELETE);
    const { queue } = await channel.assertQueue(broker.queueName('bound'));
    await channel.bindQueue(queue, exchange, 'key');
    await channel.deleteQueue(queue);
    await expectChannelError(t, channel, noExchange(exchange, 'exchange.declare'), () =>
      channel.checkExchange(exchange),
    );
  },
);

scenario(
  'an auto-delete exchange that never had a binding stays [exchange.auto-delete/never-bound]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('auto-delete');
    await channel.assertExchange(exchange, 'direct', AUTO_DELETE);
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.unbindQueue(queue, exchange, 'never-bound');
    t.same(await channel.checkExchange(exchange), {});
  },
);

scenario(
  'being the destination of a binding does not count [exchange.auto-delete/as-destination]',
  async (t, broker) => {
    const channel = await broker.channel();
    const source = broker.exchangeName('source');
    const destination = broker.exchangeName('destination');
    await channel.assertExchange(source, 'direct');
    await channel.assertExchange(destination, 'direct', AUTO_DELETE);
    await channel.bindExchange(destination, source, 'key');
    await channel.unbindExchange(destination, source, 'key');
    t.same(await channel.checkExchange(destination), {});
  },
);

scenario(
  'a chain of auto-delete exchanges goes as a whole [exchange.auto-delete/chain]',
  async (t, broker) => {
    const channel = await broker.channel();
    const first = broker.exchangeName('first');
    const second = broker.exchangeName('second');
    await channel.assertExchange(first, 'fanout', AUTO_DELETE);
    await channel.assertExchange(second, 'fanout', AUTO_DELETE);
    await channel.bindExchange(second, first, '');
    const { queue } = await channel.assertQueue(broker.queueName('bound'));
    await channel.bindQueue(queue, second, '');
    await channel.deleteQueue(queue);
    await expectChannelError(t, channel, noExchange(first, 'exchange.declare'), () =>
      channel.checkExchange(first),
    );
  },
);
