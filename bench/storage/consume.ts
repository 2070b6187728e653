/** Empties queues as fast as the server delivers. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue, startConsumer } from '../amqp/control.ts';
import { ConsumeGoal } from '../throughput/consume-goal.ts';
import { Consumer } from '../throughput/consumer.ts';

/** Many consumers share connections, since a read buffer for each would not stay in the generator's cache. */
const CONNECTIONS_MAX = 10;

/** Consumers that are connected and have not begun. */
export class Drain {
  private readonly connections: BenchConnection[];
  private readonly goal: ConsumeGoal;
  private readonly count: number;

  private constructor(count: number) {
    this.connections = [];
    this.goal = new ConsumeGoal(count);
    this.count = count;
  }

  /** Opens the connections; {@link run} will take `count` messages in all. */
  static async connect(uri: AmqpUri, queueCount: number, count: number): Promise<Drain> {
    const drain = new Drain(count);
    for (let i = 0; i < Math.min(queueCount, CONNECTIONS_MAX); i++) {
      const connection = await BenchConnection.open(uri, 'firnmqperf drain');
      drain.connections.push(connection);
      new Consumer(connection, drain.goal, 0);
    }
    return drain;
  }

  /** Consumes with auto-ack, a consumer for each queue, until all has come; at once where that is nothing. */
  async run(queues: readonly string[]): Promise<void> {
    if (this.count === 0) return;
    const lanes = this.connections.map((connection, lane) =>
      connection.whileOpen(this.consume(connection, lane, queues)),
    );
    await Promise.all(lanes);
  }

  /**
   * Closes the connections.
   *
   * @throws Error when more came than was published, or something is left in a queue.
   */
  async finish(queues: readonly string[]): Promise<void> {
    const { consumed } = this.goal;
    if (consumed !== this.count) throw new Error(`${consumed} came instead of ${this.count}`);
    for (const queue of queues) await expectReady(this.connections[0], queue, 0);
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  private async consume(
    connection: BenchConnection,
    lane: number,
    queues: readonly string[],
  ): Promise<void> {
    for (let i = lane; i < queues.length; i += this.connections.length) {
      await startConsumer(connection, queues[i] ?? '', true, `c${i}`);
    }
    await this.goal.whenReached;
  }
}

/** @throws Error when another number of messages is ready in the queue. */
export async function expectReady(
  connection: BenchConnection | undefined,
  queue: string,
  count: number,
): Promise<void> {
  const ready = connection === undefined ? -1 : await declareQueue(connection, queue, true);
  if (ready !== count) throw new Error(`${queue} has ${ready} messages ready instead of ${count}`);
}
