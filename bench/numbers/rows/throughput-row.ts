/** Rows that are one run of `firnmqperf throughput`, made from their description. */
import { declareQueue, deleteQueue } from '../../amqp/control.ts';
import type { Goal, Unit } from '../../storage/figure.ts';
import type { ThroughputResult } from '../../throughput/throughput.ts';
import { formatUri } from '../command-lines.ts';
import type { Row } from '../row.ts';
import type { Cost, RowFigure } from '../row-figure.ts';
import type { Generated, RowRun } from '../row-run.ts';

/** The queue of every row that needs one. */
export const QUEUE = 'firnmq-bench';

const SETTLE_INTERVAL_MS = 100;
const SETTLE_ATTEMPTS_MAX = 300;

/** What a row measures of a run. */
export interface ThroughputFigure {
  readonly what: string;
  readonly unit: Unit;
  readonly value: (result: ThroughputResult) => number | null;
  /** What it must reach. May look at other rows, and at how the broker was started. */
  readonly goal: (run: RowRun) => Goal;
}

/** A row of one command. */
export interface ThroughputRowOptions {
  readonly id: string;
  readonly title: string;
  /** Flags without broker, queue and length. */
  readonly flags: readonly string[];
  readonly consumesAtOnce: boolean;
  readonly timesTheLast?: number;
  /** Everything over TLS. */
  readonly needsTls?: true;
  /** How many times as long as an ordinary run it is. */
  readonly lengthFactor?: number;
  /** The first part of a run, whose latencies do not count. */
  readonly warmUpShare?: number;
  readonly figures: readonly ThroughputFigure[];
  /** Makes what the run needs on the broker. */
  readonly prepare?: (run: RowRun) => Promise<void>;
  /** Takes it away; the queue itself is deleted. */
  readonly cleanUp?: (run: RowRun) => Promise<void>;
}

/** A row that runs for a time, as often as the settings say, each time on an empty queue. */
export function throughputRow(options: ThroughputRowOptions): Row {
  const { id, title, consumesAtOnce, timesTheLast, needsTls } = options;
  const { lengthFactor = 1, warmUpShare = 0 } = options;
  return {
    id,
    title,
    consumesAtOnce,
    ...(timesTheLast === undefined ? {} : { timesTheLast }),
    ...(needsTls === undefined ? {} : { needsTls }),
    measure: async (run) => {
      const figures = options.figures.map((spec) => ({
        spec,
        figure: run.figure(spec.what, spec.unit, spec.goal(run)),
      }));
      const seconds = run.settings.seconds * lengthFactor;
      const time = ['-z', String(seconds)];
      if (warmUpShare > 0) time.push('--warm-up', String(seconds * warmUpShare));
      await run.repeat(async () => {
        await options.prepare?.(run);
        const flags = ['-u', QUEUE, ...options.flags, ...time];
        const generated = await run.generate(
          'throughput',
          flags,
          addressOf(run, needsTls === true),
        );
        const result = parseThroughput(generated);
        for (const { spec, figure } of figures) {
          const value = spec.value(result);
          if (value !== null) figure.add(value, costOf(generated, result));
          remarkOn(figure, result);
        }
        await run.withConnection((connection) => deleteQueue(connection, QUEUE));
        await options.cleanUp?.(run);
      });
    },
  };
}

/** A bound for the median that does not depend on anything. */
export function atLeast(bound: number): () => Goal {
  return () => ({ kind: 'at least', bound, of: 'median' });
}

/** The same from above. */
export function atMost(bound: number): () => Goal {
  return () => ({ kind: 'at most', bound, of: 'median' });
}

/**
 * What `firnmqperf throughput` has printed.
 *
 * @throws Error when it is something else.
 */
export function parseThroughput({ result }: Generated): ThroughputResult {
  if (!isResult(result)) {
    throw new Error(`not a result of the generator: ${JSON.stringify(result)}`);
  }
  return result;
}

/** What a run cost for each of its messages, one that was published and consumed counting once. */
export function costOf(generated: Generated, result: ThroughputResult): Cost {
  const { serverCpuSeconds, serverMemoryBytes, loopDelayP99Ms } = generated;
  const messages = Math.max(1, result.published, result.consumed);
  return {
    serverNsPerMessage: serverCpuSeconds === null ? null : (serverCpuSeconds * 1e9) / messages,
    generatorNsPerMessage: result.generatorCpuNsPerMessage,
    generatorShare: result.generatorCpuShare,
    serverMemoryBytes,
    loopDelayP99Ms,
  };
}

/** Waits until `count` messages are ready: a broker may answer before the last one is in its queue. */
export async function awaitReady(run: RowRun, count: number): Promise<void> {
  await run.withConnection(async (connection) => {
    let ready = -1;
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX; attempt++) {
      ready = await declareQueue(connection, QUEUE, true);
      if (ready === count) return;
      await run.pause(SETTLE_INTERVAL_MS);
    }
    throw new Error(`${count} messages were published, but ${ready} are ready`);
  });
}

function addressOf(run: RowRun, withTls: boolean): string {
  if (!withTls) return formatUri(run.uri);
  const { port, caPath } = run.tlsListener;
  const plain = formatUri({ ...run.uri, port });
  return `${plain.replace('amqp:', 'amqps:')}?cacertfile=${encodeURI(caPath)}`;
}

function remarkOn(figure: RowFigure, result: ThroughputResult): void {
  const { published, consumed, ready, nacked } = result;
  if (published > 0 && consumed > 0) figure.remarkOnLeft(ready, published);
  if (nacked > 0) figure.remark(`${nacked} nacked`);
}

function isResult(value: unknown): value is ThroughputResult {
  return typeof value === 'object' && value !== null && 'generatorCpuNsPerMessage' in value;
}
