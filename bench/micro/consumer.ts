/** The generator's consumer: deliveries counted and acked, from a read buffer to the frames of the acks. */
import { TrafficScanner } from '../amqp/traffic-scanner.ts';
import { encodeDeliveries } from '../testing/delivery-bytes.ts';
import { RecordingConnection } from '../testing/recording-connection.ts';
import { ConsumeGoal } from '../throughput/consume-goal.ts';
import { Consumer } from '../throughput/consumer.ts';
import type { MicroBenchmark } from './harness.ts';

const MESSAGES = 1000;
/** Splits the stream within a message, as reads do. */
const FIRST_CHUNK_BYTES = 40_000;

/** 1,000 deliveries of 16 octets in two reads, with an ack for each. */
export const consumerBenchmark: MicroBenchmark = {
  name: 'consumer',
  operation: 'delivery',
  prepare: () => {
    const bytes = encodeDeliveries(new Array<number>(MESSAGES).fill(16), 0);
    const connection = new RecordingConnection();
    const goal = new ConsumeGoal(0);
    const scanner = new TrafficScanner(() => {});
    scanner.traffic = new Consumer(connection, goal, 1);
    const first = bytes.subarray(0, FIRST_CHUNK_BYTES);
    const rest = bytes.subarray(FIRST_CHUNK_BYTES);
    return {
      operationsPerRound: MESSAGES,
      round: () => {
        goal.consumed = 0;
        scanner.scan(first, first.length);
        scanner.scan(rest, rest.length);
        const ackOctets = connection.written.reduce((sum, { length }) => sum + length, 0);
        connection.written.length = 0;
        return goal.consumed + ackOctets;
      },
    };
  },
};
