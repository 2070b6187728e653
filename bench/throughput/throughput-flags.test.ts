import { Command } from 'commander';
import t from 'tap';
import { toPlainTable } from '../../generated/index.ts';
import {
  addThroughputFlags,
  type ThroughputFlags,
  toThroughputOptions,
} from './throughput-flags.ts';
import type { ThroughputOptions } from './throughput-options.ts';

/** What a command line comes to. */
function parse(...args: string[]): ThroughputOptions {
  const command = addThroughputFlags(new Command('throughput'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(args, { from: 'user' });
  return toThroughputOptions(command.opts<ThroughputFlags>());
}

t.test('the flags of lavinmqperf mean what they mean there', async (t) => {
  const options = parse(
    ...['-x', '2', '-y', '3', '-s', '16,1024', '-V', '-a', '10', '-c', '100', '-P', '50', '-p'],
    ...['-u', 'q', '-k', 'key', '-e', 'ex', '-r', '1000', '-R', '0.5', '-g', '-z', '1.5'],
    ...['-C', '7', '-D', '8', '-T', '20', '--random-bodies', '--uri', 'amqp://h:1/v'],
  );
  t.match(options, {
    uri: { host: 'h', port: 1, vhost: 'v' },
    producers: 2,
    consumers: 3,
    bodySizesBytes: [16, 1024],
    randomBodies: true,
    verify: true,
    measureLatency: true,
    queues: ['q'],
    exchange: 'ex',
    routingKey: 'key',
    persistent: true,
    confirmWindow: 100,
    publishTransaction: 0,
    ackEvery: 10,
    ackTransaction: 20,
    prefetchCount: 50,
    poll: true,
    publishRate: 1000,
    consumeRate: 0.5,
    publishCountMax: 7,
    consumeCountMax: 8,
    durationMs: 1500,
    warmUpMs: 0,
  });
  t.equal(parse('--warm-up', '0.5').warmUpMs, 500);
  t.equal(parse('-t', '5').publishTransaction, 5);
  t.equal(parse().routingKey, null);
});

t.test(
  'latency is measured where a rate is set and the bodies can say when they left',
  async (t) => {
    t.notOk(parse().measureLatency);
    t.ok(parse('-l').measureLatency);
    t.ok(parse('-r', '10').measureLatency);
    t.notOk(parse('-r', '10', '-s', '7').measureLatency);
  },
);

t.test('a pattern names several queues', async (t) => {
  const flags = [
    '--queue-pattern',
    'a-%-b',
    '--queue-pattern-from',
    '9',
    '--queue-pattern-to',
    '11',
  ];
  t.same(parse(...flags).queues, ['a-9-b', 'a-10-b', 'a-11-b']);
  t.same(parse('--queue-pattern', 'a%').queues, ['a1']);
  t.same(parse('-u', '').queues, ['']);
});

t.test('arguments and properties are JSON', async (t) => {
  const { queueArguments, consumerArguments, properties } = parse(
    ...['--queue-args', '{"x-max-length":10}', '--consumer-args', '{"x-priority":-1}'],
    ...['--properties', '{"content_type":"a/b","priority":5,"headers":{"h":[1,null]}}'],
  );
  t.same(toPlainTable(queueArguments), { 'x-max-length': 10 });
  t.same(toPlainTable(consumerArguments), { 'x-priority': -1 });
  const { headers, ...rest } = properties;
  t.same(rest, { contentType: 'a/b', priority: 5 });
  t.same(headers && toPlainTable(headers), { h: [1, null] });
});

/** Command lines, and what each is refused with. */
const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['-x', '0', '-y', '0'], /nothing to do/],
  [['-x', 'two'], /not a whole number/],
  [['-s', '16,x'], /not a whole number/],
  [['-P', '10', '-a', '11'], /the ack after 11 never comes/],
  [['-P', '10', '-a', '5', '-T', '11'], /the commit after 11 never comes/],
  [['-P', '70000'], /at most 65535/],
  [['-T', '5'], /-T needs acks/],
  [['-t', '5', '-c', '5'], /either confirms \(-c\) or transactions \(-t\)/],
  [['-V', '-s', '16,15'], /-V needs bodies of at least 16 octets/],
  [['-l', '-s', '7'], /-l needs bodies of at least 8 octets/],
  [['-V', '-x', '1000', '--queue-pattern', 'q%', '--queue-pattern-to', '5000'], /at most 4194304/],
  [['--queue-pattern', 'q'], /needs a % where the number goes/],
  [['--queue-pattern', 'q%', '--queue-pattern-from', '2'], /from 2 is above/],
  [['--queue-pattern', 'q%', '--queue-pattern-to', '100001'], /at most 100000 queues/],
  [['--queue-pattern-to', '3'], /is for --queue-pattern/],
  [['--queue-args', '[1]'], /not a JSON object/],
  [['--consumer-args', '{'], /not JSON/],
  [['--properties', '{"contentType":"a"}'], /no property contentType, but content_type/],
  [['--properties', '{"priority":256}'], /priority is a number from 0 to 255/],
  [['--properties', '{"expiration":5}'], /expiration is text/],
  [['--properties', '{"headers":[]}'], /headers is an object/],
  [['--properties', '{"timestamp":-1}'], /timestamp is in seconds/],
  [['--uri', 'http://h'], /only amqp/],
  [['-z', '-1'], /not a number|argument missing/],
];

t.test('what cannot be, or cannot go together, is refused with a reason', async (t) => {
  for (const [args, reason] of REFUSED)
    t.throws(() => parse(...args), { message: reason }, args.join(' '));
});
