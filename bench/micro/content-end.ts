/** Skipping the content of a message. */
import { FRAME_OVERHEAD, readU32 } from '../../generated/index.ts';
import { contentEnd } from '../amqp/content-end.ts';
import { encodeDeliveries } from '../testing/delivery-bytes.ts';
import type { MicroBenchmark } from './harness.ts';

const MESSAGES = 1000;

/** From method frame to method frame through 1,000 messages of 16 octets. */
export const contentEndBenchmark: MicroBenchmark = {
  name: 'content-end',
  operation: 'message',
  prepare: () => {
    const bytes = encodeDeliveries(new Array<number>(MESSAGES).fill(16), 0);
    return {
      operationsPerRound: MESSAGES,
      round: () => {
        let count = 0;
        for (let at = 0; at < bytes.length; count++) {
          at = contentEnd(bytes, at + FRAME_OVERHEAD + readU32(bytes, at + 3), bytes.length);
        }
        return count;
      },
    };
  },
};
