/** A hundred flows at once, each on a queue and two connections of its own. The generator is this process. */
import { declareQueue, deleteQueue } from '../../amqp/control.ts';
import { BENCH_CHANNEL } from '../../amqp/traffic-scanner.ts';
import type { Goal } from '../../storage/figure.ts';
import { encodePublish } from '../../throughput/publish-block.ts';
import { countReady, type FlowOptions, runFlow } from '../flow.ts';
import type { Row } from '../row.ts';
import type { RowRun } from '../row-run.ts';
import { ONE_TO_ONE } from './flow-rows.ts';

const QUEUES = 100;
/** Of what one producer and one consumer reach. */
const SHARE_MIN = 0.7;
const TITLE = '100 producers and 100 consumers over 100 queues, auto-ack';

/** Its goal is a part of the row `one-to-one`; without that it is not judged. */
export const MANY_QUEUES_ROW: Row = {
  id: 'hundred-queues',
  title: TITLE,
  consumesAtOnce: true,
  measure: async (run) => {
    const figure = run.figure('out', 'msg/s', goalOf(run));
    if (run.isOurs && figure.figure.goal === null)
      figure.remark(`not judged without the row ${ONE_TO_ONE}`);
    run.tellCommand(`in this process: ${TITLE}`);
    await run.repeat(async () => {
      const flows = await openFlows(run);
      const { result, cost } = await run.withCost(
        () => runFlow({ ...flows, durationMs: run.settings.seconds * 1000 }),
        ({ consumed }) => consumed,
      );
      figure.add(result.consumed / result.consumeSeconds, cost);
      const left = await countReady(
        run,
        flows.consumers.flatMap(({ queues }) => queues),
      );
      figure.remarkOnLeft(left, result.consumed + left);
      const connections = [...flows.producers, ...flows.consumers].map(
        ({ connection }) => connection,
      );
      await run.clear(connections, async (control) => {
        for (const { queues } of flows.consumers) await deleteQueue(control, queues[0] ?? '');
      });
    });
  },
};

function goalOf(run: RowRun): Goal {
  const oneToOne = run.medianOf(ONE_TO_ONE);
  if (oneToOne === null) return null;
  return { kind: 'at least', bound: SHARE_MIN * oneToOne, of: 'median' };
}

async function openFlows(run: RowRun): Promise<Omit<FlowOptions, 'durationMs'>> {
  const producers = [];
  const consumers = [];
  for (let i = 0; i < QUEUES; i++) {
    const queue = `firnmq-bench-${String(i).padStart(3, '0')}`;
    const connection = await run.connect();
    await declareQueue(connection, queue, false);
    const message = encodePublish({
      channel: BENCH_CHANNEL,
      exchange: '',
      routingKey: queue,
      bodySizeBytes: 16,
      persistent: false,
      frameMax: connection.frameMax,
    });
    producers.push({ connection, message });
    consumers.push({ connection: await run.connect(), queues: [queue] });
  }
  return { producers, consumers };
}
