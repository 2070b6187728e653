/** Opens a channel and closes it. */
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import { connectTo } from './churn-queue.ts';
import type { ChurnSeries } from './churn-scenario.ts';

/** Beside the one that every connection of the generator has. */
const CHANNEL = BENCH_CHANNEL + 1;

/** Each worker has a connection of its own. */
export const channelChurn: ChurnSeries = {
  names: ['open, close channel'],
  open: async (target) => {
    const connection = await connectTo(target);
    const openAndClose = async (): Promise<void> => {
      await connection.openChannel(CHANNEL);
      await connection.closeChannel(CHANNEL);
    };
    return {
      steps: [openAndClose],
      broker: connection.broker,
      close: () => connection.close(),
    };
  },
};
