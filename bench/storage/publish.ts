/** Fills queues, as fast as the server takes it: each function returns when the server has handled everything. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue } from '../amqp/control.ts';
import { type MessageBlock, messagesView, repeatMessages } from '../amqp/message-block.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import { Producer } from '../throughput/producer.ts';
import { encodePublish } from '../throughput/publish-block.ts';
import { Quota } from '../throughput/quota.ts';

/** Octets of a small message's body. */
export const SMALL_BODY_BYTES = 16;

/** What is published, without confirms. */
export interface PublishOptions {
  /** Durable, declared here; they take turns. */
  readonly queues: readonly string[];
  readonly countPerQueue: number;
  readonly bodySizeBytes: number;
}

/** Publishes over a connection of its own. */
export async function publishMessages(uri: AmqpUri, options: PublishOptions): Promise<void> {
  const connection = await BenchConnection.open(uri, 'firnmqperf publish');
  try {
    for (const queue of options.queues) await declareQueue(connection, queue, false);
    const block = buildBlock(connection, options.queues, options.bodySizeBytes);
    const quota = new Quota(options.countPerQueue * options.queues.length);
    const producer = new Producer(connection, block, quota);
    producer.start();
    await connection.whileOpen(producer.whenIdle);
    await producer.finish();
  } finally {
    await connection.close();
  }
}

/**
 * Publishes `count` messages of 4 octets to a queue over an open connection: their numbers from 0 on, big-endian
 * ({@link NumberedDeliveries} reads them).
 */
export async function publishNumbered(
  connection: BenchConnection,
  queue: string,
  count: number,
): Promise<void> {
  const block = buildBlock(connection, [queue], 4);
  for (let number = 0; number < count; ) {
    const written = Math.min(block.count, count - number);
    // Behind a body comes the end octet of its frame.
    for (let i = 1; i <= written; i++) {
      block.bytes.writeUInt32BE(number++, block.offsets[i]! - 5);
    }
    connection.write(messagesView(block, written));
    await connection.whenWritable();
  }
  // The answer comes behind everything before it.
  await declareQueue(connection, queue, true);
}

function buildBlock(
  connection: BenchConnection,
  queues: readonly string[],
  bodySizeBytes: number,
): MessageBlock {
  const round = queues.map((queue) =>
    encodePublish({
      channel: BENCH_CHANNEL,
      exchange: '',
      routingKey: queue,
      bodySizeBytes,
      persistent: true,
      frameMax: connection.frameMax,
    }),
  );
  return repeatMessages(round);
}
