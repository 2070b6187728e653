/** The unacked deliveries of a channel whose acks come one by one. */
import { UnackedList } from '../../server/amqp/unacked-list.ts';
import { FixedBytes } from '../../server/base/fixed-bytes.ts';
import { Consumer } from '../../server/broker/consumer.ts';
import type { DeliverySink } from '../../server/broker/ports.ts';
import type { Queue } from '../../server/broker/queue.ts';
import type { MicroBenchmark } from './harness.ts';

const DELIVERIES = 10_000;
const PREFETCH = 1000;

const SINK: DeliverySink = {
  canTake: true,
  credit: Number.POSITIVE_INFINITY,
  deliver() {},
  deliverRun() {},
  consumerCancelled() {},
};

/** One delivery kept, found by its tag and removed; 1,000 are unacked. */
export const unackedListBenchmark: MicroBenchmark = {
  name: 'unacked-list',
  operation: 'delivery',
  prepare: () => {
    const options = {
      tag: '',
      noAck: false,
      exclusive: false,
      prefetchCount: PREFETCH,
      priority: 0,
    };
    // The list hands consumers back and asks nothing of them.
    const queue = {} as Queue;
    const consumer = new Consumer(queue, SINK, options, new FixedBytes(Buffer.alloc(1)));
    const list = new UnackedList();
    let tag = 0;
    for (; tag < PREFETCH; tag++) list.push(tag + 1, consumer, tag, tag, 16);
    return {
      operationsPerRound: DELIVERIES,
      round: () => {
        let hash = 0;
        for (let i = 0; i < DELIVERIES; i++) {
          const entry = list.find(tag - PREFETCH + 1);
          hash = (hash + list.sizeAt(entry)) | 0;
          list.remove(entry);
          tag++;
          list.push(tag, consumer, tag, tag, 16);
        }
        return hash;
      },
    };
  },
};
