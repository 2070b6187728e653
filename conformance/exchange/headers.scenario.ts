import type { Test } from 'tap';
import { drain, expectChannelError } from '../support/amqp.ts';
import type { Broker } from '../support/broker.ts';
import { BoundQueues } from '../support/routing.ts';
import { differs, scenario } from '../support/scenario.ts';

/** One queue per label, bound with these arguments; the routing keys of headers exchanges are ignored. */
async function bindHeaders(
  broker: Broker,
  bindings: Readonly<Record<string, Record<string, unknown>>>,
): Promise<BoundQueues> {
  const entries = Object.entries(bindings).map(
    ([label, args]) => [label, { key: label, arguments: args }] as const,
  );
  const exchange = broker.exchangeName('headers');
  const channel = await broker.channel();
  return BoundQueues.bind(channel, exchange, 'headers', Object.fromEntries(entries));
}

scenario(
  'all wants every pair, any wants one, and all is the default [exchange.headers/all-any]',
  async (t, broker) => {
    const pairs = { a: 'one', b: 'two' };
    const bound = await bindHeaders(broker, {
      all: { ...pairs, 'x-match': 'all' },
      any: { ...pairs, 'x-match': 'any' },
      default: pairs,
    });
    t.same(await bound.reachedBy('', { headers: pairs }), ['all', 'any', 'default']);
    t.same(await bound.reachedBy('', { headers: { ...pairs, c: 3 } }), ['all', 'any', 'default']);
    t.same(await bound.reachedBy('', { headers: { a: 'one' } }), ['any']);
    t.same(await bound.reachedBy('', { headers: { a: 'one', b: 'other' } }), ['any']);
    t.same(await bound.reachedBy('', { headers: { a: 'other', c: 'two' } }), []);
    t.same(await bound.reachedBy(''), [], 'a message without headers');
  },
);

scenario(
  'keys that start with x- count only with all-with-x and any-with-x [exchange.headers/with-x]',
  async (t, broker) => {
    const pairs = { a: 1, 'x-b': 2 };
    const bound = await bindHeaders(broker, {
      all: { ...pairs, 'x-match': 'all' },
      any: { ...pairs, 'x-match': 'any' },
      'all-with-x': { ...pairs, 'x-match': 'all-with-x' },
      'any-with-x': { ...pairs, 'x-match': 'any-with-x' },
    });
    t.same(await bound.reachedBy('', { headers: { a: 1 } }), ['all', 'any', 'any-with-x']);
    t.same(await bound.reachedBy('', { headers: { 'x-b': 2 } }), ['any-with-x']);
    t.same(await bound.reachedBy('', { headers: pairs }), [
      'all',
      'any',
      'all-with-x',
      'any-with-x',
    ]);
  },
);

scenario(
  'a void value in the binding wants the header present, whatever its value [exchange.headers/void]',
  async (t, broker) => {
    const bound = await bindHeaders(broker, {
      all: { a: null, b: 1, 'x-match': 'all' },
      any: { a: null, b: 1, 'x-match': 'any' },
    });
    t.same(await bound.reachedBy('', { headers: { a: 'something', b: 1 } }), ['all', 'any']);
    t.same(await bound.reachedBy('', { headers: { a: false } }), ['any']);
    t.same(await bound.reachedBy('', { headers: { b: 1 } }), ['any']);
  },
);

scenario(
  'values of different kinds never match each other [exchange.headers/kinds]',
  async (t, broker) => {
    const bound = await bindHeaders(broker, {
      integer: { a: 5 },
      string: { a: '5' },
      boolean: { a: true },
      one: { a: 1 },
    });
    t.same(await bound.reachedBy('', { headers: { a: 5 } }), ['integer']);
    t.same(await bound.reachedBy('', { headers: { a: '5' } }), ['string']);
    t.same(await bound.reachedBy('', { headers: { a: true } }), ['boolean']);
    t.same(await bound.reachedBy('', { headers: { a: 1 } }), ['one']);
  },
);

const INTEGER_TYPES = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64'];

const DOUBLE_5 = { '!': 'double', value: 5 };

scenario(
  'an integer and a fraction never match each other [exchange.headers/integer-double]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 matches 5 with 5.0.',
    'Since 3.13 it compares exactly.',
    async (t, broker) => {
      const bound = await bindHeaders(broker, { integer: { a: 5 }, double: { a: DOUBLE_5 } });
      t.same(await bound.reachedBy('', { headers: { a: 5 } }), ['integer', 'double']);
    },
  ),
  async (t, broker) => {
    const bound = await bindHeaders(broker, { integer: { a: 5 }, double: { a: DOUBLE_5 } });
    t.same(await bound.reachedBy('', { headers: { a: 5 } }), ['integer']);
    t.same(await bound.reachedBy('', { headers: { a: DOUBLE_5 } }), ['double']);
  },
);

scenario(
  'integers match by value, whatever their width on the wire [exchange.headers/integer-width]',
  async (t, broker) => {
    const typed = INTEGER_TYPES.map((type) => [type, { a: { '!': type, value: 5 } }] as const);
    const bound = await bindHeaders(broker, Object.fromEntries(typed));
    for (const [type, headers] of typed) {
      t.same(await bound.reachedBy('', { headers }), INTEGER_TYPES, `a header of type ${type}`);
    }
  },
);

scenario(
  'tables, arrays and timestamps match when they are equal [exchange.headers/compound]',
  async (t, broker) => {
    const table = { x: 'y', n: [1, 'two'] };
    const time = { '!': 'timestamp', value: 1_700_000_000 };
    const bound = await bindHeaders(broker, {
      table: { a: table },
      array: { a: [1, 2, 3] },
      time: { a: time },
    });
    t.same(await bound.reachedBy('', { headers: { a: table } }), ['table']);
    t.same(await bound.reachedBy('', { headers: { a: { ...table, n: [1] } } }), []);
    t.same(await bound.reachedBy('', { headers: { a: [1, 2, 3] } }), ['array']);
    t.same(await bound.reachedBy('', { headers: { a: [1, 2] } }), []);
    t.same(await bound.reachedBy('', { headers: { a: time } }), ['time']);
  },
);

scenario(
  'without criteria all matches every message and any matches none [exchange.headers/no-criteria]',
  async (t, broker) => {
    const bound = await bindHeaders(broker, {
      all: { 'x-match': 'all' },
      any: { 'x-match': 'any' },
      none: {},
    });
    t.same(await bound.reachedBy('', { headers: { a: 1 } }), ['all', 'none']);
    t.same(await bound.reachedBy('routing-key'), ['all', 'none']);
  },
);

scenario(
  'an unknown x-match closes the channel with 406 [exchange.headers/bad-x-match]',
  (t, broker) =>
    bindWithBadMatch(
      t,
      broker,
      'most',
      'field value <<"most">>; expected all, any, all-with-x, or any-with-x',
    ),
);

scenario(
  'an x-match that is no string closes the channel with 406 [exchange.headers/bad-x-match-type]',
  (t, broker) =>
    bindWithBadMatch(
      t,
      broker,
      { '!': 'int32', value: 1 },
      'field type signedint (value 1); expected longstr',
    ),
);

async function bindWithBadMatch(
  t: Test,
  broker: Broker,
  match: unknown,
  explanation: string,
): Promise<void> {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const text = `PRECONDITION_FAILED - Invalid x-match ${explanation}`;
  await expectChannelError(t, channel, { code: 406, text, method: 'queue.bind' }, () =>
    channel.bindQueue(queue, 'amq.headers', '', { 'x-match': match }),
  );
}

/** A headers table with two fields of one name: strings `first` and `second`. */
const TWICE = Buffer.concat([
  Buffer.from([0x20, 0, 0, 0, 0, 14 + 15]),
  ...['first', 'second'].map((value) =>
    Buffer.concat([
      Buffer.from([3]),
      Buffer.from('keyS'),
      Buffer.from([0, 0, 0, value.length]),
      Buffer.from(value),
    ]),
  ),
]);

scenario(
  'of two headers of one name the first one counts [exchange.headers/first-of-two]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const second = await channel.assertQueue(broker.queueName('second'));
    const first = await channel.assertQueue(broker.queueName('first'));
    await channel.bindQueue(first.queue, 'amq.headers', queue, { key: 'first' });
    await channel.bindQueue(second.queue, 'amq.headers', queue, { key: 'second' });
    const raw = await broker.rawChannel();
    raw.publish(1, { exchange: 'amq.headers' }, Buffer.from('body'), TWICE);
    await raw.closeChannel(1);
    t.same(await drain(channel, first.queue), ['body']);
    t.same(await drain(channel, second.queue), []);
  },
);
