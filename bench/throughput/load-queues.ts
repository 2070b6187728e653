/** The queues of a run: declared and bound before it, counted after it. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { bindQueue, declareQueue, declareQueueAs } from '../amqp/control.ts';
import type { ThroughputOptions } from './throughput-options.ts';

/** Whether each consumer has a queue of its own, named by the broker. */
export function hasOwnQueues({ queues }: ThroughputOptions): boolean {
  return queues[0] === '';
}

/**
 * Declares the queues that have names, durable, and binds them where an exchange is set. One that exists with other
 * settings is used as it is.
 *
 * @returns the broker's product and version
 */
export async function declareQueues(options: ThroughputOptions): Promise<string> {
  let control = await BenchConnection.open(options.uri, 'firnmqperf control');
  try {
    const { broker } = control;
    if (hasOwnQueues(options)) return broker;
    for (const queue of options.queues) {
      try {
        const declaration = { queue, durable: true, arguments: options.queueArguments };
        await declareQueueAs(control, declaration);
      } catch (error) {
        // The channel is closed by that, in this generator with its connection.
        await control.close();
        control = await BenchConnection.open(options.uri, 'firnmqperf control');
        await declareQueue(control, queue, true).catch(() => Promise.reject(error));
      }
      await bindIfAsked(control, queue, options.routingKey ?? queue, options);
    }
    return broker;
  } finally {
    await control.close();
  }
}

/** Declares a consumer's own queue, gone when the consumer is; returns its name. */
export async function declareOwnQueue(
  connection: BenchConnection,
  options: ThroughputOptions,
): Promise<string> {
  const declaration = { autoDelete: true, arguments: options.queueArguments };
  const { queue } = await declareQueueAs(connection, declaration);
  await bindIfAsked(connection, queue, options.routingKey ?? '', options);
  return queue;
}

async function bindIfAsked(
  connection: BenchConnection,
  queue: string,
  bindingKey: string,
  { exchange }: ThroughputOptions,
): Promise<void> {
  if (exchange !== '') await bindQueue(connection, queue, exchange, bindingKey);
}

/** How many messages are ready in each queue that has a name. */
export async function countReady(
  uri: AmqpUri,
  queues: readonly string[],
): Promise<Map<string, number>> {
  const named = queues.filter((queue) => queue !== '');
  if (named.length === 0) return new Map();
  const control = await BenchConnection.open(uri, 'firnmqperf control');
  try {
    return await countReadyOver(control, named);
  } finally {
    await control.close();
  }
}

/** The same, asked over a connection that is open. */
export async function countReadyOver(
  control: BenchConnection,
  queues: readonly string[],
): Promise<Map<string, number>> {
  const ready = new Map<string, number>();
  for (const queue of queues) ready.set(queue, await declareQueue(control, queue, true));
  return ready;
}

/** All of them together. */
export function sumOf(ready: ReadonlyMap<string, number>): number {
  return Array.from(ready.values()).reduce((sum, count) => sum + count, 0);
}
