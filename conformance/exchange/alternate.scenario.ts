import type { ConfirmChannel } from 'amqplib';
import { drain, expectChannelError, publish, returnsOf } from '../support/amqp.ts';
import type { Broker } from '../support/broker.ts';
import { differs, type ScenarioBody, scenario } from '../support/scenario.ts';
import { LIMITED } from '../support/users.ts';

const METHOD = 'exchange.declare';
const ARGUMENT = 'alternate-exchange';

/** Declares a transient exchange. */
async function declare(
  channel: ConfirmChannel,
  exchange: string,
  type: string,
  alternate?: string,
): Promise<string> {
  const options = alternate === undefined ? {} : { arguments: { [ARGUMENT]: alternate } };
  await channel.assertExchange(exchange, type, { durable: false, ...options });
  return exchange;
}

async function bound(channel: ConfirmChannel, exchange: string, key: string): Promise<string> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, exchange, key);
  return queue;
}

scenario(
  'what an exchange routes nowhere goes to its alternate exchange [exchange.alternate/unrouted]',
  async (t, broker) => {
    const channel = await broker.channel();
    const alternate = await declare(channel, broker.exchangeName('alternate'), 'fanout');
    const first = await declare(channel, broker.exchangeName('first'), 'direct', alternate);
    const routed = await bound(channel, first, 'routed');
    const rest = await bound(channel, alternate, '');
    await publish(channel, first, 'routed', 'one');
    await publish(channel, first, 'nowhere', 'two');
    t.same(await drain(channel, routed), ['one']);
    t.same(await drain(channel, rest), ['two']);
  },
);

scenario(
  'a chain of alternate exchanges is followed, and a circle ends [exchange.alternate/chain]',
  async (t, broker) => {
    const channel = await broker.channel();
    const names = ['a', 'b', 'c'].map((hint) => broker.exchangeName(hint));
    for (const [index, name] of names.entries()) {
      await declare(channel, name, 'direct', names[(index + 1) % names.length]);
    }
    const [first = '', , last = ''] = names;
    const queue = await bound(channel, last, 'key');
    const returns = returnsOf(channel);
    await publish(channel, first, 'key', 'one', { mandatory: true });
    await publish(channel, first, 'nowhere', 'two', { mandatory: true });
    t.same(await drain(channel, queue), ['one']);
    t.equal((await returns.take()).content.toString(), 'two');
    t.equal(returns.count, 0, 'what the chain leads to a queue counts as routed');
  },
);

scenario(
  'an alternate exchange that is missing is ignored, and used once it exists [exchange.alternate/missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const later = broker.exchangeName('later');
    const first = await declare(channel, broker.exchangeName('first'), 'direct', later);
    const returns = returnsOf(channel);
    await publish(channel, first, 'key', 'too early', { mandatory: true });
    t.equal((await returns.take()).content.toString(), 'too early');
    await declare(channel, later, 'fanout');
    const queue = await bound(channel, later, '');
    await publish(channel, first, 'key', 'in time', { mandatory: true });
    t.same(await drain(channel, queue), ['in time']);
    await channel.deleteExchange(later);
    await publish(channel, first, 'key', 'too late', { mandatory: true });
    t.equal((await returns.take()).content.toString(), 'too late');
  },
);

scenario(
  'an internal exchange may be an alternate one [exchange.alternate/internal]',
  async (t, broker) => {
    const channel = await broker.channel();
    const internal = broker.exchangeName('internal');
    await channel.assertExchange(internal, 'fanout', { durable: false, internal: true });
    const first = await declare(channel, broker.exchangeName('first'), 'topic', internal);
    const queue = await bound(channel, internal, '');
    await publish(channel, first, 'key', 'through');
    t.same(await drain(channel, queue), ['through']);
  },
);

scenario(
  'an exchange that is bound to another one uses its own alternate exchange [exchange.alternate/behind-binding]',
  async (t, broker) => {
    const channel = await broker.channel();
    const alternate = await declare(channel, broker.exchangeName('alternate'), 'fanout');
    const second = await declare(channel, broker.exchangeName('second'), 'direct', alternate);
    const first = await declare(channel, broker.exchangeName('first'), 'fanout');
    await channel.bindExchange(second, first, '');
    const queue = await bound(channel, alternate, '');
    await publish(channel, first, 'nowhere', 'through');
    t.same(await drain(channel, queue), ['through']);
  },
);

scenario(
  'the default exchange leads nowhere as an alternate one [exchange.alternate/default-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    const first = await declare(channel, broker.exchangeName('first'), 'direct', '');
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const returns = returnsOf(channel);
    await publish(channel, first, queue, 'nowhere', { mandatory: true });
    t.equal((await returns.take()).fields.routingKey, queue);
  },
);

const refusesOther =
  (current: string | undefined, received: string | undefined, said: string): ScenarioBody =>
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = await declare(channel, broker.exchangeName('x'), 'fanout', current);
    const text = `PRECONDITION_FAILED - inequivalent arg '${ARGUMENT}' for exchange '${exchange}' in vhost '/': received ${said}`;
    await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
      declare(channel, exchange, 'fanout', received),
    );
  };

scenario(
  'declaring with another alternate exchange closes the channel with 406 [exchange.alternate/another-value]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 names the two values of an argument without their types.',
    'Later versions name the types as well, which tells 1 from the text 1.',
    refusesOther('a', 'b', "'b' but current is 'a'"),
  ),
  refusesOther(
    'a',
    'b',
    "the value 'b' of type 'longstr' but current is the value 'a' of type 'longstr'",
  ),
);

scenario(
  'an exchange gets no alternate one by being declared again: 406 [exchange.alternate/added]',
  refusesOther(undefined, 'b', "the value 'b' of type 'longstr' but current is none"),
);

scenario(
  'declaring without the alternate exchange that there is closes the channel with 406 [exchange.alternate/left-out]',
  refusesOther('a', undefined, "none but current is the value 'a' of type 'longstr'"),
);

scenario(
  'an alternate exchange that is no text closes the channel with 406 [exchange.alternate/type]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('x');
    const text = `PRECONDITION_FAILED - invalid type 'bool' for arg '${ARGUMENT}' in exchange '${exchange}' in vhost '/'`;
    await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
      channel.assertExchange(exchange, 'fanout', { arguments: { [ARGUMENT]: true } }),
    );
  },
);

function refused(broker: Broker, allowed: string, alternateAllowed: string) {
  const exchange = broker.exchangeName(`perm.${allowed}-`);
  const alternate = broker.exchangeName(`perm.${alternateAllowed}-`);
  return { exchange, alternate };
}

const REFUSALS = [
  ['read', 'read', 'cw', 'cwr', (exchange: string, _alternate: string) => exchange],
  ['write', 'write', 'cr', 'cr', (_exchange: string, alternate: string) => alternate],
] as const;

for (const [rule, missing, allowed, alternateAllowed, blamed] of REFUSALS) {
  const body =
    (access: string): ScenarioBody =>
    async (t, broker) => {
      const { exchange, alternate } = refused(broker, allowed, alternateAllowed);
      const { name, password } = LIMITED;
      const channel = await broker.channel({ username: name, password });
      const text = `ACCESS_REFUSED - ${access} to exchange '${blamed(exchange, alternate)}' in vhost '/' refused for user '${name}'`;
      await expectChannelError(t, channel, { code: 403, text, method: METHOD }, () =>
        declare(channel, exchange, 'fanout', alternate),
      );
    };
  const difference = differs(
    'rabbitmq',
    'RabbitMQ 3.10 does not name the permission that is missing.',
    'Later versions do, and it says what to grant.',
    body('access'),
  );
  scenario(
    `a new exchange with an alternate one needs ${missing} on ${rule === 'read' ? 'itself' : 'that'} [exchange.alternate/permission-${rule}]`,
    { ...difference, needsUsers: true },
    body(`${missing} access`),
  );
}
