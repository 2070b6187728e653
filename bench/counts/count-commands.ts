/** `firnmqperf connection-count` and `queue-count`: many of them, made, counted and kept. */
import type { Command } from 'commander';
import type { FieldTable } from '../../generated/index.ts';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { LiveReport } from '../live-report.ts';
import { onInterrupt } from '../on-interrupt.ts';
import { formatFigure } from '../operations/format-figure.ts';
import { type OperationFigure, OperationMeter } from '../operations/operation-meter.ts';
import { watchOperations } from '../operations/watch-operations.ts';
import { parseArguments } from '../parse-json.ts';
import { parseAmount, parseCount, parsePositiveCount } from '../parse-numbers.ts';
import { formatLine } from '../throughput/format-result.ts';
import { DEFAULT_URI } from '../throughput/throughput-flags.ts';
import { ConnectionCount } from './connection-count.ts';
import { hold } from './hold.ts';
import { QueueCount } from './queue-count.ts';

/** As commander hands the flags over. */
interface CountFlags {
  readonly uri: string;
  readonly time?: number;
  readonly json?: true;
  readonly quiet?: true;
}

interface ConnectionCountFlags extends CountFlags {
  readonly count: number;
  readonly channels: number;
  readonly consumers: number;
  readonly queue: string;
  readonly localhost?: true;
}

interface QueueCountFlags extends CountFlags {
  readonly queues: number;
  readonly durable?: true;
  readonly arguments: FieldTable;
  readonly wait: boolean;
  readonly keep?: true;
}

/** Adds the commands to `program`. */
export function addCountCommands(program: Command): void {
  addCommand(program, 'connection-count', 'open many connections, and keep them')
    .option('-q, --quiet', 'only the figures, no line every second')
    .option('-x, --count <count>', 'connections', parsePositiveCount, 100)
    .option('-c, --channels <count>', 'channels of each connection', parsePositiveCount, 1)
    .option('-C, --consumers <count>', 'consumers of each channel', parseCount, 0)
    .option('-u, --queue <name>', 'durable queue that they consume from', 'connection-count')
    .option('-l, --localhost', 'connect to addresses 127.0.x.y in turn')
    .action(countConnections);
  addCommand(program, 'queue-count', 'declare many queues, and keep them')
    .option('--quiet', 'only the figures, no line every second')
    .option('-q, --queues <count>', 'queues', parsePositiveCount, 100)
    .option('-D, --durable', 'durable queues (default: exclusive ones)')
    .option('--arguments <json>', 'arguments of the queues', parseArguments, new Map())
    .option('-n, --no-wait', 'declare without waiting for each answer')
    .option('--keep', 'leave durable queues there at the end')
    .action(countQueues);
}

function addCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--uri <uri>', 'broker to load, amqp:// or amqps://', DEFAULT_URI)
    .option('-z, --time <seconds>', 'keep them so long (on a terminal: until Ctrl-C)', parseAmount)
    .option('-j, --json', 'print the figures as JSON');
}

async function countConnections(flags: ConnectionCountFlags): Promise<void> {
  const connections = new ConnectionCount({
    uri: parseAmqpUri(flags.uri),
    channels: flags.channels,
    consumersPerChannel: flags.consumers,
    queue: flags.queue,
    spreadsOverLoopback: flags.localhost === true,
  });
  await onInterrupt(async (signal) => {
    try {
      const make = (count: number, meter: OperationMeter): Promise<void> =>
        connections.open(count, meter, signal);
      await count(connections, 'connections', flags.count, make, flags, signal, () => ({
        channels: connections.count * flags.channels,
        consumers: connections.count * flags.channels * flags.consumers,
      }));
    } finally {
      await connections.close();
    }
  });
}

async function countQueues(flags: QueueCountFlags): Promise<void> {
  const queues = await QueueCount.connect({
    uri: parseAmqpUri(flags.uri),
    durable: flags.durable === true,
    queueArguments: flags.arguments,
    noWait: !flags.wait,
  });
  await onInterrupt(async (signal) => {
    try {
      const make = (count: number, meter: OperationMeter): Promise<void> =>
        queues.declare(count, meter, signal);
      await count(queues, 'queues', flags.queues, make, flags, signal, () => ({
        prefix: queues.prefix,
      }));
    } finally {
      // Also when it was interrupted: nobody else knows their names.
      if (flags.durable === true && flags.keep !== true) {
        await queues.delete(new OperationMeter('delete'), new AbortController().signal);
      }
      await queues.close();
    }
  });
}

interface Counted {
  readonly broker: string;
  readonly count: number;
  readonly whenFailed: Promise<Error>;
}

/** Makes `step` of them, tells what that took, keeps them, and makes more when it is asked to. */
async function count(
  counted: Counted,
  noun: string,
  step: number,
  make: (count: number, meter: OperationMeter) => Promise<void>,
  flags: CountFlags,
  signal: AbortSignal,
  more: () => Record<string, number | string>,
): Promise<void> {
  const isSilent = flags.quiet === true || flags.json === true;
  const report = new LiveReport(isSilent ? null : process.stdout);
  const figures: OperationFigure[] = [];
  for (;;) {
    const meter = new OperationMeter(noun);
    const limits = { countMax: step, durationMs: 0 };
    await watchOperations(meter, report, limits, make(step, meter));
    const figure = meter.figure();
    figures.push(figure);
    if (flags.json !== true) console.log(formatFigure(figure));
    const question = `${counted.count} ${noun}; enter for ${step} more, Ctrl-C to end `;
    const failed = counted.whenFailed.then((error) => Promise.reject(error));
    const seconds = flags.time ?? (flags.json === true ? 0 : null);
    if ((await Promise.race([hold(seconds, question, signal), failed])) === 'end') break;
  }
  const generatorRssBytes = process.memoryUsage.rss();
  const result = { broker: counted.broker, count: counted.count, ...more(), figures };
  if (flags.json === true) console.log(JSON.stringify({ ...result, generatorRssBytes }));
  else {
    console.log(formatLine('broker', counted.broker));
    for (const [key, value] of Object.entries({ [noun]: counted.count, ...more() })) {
      console.log(formatLine(key, String(value)));
    }
    console.log(formatLine('generator memory', `${Math.round(generatorRssBytes / 2 ** 20)} MiB`));
  }
}
