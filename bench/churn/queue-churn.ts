/** Declares a queue and deletes it. */
import { declareQueueAs, deleteQueue } from '../amqp/control.ts';
import { connectTo, uniqueName } from './churn-queue.ts';
import type { ChurnSeries } from './churn-scenario.ts';

/** Durable, or exclusive and named by the broker. */
export function queueChurn(durable: boolean): ChurnSeries {
  return {
    names: [`create, delete ${durable ? 'durable' : 'transient'} queue`],
    open: async (target) => {
      const connection = await connectTo(target);
      const prefix = uniqueName();
      const declareAndDelete = async (index: number): Promise<void> => {
        const declaration = durable
          ? { queue: `${prefix}-${index}`, durable }
          : { exclusive: true, autoDelete: true };
        const { queue } = await declareQueueAs(connection, declaration);
        await deleteQueue(connection, queue);
      };
      return {
        steps: [declareAndDelete],
        broker: connection.broker,
        close: () => connection.close(),
      };
    },
  };
}
