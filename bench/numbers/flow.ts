/**
 * Load that `firnmqperf throughput` cannot make: one connection that consumes from many queues, messages with headers.
 * It runs in this process, with the same producers and consumers.
 */
import { performance } from 'node:perf_hooks';
import type { BenchConnection } from '../amqp/bench-connection.ts';
import { startConsumer } from '../amqp/control.ts';
import { repeatMessage } from '../amqp/message-block.ts';
import { ConsumeGoal } from '../throughput/consume-goal.ts';
import { Consumer } from '../throughput/consumer.ts';
import { countReadyOver, sumOf } from '../throughput/load-queues.ts';
import { Producer } from '../throughput/producer.ts';
import { Quota } from '../throughput/quota.ts';
import type { RowRun } from './row-run.ts';

/** Who publishes and who consumes, each on a connection that is open and in no other use. */
export interface FlowOptions {
  readonly producers: readonly {
    readonly connection: BenchConnection;
    /** All frames of one message. */
    readonly message: Buffer;
  }[];
  readonly consumers: readonly {
    readonly connection: BenchConnection;
    /** A consumer with auto-ack for each. */
    readonly queues: readonly string[];
  }[];
  readonly durationMs: number;
}

/** What came of it. */
export interface FlowResult {
  readonly published: number;
  /** Until the broker had handled the last of them; where somebody consumes, until the end of the time. */
  readonly publishSeconds: number;
  /** While it was published. */
  readonly consumed: number;
  readonly consumeSeconds: number;
}

/**
 * Messages that wait in the queues just now: what was published and is not there yet lies in the buffers of sockets,
 * some MB for each, and says nothing of the broker.
 */
export function countReady(run: RowRun, queues: readonly string[]): Promise<number> {
  return run.withConnection(async (control) => sumOf(await countReadyOver(control, queues)));
}

/** Publishes and consumes for a time, as fast as the broker goes. */
export async function runFlow({
  producers,
  consumers,
  durationMs,
}: FlowOptions): Promise<FlowResult> {
  const goal = new ConsumeGoal(0);
  for (const { connection, queues } of consumers) {
    new Consumer(connection, goal, 0);
    for (const [i, queue] of queues.entries()) {
      await startConsumer(connection, queue, true, `c${i}`);
    }
  }
  const connections = [...producers, ...consumers].map(({ connection }) => connection);
  const failed = Promise.race(connections.map((connection) => connection.whenFailed));
  const running = producers.map(
    ({ connection, message }) => new Producer(connection, repeatMessage(message), new Quota(0)),
  );
  const startedMs = performance.now();
  for (const producer of running) producer.start();
  const failure = await Promise.race([
    failed,
    new Promise<null>((resolve) => setTimeout(resolve, durationMs, null)),
  ]);
  const { consumed } = goal;
  const consumeSeconds = (performance.now() - startedMs) / 1000;
  if (failure !== null) throw failure;
  if (consumers.length > 0) for (const producer of running) producer.stop();
  else await Promise.all(running.map((producer) => producer.finish()));
  return {
    published: running.reduce((sum, producer) => sum + producer.published, 0),
    publishSeconds: (performance.now() - startedMs) / 1000,
    consumed,
    consumeSeconds,
  };
}
