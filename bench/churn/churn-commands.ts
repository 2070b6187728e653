/** `firnmqperf bind-churn`, `queue-churn`, `connection-churn`, `channel-churn` and `consumer-churn`. */
import type { Command } from 'commander';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { LiveReport } from '../live-report.ts';
import { onInterrupt } from '../on-interrupt.ts';
import { formatFigure } from '../operations/format-figure.ts';
import { parseAmount, parseCount, parsePositiveCount } from '../parse-numbers.ts';
import { formatLine } from '../throughput/format-result.ts';
import { DEFAULT_URI } from '../throughput/throughput-flags.ts';
import { bindChurn } from './bind-churn.ts';
import { channelChurn } from './channel-churn.ts';
import type { ChurnSeries } from './churn-scenario.ts';
import { connectionChurn } from './connection-churn.ts';
import { consumerChurn } from './consumer-churn.ts';
import { queueChurn } from './queue-churn.ts';
import { runChurn } from './run-churn.ts';

const DEFAULT_SECONDS = 5;

/** As commander hands the flags over. */
interface ChurnFlags {
  readonly uri: string;
  readonly connections: number;
  readonly time?: number;
  readonly count: number;
  readonly awake?: true;
  readonly json?: true;
  readonly quiet?: true;
}

interface DurabilityFlags extends ChurnFlags {
  readonly durable?: true;
  readonly transient?: true;
}

interface BindFlags extends DurabilityFlags {
  readonly exchange: string;
}

/** Adds the commands to `program`. */
export function addChurnCommands(program: Command): void {
  addDurability(addCommand(program, 'bind-churn', 'bind a queue with ever new keys, and unbind it'))
    .option('-e, --exchange <name>', 'exchange to bind to', 'amq.direct')
    .action((flags: BindFlags) =>
      runCommand(
        durabilities(flags).map((durable) => bindChurn(durable, flags.exchange)),
        flags,
      ),
    );
  addDurability(addCommand(program, 'queue-churn', 'declare and delete queues')).action(
    (flags: DurabilityFlags) => runCommand(durabilities(flags).map(queueChurn), flags),
  );
  addCommand(program, 'connection-churn', 'open connections with a channel, and close them').action(
    (flags: ChurnFlags) => runCommand([connectionChurn], flags),
  );
  addCommand(program, 'channel-churn', 'open channels, and close them').action(
    (flags: ChurnFlags) => runCommand([channelChurn], flags),
  );
  addCommand(program, 'consumer-churn', 'start consumers, and cancel them').action(
    (flags: ChurnFlags) => runCommand([consumerChurn], flags),
  );
}

function addCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--uri <uri>', 'broker to load, amqp:// or amqps://', DEFAULT_URI)
    .option('-x, --connections <count>', 'connections that do it at once', parsePositiveCount, 1)
    .option('-z, --time <seconds>', 'length of each series (default: 5, without -C)', parseAmount)
    .option('-C, --count <count>', 'operations of each series (0: no limit)', parseCount, 0)
    .option('--awake', 'never sleep while waiting for replies: takes a whole core')
    .option('-j, --json', 'print the figures as JSON')
    .option('-q, --quiet', 'only the figures, no line every second');
}

function addDurability(command: Command): Command {
  return command
    .option('--durable', 'only durable queues')
    .option('--transient', 'only queues that are not durable');
}

/** Without a flag both, one behind the other. */
function durabilities({ durable, transient }: DurabilityFlags): boolean[] {
  return durable === transient ? [false, true] : [durable === true];
}

async function runCommand(serieses: readonly ChurnSeries[], flags: ChurnFlags): Promise<void> {
  const seconds = flags.time ?? (flags.count > 0 ? 0 : DEFAULT_SECONDS);
  if (seconds === 0 && flags.count === 0) throw new Error('it needs an end: -z or -C');
  const options = {
    uri: parseAmqpUri(flags.uri),
    connections: flags.connections,
    countMax: flags.count,
    staysAwake: flags.awake === true,
    durationMs: seconds * 1000,
  };
  const isSilent = flags.quiet === true || flags.json === true;
  const report = new LiveReport(isSilent ? null : process.stdout);
  const result = await onInterrupt((signal) => runChurn(serieses, options, report, signal));
  if (flags.json === true) console.log(JSON.stringify(result));
  else {
    console.log(formatLine('broker', result.broker));
    for (const figure of result.figures) console.log(formatFigure(figure));
  }
}
