/** The queues that churns use: names that nobody else has, gone at the end. */
import { randomBytes } from 'node:crypto';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueueAs, deleteQueue } from '../amqp/control.ts';
import type { ChurnTarget } from './churn-scenario.ts';

/** A connection with a queue of its own. */
export interface ChurnQueue {
  readonly connection: BenchConnection;
  readonly queue: string;
  /** Deletes the queue and closes the connection. */
  close(): Promise<void>;
}

/** The beginning of names that no other run has. */
export function uniqueName(): string {
  return `firnmqperf-churn-${randomBytes(8).toString('hex')}`;
}

/** Connects to the target. */
export function connectTo({ uri, readBuffer }: ChurnTarget): Promise<BenchConnection> {
  return BenchConnection.open(uri, 'firnmqperf churn', { readBuffer });
}

/** Connects and declares a queue: durable, or exclusive and named by the broker. */
export async function openChurnQueue(target: ChurnTarget, durable: boolean): Promise<ChurnQueue> {
  const connection = await connectTo(target);
  const declaration = durable ? { queue: uniqueName(), durable } : { exclusive: true };
  const { queue } = await declareQueueAs(connection, declaration);
  return {
    connection,
    queue,
    close: async () => {
      // One that has failed takes its exclusive queue along; a durable one of it is left.
      await deleteQueue(connection, queue).catch(() => {});
      await connection.close();
    },
  };
}
