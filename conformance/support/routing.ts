/** Which of several bound queues a message reaches. */
import type { ConfirmChannel, Options } from 'amqplib';
import { drain, publish } from './amqp.ts';

/** One binding under test: its key, and its arguments where they matter. */
export interface TestBinding {
  readonly key: string;
  readonly arguments?: Record<string, unknown>;
}

/** One exchange with one exclusive queue per binding. */
export class BoundQueues {
  private readonly channel: ConfirmChannel;
  private readonly exchange: string;
  private readonly queues: { name: string; label: string }[] = [];

  private constructor(channel: ConfirmChannel, exchange: string) {
    this.channel = channel;
    this.exchange = exchange;
  }

  /** Declares the exchange and binds a queue for every label. */
  static async bind(
    channel: ConfirmChannel,
    exchange: string,
    type: string,
    bindings: Readonly<Record<string, TestBinding>>,
  ): Promise<BoundQueues> {
    const bound = new BoundQueues(channel, exchange);
    await channel.assertExchange(exchange, type, { durable: false });
    for (const [label, binding] of Object.entries(bindings)) {
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, exchange, binding.key, binding.arguments);
      bound.queues.push({ name: queue, label });
    }
    return bound;
  }

  /** Publishes one message and answers with the labels of the bindings that it matched. */
  async reachedBy(routingKey: string, options: Options.Publish = {}): Promise<string[]> {
    await publish(this.channel, this.exchange, routingKey, 'routed', options);
    const reached: string[] = [];
    for (const queue of this.queues) {
      if ((await drain(this.channel, queue.name)).length > 0) reached.push(queue.label);
    }
    return reached;
  }
}
