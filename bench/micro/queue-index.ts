/** The index of a queue that is filled, taken from and acked. */
import { QueueIndex } from '../../server/storage/queue-index.ts';
import type { MicroBenchmark } from './harness.ts';

const MESSAGES = 20_000;
const BODY_SIZE = 16;

/** One message appended, taken and settled; 20,000 wait at the most. */
export const queueIndexBenchmark: MicroBenchmark = {
  name: 'queue-index',
  operation: 'message',
  prepare: () => {
    const index = new QueueIndex(1, false);
    return {
      operationsPerRound: MESSAGES,
      round: () => {
        for (let i = 0; i < MESSAGES; i++) index.append(64 * i, BODY_SIZE);
        let hash = 0;
        while (index.readyCount > 0) {
          index.take(BODY_SIZE);
          hash = (hash + index.takenPosition) | 0;
          index.settle(index.takenSequence, index.takenPosition, BODY_SIZE);
        }
        return hash;
      },
    };
  },
};
