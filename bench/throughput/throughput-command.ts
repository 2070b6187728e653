/** `firnmqperf throughput`: the flags of lavinmqperf, as far as this generator goes. */
import type { Command } from 'commander';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { parseAmount, parseCount } from '../parse-numbers.ts';
import { formatResult } from './format-result.ts';
import { runThroughput } from './throughput.ts';
import { THROUGHPUT_DEFAULTS, type ThroughputOptions } from './throughput-options.ts';

const DEFAULT_URI = 'amqp://127.0.0.1:5672';

/** As commander hands the flags over: absent counts and flags are undefined. */
interface ThroughputFlags {
  readonly uri: string;
  readonly publishers: number;
  readonly consumers: number;
  readonly size: number;
  readonly queue: string;
  readonly routingKey?: string;
  readonly exchange: string;
  readonly persistent?: true;
  readonly confirm: number;
  readonly ack: number;
  readonly prefetch: number;
  readonly rate: number;
  readonly time: number;
  readonly pmessages: number;
  readonly cmessages: number;
  readonly json?: true;
  readonly quiet?: true;
}

/** Adds the command to `program`. */
export function addThroughputCommand(program: Command): void {
  const defaults = THROUGHPUT_DEFAULTS;
  program
    .command('throughput')
    .description('publish and consume as fast as the broker goes, and say how fast that was')
    .option('--uri <uri>', 'broker to load', DEFAULT_URI)
    .option(
      '-x, --publishers <count>',
      'producers, a connection each',
      parseCount,
      defaults.producers,
    )
    .option(
      '-y, --consumers <count>',
      'consumers, a connection each',
      parseCount,
      defaults.consumers,
    )
    .option('-s, --size <bytes>', 'size of a message body', parseCount, defaults.bodySizeBytes)
    .option('-u, --queue <name>', 'durable queue, declared before', defaults.queue)
    .option('-e, --exchange <name>', 'exchange to publish to', defaults.exchange)
    .option('-k, --routing-key <key>', 'routing key (default: the name of the queue)')
    .option('-p, --persistent', 'publish persistent messages')
    .option('-c, --confirm <count>', 'confirms, at most so many outstanding', parseCount, 0)
    .option('-a, --ack <count>', 'ack every so many (0: auto-ack)', parseCount, defaults.ackEvery)
    .option('-P, --prefetch <count>', 'prefetch (0: no limit)', parseCount, defaults.prefetchCount)
    .option('-r, --rate <rate>', 'messages a second and producer (0: no limit)', parseCount, 0)
    .option('-z, --time <seconds>', 'length of the run (0: no limit)', parseAmount, 0)
    .option('-C, --pmessages <count>', 'publish so many in all (0: no limit)', parseCount, 0)
    .option('-D, --cmessages <count>', 'consume so many in all (0: no limit)', parseCount, 0)
    .option('-j, --json', 'print the summary as JSON')
    .option('-q, --quiet', 'no line every second')
    .action(runCommand);
}

async function runCommand(flags: ThroughputFlags): Promise<void> {
  const options = toOptions(flags);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.once('SIGINT', onInterrupt);
  let publishedBefore = 0;
  let consumedBefore = 0;
  try {
    const result = await runThroughput(options, {
      signal: interrupt.signal,
      onProgress: (published, consumed) => {
        if (flags.quiet === true || flags.json === true) return;
        const publishRate = published - publishedBefore;
        const consumeRate = consumed - consumedBefore;
        publishedBefore = published;
        consumedBefore = consumed;
        console.log(`published ${publishRate}/s, consumed ${consumeRate}/s`);
      },
    });
    console.log(flags.json === true ? JSON.stringify(result) : formatResult(result));
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function toOptions(flags: ThroughputFlags): ThroughputOptions {
  if (flags.publishers + flags.consumers === 0) {
    throw new Error('nothing to do: neither publishers (-x) nor consumers (-y)');
  }
  if (flags.prefetch > 0 && flags.ack > flags.prefetch) {
    throw new Error(`with a prefetch of ${flags.prefetch} the ack after ${flags.ack} never comes`);
  }
  return {
    uri: parseAmqpUri(flags.uri),
    producers: flags.publishers,
    consumers: flags.consumers,
    bodySizeBytes: flags.size,
    queue: flags.queue,
    exchange: flags.exchange,
    routingKey: flags.routingKey ?? flags.queue,
    persistent: flags.persistent === true,
    confirmWindow: flags.confirm,
    ackEvery: flags.ack,
    prefetchCount: flags.prefetch,
    publishRate: flags.rate,
    publishCountMax: flags.pmessages,
    consumeCountMax: flags.cmessages,
    durationMs: flags.time * 1000,
  };
}
