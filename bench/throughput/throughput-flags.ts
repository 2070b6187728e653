/** The flags of `firnmqperf throughput`, those of lavinmqperf, and what they come to. */
import { type Command, InvalidArgumentError } from 'commander';
import type { BasicProperties, FieldTable } from '../../generated/index.ts';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { parseArguments, parseProperties } from '../parse-json.ts';
import { parseAmount, parseCount, parsePositiveCount } from '../parse-numbers.ts';
import { FULL_STAMP_BYTES, LANE_COUNT_MAX, TIME_STAMP_BYTES } from './body-stamp.ts';
import { expandQueuePattern } from './queue-names.ts';
import { THROUGHPUT_DEFAULTS, type ThroughputOptions } from './throughput-options.ts';

/** Where brokers listen by default. */
export const DEFAULT_URI = 'amqp://127.0.0.1:5672';

/** As commander hands the flags over: absent counts and flags are undefined. */
export interface ThroughputFlags {
  readonly uri: string;
  readonly publishers: number;
  readonly consumers: number;
  readonly size: readonly number[];
  readonly verify?: true;
  readonly measureLatency?: true;
  readonly ack: number;
  readonly confirm: number;
  readonly transaction: number;
  readonly ackTransaction: number;
  readonly queue: string;
  readonly queuePattern?: string;
  readonly queuePatternFrom: number;
  readonly queuePatternTo: number;
  readonly routingKey?: string;
  readonly exchange: string;
  readonly rate: number;
  readonly consumerRate: number;
  readonly persistent?: true;
  readonly prefetch: number;
  readonly poll?: true;
  readonly json?: true;
  readonly time: number;
  readonly warmUp: number;
  readonly quiet?: true;
  readonly pmessages: number;
  readonly cmessages: number;
  readonly queueArgs: FieldTable;
  readonly consumerArgs: FieldTable;
  readonly properties: BasicProperties;
  readonly randomBodies?: true;
}

/** Adds the flags to a command. */
export function addThroughputFlags(command: Command): Command {
  const defaults = THROUGHPUT_DEFAULTS;
  return command
    .option('--uri <uri>', 'broker to load, amqp:// or amqps://', DEFAULT_URI)
    .option('-x, --publishers <count>', 'producers, a connection each', parseCount, 1)
    .option('-y, --consumers <count>', 'consumers, a connection each', parseCount, 1)
    .option(
      '-s, --size <bytes,...>',
      'size of a message body; of several each message takes the next',
      parseSizes,
      defaults.bodySizesBytes,
    )
    .option('-V, --verify', 'verify that each message comes once, in order and whole')
    .option('-a, --ack <count>', 'ack every so many with one ack (0: auto-ack)', parseCount, 0)
    .option('-c, --confirm <count>', 'confirms, at most so many outstanding', parseCount, 0)
    .option('-t, --transaction <count>', 'commit after publishing so many', parseCount, 0)
    .option('-T, --ack-transaction <count>', 'commit the acks of so many', parseCount, 0)
    .option('-u, --queue <name>', "queue; '': one for each consumer", defaults.queues[0])
    .option('--queue-pattern <pattern>', 'several queues, % being the number of each')
    .option('--queue-pattern-from <number>', 'the first number', parsePositiveCount, 1)
    .option('--queue-pattern-to <number>', 'the last number', parsePositiveCount, 1)
    .option('-k, --routing-key <key>', 'routing key (default: the name of the queue)')
    .option('-e, --exchange <name>', 'exchange to publish to', defaults.exchange)
    .option('-r, --rate <rate>', 'messages a second and producer (0: no limit)', parseAmount, 0)
    .option(
      '-R, --consumer-rate <rate>',
      'messages a second and consumer (0: no limit)',
      parseAmount,
      0,
    )
    .option('-p, --persistent', 'publish persistent messages')
    .option('-P, --prefetch <count>', 'prefetch (0: no limit)', parsePrefetch, 0)
    .option('-g, --poll', 'poll with basic.get instead of consuming')
    .option('-l, --measure-latency', 'measure from publish to consumer (with -r: always)')
    .option('-j, --json', 'print the summary as JSON')
    .option('-z, --time <seconds>', 'length of the run (0: no limit)', parseAmount, 0)
    .option('--warm-up <seconds>', 'latencies of the first seconds do not count', parseAmount, 0)
    .option('-q, --quiet', 'only the summary, no line every second')
    .option('-C, --pmessages <count>', 'publish so many in all (0: no limit)', parseCount, 0)
    .option('-D, --cmessages <count>', 'consume so many in all (0: no limit)', parseCount, 0)
    .option('--queue-args <json>', 'arguments of the queues', parseArguments, new Map())
    .option('--consumer-args <json>', 'arguments of the consumers', parseArguments, new Map())
    .option('--properties <json>', 'properties of the messages', parseProperties, {})
    .option('--random-bodies', 'bodies that do not compress');
}

/**
 * What the flags come to.
 *
 * @throws Error when they ask for nothing, or for what cannot go together.
 */
export function toThroughputOptions(flags: ThroughputFlags): ThroughputOptions {
  const queues =
    flags.queuePattern === undefined
      ? [flags.queue]
      : expandQueuePattern(flags.queuePattern, flags.queuePatternFrom, flags.queuePatternTo);
  refuseContradictions(flags, queues.length);
  const canStamp = Math.min(...flags.size) >= TIME_STAMP_BYTES;
  const asksForLatency = flags.measureLatency === true || (flags.rate > 0 && canStamp);
  return {
    uri: parseAmqpUri(flags.uri),
    producers: flags.publishers,
    consumers: flags.consumers,
    bodySizesBytes: flags.size,
    randomBodies: flags.randomBodies === true,
    verify: flags.verify === true,
    measureLatency: asksForLatency,
    queues,
    queueArguments: flags.queueArgs,
    exchange: flags.exchange,
    routingKey: flags.routingKey ?? null,
    persistent: flags.persistent === true,
    properties: flags.properties,
    confirmWindow: flags.confirm,
    publishTransaction: flags.transaction,
    ackEvery: flags.ack,
    ackTransaction: flags.ackTransaction,
    prefetchCount: flags.prefetch,
    poll: flags.poll === true,
    consumerArguments: flags.consumerArgs,
    publishRate: flags.rate,
    consumeRate: flags.consumerRate,
    publishCountMax: flags.pmessages,
    consumeCountMax: flags.cmessages,
    durationMs: flags.time * 1000,
    warmUpMs: flags.warmUp * 1000,
  };
}

function refuseContradictions(flags: ThroughputFlags, queueCount: number): void {
  const { ack, ackTransaction, prefetch, size } = flags;
  const refuse = (isWrong: boolean, reason: string): void => {
    if (isWrong) throw new Error(reason);
  };
  refuse(
    flags.publishers + flags.consumers === 0,
    'nothing to do: neither publishers (-x) nor consumers (-y)',
  );
  refuse(
    prefetch > 0 && ack > prefetch,
    `with a prefetch of ${prefetch} the ack after ${ack} never comes`,
  );
  refuse(
    prefetch > 0 && ackTransaction > prefetch,
    `with a prefetch of ${prefetch} the commit after ${ackTransaction} never comes`,
  );
  refuse(ackTransaction > 0 && ack === 0, 'nothing to commit: -T needs acks (-a)');
  refuse(
    flags.transaction > 0 && flags.confirm > 0,
    'a channel has either confirms (-c) or transactions (-t)',
  );
  refuse(
    flags.queuePattern === undefined && flags.queuePatternTo > 1,
    '--queue-pattern-to is for --queue-pattern',
  );
  refuse(
    flags.verify === true && Math.min(...size) < FULL_STAMP_BYTES,
    `-V needs bodies of at least ${FULL_STAMP_BYTES} octets`,
  );
  refuse(
    flags.measureLatency === true && Math.min(...size) < TIME_STAMP_BYTES,
    `-l needs bodies of at least ${TIME_STAMP_BYTES} octets`,
  );
  refuse(
    flags.verify === true && flags.publishers * queueCount > LANE_COUNT_MAX,
    `-V is for at most ${LANE_COUNT_MAX} producers times queues`,
  );
}

/** Sizes of bodies, separated by commas. */
function parseSizes(text: string): number[] {
  return text.split(',').map((size) => parseCount(size.trim()));
}

function parsePrefetch(text: string): number {
  const count = parseCount(text);
  if (count > 0xffff) throw new InvalidArgumentError('It is at most 65535.');
  return count;
}
