/** Which names queues and exchanges may have. */
import { drain, expectChannelError, publish } from '../support/amqp.ts';
import { differs, scenario } from '../support/scenario.ts';

const REASON = 'A name that silently becomes another one is found by nobody who asks for it.';

scenario(
  'a newline in the name of a queue closes the channel with 406 [queue.declare/newline]',
  differs('rabbitmq', 'RabbitMQ takes newlines out of the name.', REASON, async (t, broker) => {
    const channel = await broker.channel();
    const name = broker.queueName('new-line');
    t.equal((await channel.assertQueue(name.replace('-', '\r\n-'))).queue, name);
  }),
  async (t, broker) => {
    const channel = await broker.channel();
    const text = 'PRECONDITION_FAILED - queue name must not contain newlines';
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.declare' }, () =>
      channel.assertQueue(`${broker.queueName('new')}\nline`),
    );
  },
);

scenario(
  'a newline in the name of an exchange closes the channel with 406 [exchange.declare/newline]',
  differs('rabbitmq', 'RabbitMQ takes newlines out of the name.', REASON, async (t, broker) => {
    const channel = await broker.channel();
    const name = broker.exchangeName('new-line');
    await channel.assertExchange(name.replace('-', '\n-'), 'fanout', { durable: false });
    t.same(await channel.checkExchange(name), {});
  }),
  async (t, broker) => {
    const channel = await broker.channel();
    const text = 'PRECONDITION_FAILED - exchange name must not contain newlines';
    await expectChannelError(t, channel, { code: 406, text, method: 'exchange.declare' }, () =>
      channel.assertExchange(`${broker.exchangeName('new')}\rline`, 'fanout'),
    );
  },
);

scenario(
  'names and keys may take all 255 octets of a short string [queue.declare/longest-name]',
  async (t, broker) => {
    const channel = await broker.channel();
    const pad = (name: string) => name.padEnd(255, 'x');
    // The longest names are deleted under their own names.
    const queue = pad(broker.queueName('longest'));
    const exchange = pad(broker.exchangeName('longest'));
    t.equal((await channel.assertQueue(queue, { exclusive: true })).queue, queue);
    await channel.assertExchange(exchange, 'direct', { durable: false, autoDelete: true });
    const key = pad('key');
    await channel.bindQueue(queue, exchange, key);
    await publish(channel, exchange, key, 'one');
    t.same(await drain(channel, queue), ['one']);
    t.same(await channel.deleteQueue(queue), { messageCount: 0 });
  },
);
