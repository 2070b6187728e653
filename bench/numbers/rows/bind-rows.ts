/** Rows of binding and unbinding on one connection, each answer awaited. The generator is this process. */
import { performance } from 'node:perf_hooks';
import { deleteQueue } from '../../amqp/control.ts';
import type { Row } from '../row.ts';
import { bindAll, declareQueues, unbindQueue } from '../topology.ts';
import { QUEUE } from './throughput-row.ts';

const EXCHANGE = 'amq.direct';
/** Bindings that are there at a time. */
const BINDINGS = 100;

/** A bind and an unbind are an operation each. */
function bindRow(id: string, durable: boolean, bound: number): Row {
  const title = `bind and unbind one by one, ${durable ? 'durable' : 'non-durable'} queue`;
  return {
    id,
    title,
    consumesAtOnce: false,
    measure: async (run) => {
      const figure = run.figure('requests answered', '/s', {
        kind: 'at least',
        bound,
        of: 'median',
      });
      run.tellCommand(`in this process: ${title}`);
      await run.repeat(async () => {
        const connection = await run.connect();
        await declareQueues(connection, [QUEUE], durable, Number.POSITIVE_INFINITY);
        const bindings = Array.from({ length: BINDINGS }, (_, i) => ({
          queue: QUEUE,
          routingKey: `key-${i}`,
        }));
        const startedMs = performance.now();
        const endMs = startedMs + run.settings.seconds * 1000;
        const { result: requests, cost } = await run.withCost(
          async () => {
            let count = 0;
            while (performance.now() < endMs) {
              for (const binding of bindings) await bindAll(connection, EXCHANGE, [binding]);
              for (const binding of bindings) await unbindQueue(connection, EXCHANGE, binding);
              count += 2 * BINDINGS;
            }
            return count;
          },
          (count) => count,
        );
        figure.add((1000 * requests) / (performance.now() - startedMs), cost);
        await deleteQueue(connection, QUEUE);
        await run.close(connection);
      });
    },
  };
}

/** In the order in which they run. */
export const BIND_ROWS: readonly Row[] = [
  bindRow('bind', false, 30_000),
  bindRow('bind-durable', true, 8000),
];
