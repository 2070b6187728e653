/** Rows in which the exchange has the work: many queues, many bindings. The generator is this process. */
import { type BasicProperties, toFieldTable } from '../../../generated/index.ts';
import { declareQueue, deleteQueue } from '../../amqp/control.ts';
import { BENCH_CHANNEL } from '../../amqp/traffic-scanner.ts';
import { encodePublish } from '../../throughput/publish-block.ts';
import { countReady, type FlowResult, runFlow } from '../flow.ts';
import type { Row } from '../row.ts';
import type { RowRun } from '../row-run.ts';
import {
  type Binding,
  bindAll,
  declareExchange,
  deleteExchange,
  type ExchangeType,
} from '../topology.ts';

const EXCHANGE = 'firnmq-bench';
const BODY_BYTES = 16;
/** The bindings of a topic or headers exchange go to so many queues in turn. */
const SELECTIVE_QUEUES = 10;
const SELECTIVE_BINDINGS = 1000;
/** The one of them that matches what is published. */
const MATCHING = 500;

interface RoutedRowOptions {
  readonly id: string;
  readonly title: string;
  readonly exchangeType: ExchangeType;
  readonly queueCount: number;
  readonly bindings: (run: RowRun, queues: readonly string[]) => readonly Binding[];
  readonly routingKey: string;
  readonly properties: BasicProperties;
  readonly isConsumed: boolean;
  readonly figure: {
    readonly what: string;
    readonly bound: number;
    readonly value: (result: FlowResult) => number;
  };
}

function routedRow(options: RoutedRowOptions): Row {
  const { id, title, figure: spec } = options;
  const queues = Array.from({ length: options.queueCount }, (_, i) => `firnmq-bench-${i}`);
  return {
    id,
    title,
    consumesAtOnce: options.isConsumed,
    measure: async (run) => {
      const figure = run.figure(spec.what, 'msg/s', {
        kind: 'at least',
        bound: spec.bound,
        of: 'median',
      });
      run.tellCommand(`in this process: ${title}`);
      await run.repeat(async () => {
        await run.withConnection(async (control) => {
          await declareExchange(control, EXCHANGE, options.exchangeType);
          for (const queue of queues) await declareQueue(control, queue, false);
          await bindAll(control, EXCHANGE, options.bindings(run, queues));
        });
        const producer = await run.connect();
        const consumers = options.isConsumed ? [{ connection: await run.connect(), queues }] : [];
        const message = encodePublish({
          ...{ channel: BENCH_CHANNEL, exchange: EXCHANGE, routingKey: options.routingKey },
          ...{ properties: options.properties, bodySizeBytes: BODY_BYTES },
          ...{ persistent: false, frameMax: producer.frameMax },
        });
        const { result, cost } = await run.withCost(
          () =>
            runFlow({
              producers: [{ connection: producer, message }],
              consumers,
              durationMs: run.settings.seconds * 1000,
            }),
          ({ published, consumed }) => (options.isConsumed ? consumed : published),
        );
        figure.add(spec.value(result), cost);
        if (options.isConsumed) {
          const left = await countReady(run, queues);
          figure.remarkOnLeft(left, result.consumed + left);
        }
        const connections = [producer, ...consumers.map(({ connection }) => connection)];
        await run.clear(connections, async (control) => {
          for (const queue of queues) await deleteQueue(control, queue);
          await deleteExchange(control, EXCHANGE);
        });
      });
    },
  };
}

/** A binding for each of a thousand devices, to the queues in turn. */
function selectiveBindings(
  queues: readonly string[],
  binding: (device: string) => Omit<Binding, 'queue'>,
): Binding[] {
  return Array.from({ length: SELECTIVE_BINDINGS }, (_, i) => ({
    queue: queues[i % queues.length] ?? '',
    ...binding(`device-${i}`),
  }));
}

const copiesOut = (result: FlowResult): number => result.consumed / result.consumeSeconds;
const toEach = (_run: RowRun, queues: readonly string[]): Binding[] =>
  queues.map((queue) => ({ queue, routingKey: '' }));

/** In the order in which they run. */
export const ROUTED_ROWS: readonly Row[] = [
  routedRow({
    id: 'fanout-10',
    title: 'fanout to 10 queues, no consumer',
    exchangeType: 'fanout',
    queueCount: 10,
    bindings: toEach,
    routingKey: 'firnmq-bench',
    properties: {},
    isConsumed: false,
    figure: {
      what: 'published',
      bound: 2e6,
      value: ({ published, publishSeconds }) => published / publishSeconds,
    },
  }),
  routedRow({
    id: 'fanout-100',
    title: 'fanout to 100 queues, all consumed by one connection',
    exchangeType: 'fanout',
    queueCount: 100,
    bindings: toEach,
    routingKey: 'firnmq-bench',
    properties: {},
    isConsumed: true,
    figure: { what: 'copies out', bound: 3e6, value: copiesOut },
  }),
  routedRow({
    id: 'topic',
    title: 'topic, 1,000 bindings of which one matches, consumed by one connection',
    exchangeType: 'topic',
    queueCount: SELECTIVE_QUEUES,
    bindings: (_run, queues) =>
      selectiveBindings(queues, (device) => ({ routingKey: `sensor.*.${device}.#` })),
    routingKey: `sensor.north.device-${MATCHING}.temperature`,
    properties: {},
    isConsumed: true,
    figure: { what: 'copies out', bound: 1e6, value: copiesOut },
  }),
  routedRow({
    id: 'headers',
    title: 'headers, 1,000 bindings of which one matches, consumed by one connection',
    exchangeType: 'headers',
    queueCount: SELECTIVE_QUEUES,
    bindings: (_run, queues) =>
      selectiveBindings(queues, (device) => ({
        routingKey: '',
        arguments: toFieldTable({ 'x-match': 'all', device, kind: 'temperature' }),
      })),
    routingKey: '',
    properties: {
      headers: toFieldTable({ device: `device-${MATCHING}`, kind: 'temperature' }),
    },
    isConsumed: true,
    figure: { what: 'copies out', bound: 0.3e6, value: copiesOut },
  }),
];
