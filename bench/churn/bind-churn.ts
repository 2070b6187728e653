/** Binds a queue with ever new keys, then unbinds it. */
import { bindQueue, unbindQueue } from '../amqp/control.ts';
import { openChurnQueue } from './churn-queue.ts';
import type { ChurnSeries } from './churn-scenario.ts';

/** @param exchange that is bound to */
export function bindChurn(durable: boolean, exchange: string): ChurnSeries {
  const kind = durable ? 'durable' : 'non-durable';
  return {
    names: [`bind ${kind} queue`, `unbind ${kind} queue`],
    open: async (target) => {
      const { connection, queue, close } = await openChurnQueue(target, durable);
      return {
        steps: [
          (index) => bindQueue(connection, queue, exchange, `key-${index}`),
          (index) => unbindQueue(connection, queue, exchange, `key-${index}`),
        ],
        broker: connection.broker,
        close,
      };
    },
  };
}
