/** Starts a consumer and cancels it. */
import { cancelConsumerWithoutWait, startConsumer } from '../amqp/control.ts';
import { openChurnQueue } from './churn-queue.ts';
import type { ChurnSeries } from './churn-scenario.ts';

/** The answer to a start comes behind the cancel before it, so that nothing else need be waited for. */
export const consumerChurn: ChurnSeries = {
  names: ['start, cancel consumer'],
  open: async (target) => {
    const { connection, queue, close } = await openChurnQueue(target, false);
    const startAndCancel = async (index: number): Promise<void> => {
      await startConsumer(connection, queue, true, `c${index}`);
      cancelConsumerWithoutWait(connection, `c${index}`);
    };
    return { steps: [startAndCancel], broker: connection.broker, close };
  },
};
