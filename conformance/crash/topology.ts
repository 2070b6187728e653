/** What the kill test publishes to, and who consumes from what. */
import type { ChannelModel } from 'amqplib';

/** A fanout exchange into three durable queues, and three durable queues by name. */
export const FANOUT = 'crash.fan';
const FAN_QUEUES: readonly string[] = ['crash.fan.1', 'crash.fan.2', 'crash.fan.3'];
const WORK_QUEUES: readonly string[] = ['crash.work.1', 'crash.work.2', 'crash.work.3'];

/** All queues. */
export const QUEUES: readonly string[] = [...FAN_QUEUES, ...WORK_QUEUES];
/** Queues with a consumer during the rounds; the others grow until the end. */
export const CONSUMED_QUEUES: readonly string[] = ['crash.fan.1', 'crash.work.1', 'crash.work.2'];

/** Where a publisher's messages go. */
export interface PublisherPlan {
  readonly name: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly queues: readonly string[];
}

/** Two publishers to all three fan queues, and one to each work queue. */
export const PUBLISHERS: readonly PublisherPlan[] = [
  ...['fan-a', 'fan-b'].map((name) => ({
    name,
    exchange: FANOUT,
    routingKey: '',
    queues: FAN_QUEUES,
  })),
  ...WORK_QUEUES.map((queue, index) => ({
    name: `work-${index + 1}`,
    exchange: '',
    routingKey: queue,
    queues: [queue],
  })),
];

/** Declares everything, durable; what exists already stays as it is. */
export async function declareTopology(connection: ChannelModel): Promise<void> {
  const channel = await connection.createChannel();
  await channel.assertExchange(FANOUT, 'fanout', { durable: true });
  for (const queue of QUEUES) await channel.assertQueue(queue, { durable: true });
  for (const queue of FAN_QUEUES) await channel.bindQueue(queue, FANOUT, '');
}
