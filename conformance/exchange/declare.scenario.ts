import { toFieldTable } from '../../generated/index.ts';
import { expectChannelError, publish } from '../support/amqp.ts';
import type { Broker } from '../support/broker.ts';
import type { RawClient } from '../support/raw-client.ts';
import { noExchange, onDefaultExchange } from '../support/replies.ts';
import { differs, scenario } from '../support/scenario.ts';

const METHOD = 'exchange.declare';

for (const type of ['direct', 'fanout', 'topic', 'headers']) {
  scenario(
    `a ${type} exchange can be declared, and again with the same arguments [exchange.declare/type-${type}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const exchange = broker.exchangeName(type);
      const options = { durable: false };
      t.same(await channel.assertExchange(exchange, type, options), { exchange });
      t.same(await channel.assertExchange(exchange, type, options), { exchange });
    },
  );
}

const PREDECLARED = [
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
] as const;

scenario(
  'the exchanges of the standard exist, durable, and may be redeclared [exchange.declare/predeclared]',
  async (t, broker) => {
    const channel = await broker.channel();
    for (const [exchange, type] of PREDECLARED) {
      t.same(await channel.assertExchange(exchange, type, { durable: true }), { exchange });
    }
  },
);

scenario(
  'passive declare ignores type and flags of an existing exchange [exchange.declare/passive]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('passive');
    await channel.assertExchange(exchange, 'topic', { durable: false });
    const raw = await broker.rawChannel();
    const otherwise = { exchange, type: 'fanout', durable: true, autoDelete: true };
    raw.send(1, 'exchange.declare', { ...otherwise, passive: true });
    t.same(await raw.expect(1, 'exchange.declare-ok'), {});
  },
);

scenario(
  'passive declare of a missing exchange closes the channel with 404 [exchange.declare/passive-missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('missing');
    await expectChannelError(t, channel, noExchange(exchange, METHOD), () =>
      channel.checkExchange(exchange),
    );
  },
);

scenario(
  'the default exchange cannot be declared [exchange.declare/default-exchange]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange(METHOD), () =>
      channel.assertExchange('', 'direct'),
    );
  },
);

scenario(
  'the default exchange cannot be declared passively either [exchange.declare/default-exchange-passive]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, onDefaultExchange(METHOD), () =>
      channel.checkExchange(''),
    );
  },
);

scenario(
  'a new name with the prefix amq. closes the channel with 403 [exchange.declare/reserved-prefix]',
  async (t, broker) => {
    const channel = await broker.channel();
    const text = "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'";
    await expectChannelError(t, channel, { code: 403, text, method: METHOD }, () =>
      channel.assertExchange('amq.mine', 'direct'),
    );
  },
);

scenario(
  'an unknown type closes the channel with 406 [exchange.declare/unknown-type]',
  differs(
    'rabbitmq',
    'RabbitMQ up to 3.12 closes the connection with 503.',
    'Since 3.13 it closes the channel with 406, the smaller harm, in the same words.',
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, 'exchange.declare', {
        exchange: broker.exchangeName('unknown'),
        type: 'x-nothing',
      });
      const text = "COMMAND_INVALID - unknown exchange type 'x-nothing'";
      t.same(await raw.expectConnectionClose(), { code: 503, text, method: METHOD });
    },
  ),
  async (t, broker) => {
    const channel = await broker.channel();
    const text = "PRECONDITION_FAILED - unknown exchange type 'x-nothing'";
    await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
      channel.assertExchange(broker.exchangeName('unknown'), 'x-nothing'),
    );
  },
);

for (const [what, name, rule] of [
  ['that of the default exchange', '', 'default'],
  ['a reserved one', 'amq.mine', 'reserved'],
  ['that of another exchange', 'amq.topic', 'existing'],
] as const) {
  const ask = async (broker: Broker): Promise<RawClient> => {
    const raw = await broker.rawChannel();
    raw.send(1, 'exchange.declare', { exchange: name, type: 'x-nothing' });
    return raw;
  };
  scenario(
    `an unknown type is refused before the name, ${what}, is looked at [exchange.declare/unknown-type-${rule}]`,
    differs(
      'rabbitmq',
      'RabbitMQ up to 3.12 closes the connection with 503.',
      'Since 3.13 it closes the channel with 406, the smaller harm, in the same words.',
      async (t, broker) => {
        const text = "COMMAND_INVALID - unknown exchange type 'x-nothing'";
        const close = await (await ask(broker)).expectConnectionClose();
        t.same(close, { code: 503, text, method: METHOD });
      },
    ),
    async (t, broker) => {
      const text = "PRECONDITION_FAILED - unknown exchange type 'x-nothing'";
      const close = await (await ask(broker)).expectChannelClose(1);
      t.same(close, { code: 406, text, method: METHOD });
    },
  );
}

scenario(
  'a reserved name is refused before its arguments are looked at [exchange.declare/reserved-first]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const args = toFieldTable({ 'alternate-exchange': 5 });
    raw.send(1, 'exchange.declare', { exchange: 'amq.mine', type: 'direct', arguments: args });
    const text = "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'";
    t.same(await raw.expectChannelClose(1), { code: 403, text, method: METHOD });
  },
);

scenario(
  'of several differences the first is told: type, durable, auto_delete, internal, arguments [exchange.declare/inequivalent-order]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const exchange = broker.exchangeName('several');
    raw.send(1, 'exchange.declare', { exchange, type: 'direct', durable: true });
    await raw.expect(1, 'exchange.declare-ok');
    const args = toFieldTable({ 'alternate-exchange': 5 });
    let otherwise = { type: 'fanout', durable: false, autoDelete: true, internal: true };
    for (const [told, mended] of [
      ['type', { type: 'direct' }],
      ['durable', { durable: true }],
      ['auto_delete', { autoDelete: false }],
      ['internal', { internal: false }],
      ['alternate-exchange', {}],
    ] as const) {
      raw.send(1, 'exchange.declare', { exchange, ...otherwise, arguments: args });
      const { text } = await raw.expectChannelClose(1);
      t.match(text, `PRECONDITION_FAILED - inequivalent arg '${told}' for exchange`);
      await raw.openChannel(1);
      otherwise = { ...otherwise, ...mended };
    }
  },
);

const INEQUIVALENT = [
  ['type', 'fanout', {}, "'fanout'", "'direct'"],
  ['durable', 'direct', { durable: false }, "'false'", "'true'"],
  ['auto_delete', 'direct', { autoDelete: true }, "'true'", "'false'"],
  ['internal', 'direct', { internal: true }, "'true'", "'false'"],
] as const;

for (const [argument, type, options, received, current] of INEQUIVALENT) {
  scenario(
    `declaring with another ${argument} closes the channel with 406 [exchange.declare/inequivalent-${argument.replace('_', '-')}]`,
    async (t, broker) => {
      const channel = await broker.channel();
      const exchange = broker.exchangeName('inequivalent');
      await channel.assertExchange(exchange, 'direct', { durable: true });
      const text = `PRECONDITION_FAILED - inequivalent arg '${argument}' for exchange '${exchange}' in vhost '/': received ${received} but current is ${current}`;
      await expectChannelError(t, channel, { code: 406, text, method: METHOD }, () =>
        channel.assertExchange(exchange, type, { durable: true, ...options }),
      );
    },
  );
}

scenario(
  'unknown arguments are accepted and not compared [exchange.declare/unknown-argument]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('arguments');
    await channel.assertExchange(exchange, 'direct', { arguments: { 'x-nobody-knows': 1 } });
    t.same(await channel.assertExchange(exchange, 'direct'), { exchange });
  },
);

scenario(
  'an internal exchange refuses publishes of clients with 403 [exchange.declare/internal]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('internal');
    await channel.assertExchange(exchange, 'fanout', { internal: true });
    const text = `ACCESS_REFUSED - cannot publish to internal exchange '${exchange}' in vhost '/'`;
    await expectChannelError(t, channel, { code: 403, text, method: 'basic.publish' }, () =>
      publish(channel, exchange, 'key', 'refused'),
    );
  },
);

scenario(
  'with no-wait nothing is answered and the exchange exists [exchange.declare/no-wait]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const exchange = broker.exchangeName('no-wait');
    raw.send(1, 'exchange.declare', { exchange, type: 'direct', noWait: true });
    raw.send(1, 'exchange.declare', { exchange, passive: true });
    await raw.expect(1, 'exchange.declare-ok');
    t.same(raw.untaken, []);
  },
);

scenario('names may be any Unicode text [exchange.declare/unicode-name]', async (t, broker) => {
  const channel = await broker.channel();
  const exchange = broker.exchangeName('výměna-обмен-交换-🐇');
  t.same(await channel.assertExchange(exchange, 'direct'), { exchange });
  await expectChannelError(t, channel, noExchange(`${exchange}?`, METHOD), () =>
    channel.checkExchange(`${exchange}?`),
  );
});
