/** Opens a connection with a channel and closes it. */
import { connectTo } from './churn-queue.ts';
import type { ChurnSeries } from './churn-scenario.ts';

/** Each worker has one connection at a time. */
export const connectionChurn: ChurnSeries = {
  names: ['open, close connection'],
  open: async (target) => {
    const first = await connectTo(target);
    await first.close();
    const openAndClose = async (): Promise<void> => {
      const connection = await connectTo(target);
      await connection.close();
    };
    return { steps: [openAndClose], broker: first.broker, close: () => Promise.resolve() };
  },
};
