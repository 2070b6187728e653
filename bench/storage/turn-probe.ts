/**
 * How long the server's event loop keeps others waiting, seen from outside: a connection of its own asks for the
 * count of an empty queue again and again, the next time when the answer has come. A turn of the server that
 * takes 20 ms is a round trip of 20 ms.
 *
 * It shares its process with the generator, so that it is to be believed while that one rests; under load it
 * is an upper bound.
 */
import { performance } from 'node:perf_hooks';
import type { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue } from '../amqp/control.ts';

const PROBE_QUEUE = 'firnmq-probe';

/** Measures round trips from {@link TurnProbe.start} to {@link TurnProbe.stop}. */
export class TurnProbe {
  private readonly connection: BenchConnection;
  private isStopped: boolean;
  private longestMs: number;
  private readonly ended: Promise<void>;

  private constructor(connection: BenchConnection) {
    this.connection = connection;
    this.isStopped = false;
    this.longestMs = 0;
    this.ended = this.run();
    // stop() tells of a failure; until then nobody looks.
    this.ended.catch(() => {});
  }

  /** Begins; resolves when the first round trip is over. */
  static async start(connection: BenchConnection): Promise<TurnProbe> {
    await declareQueue(connection, PROBE_QUEUE, false);
    await declareQueue(connection, PROBE_QUEUE, true);
    return new TurnProbe(connection);
  }

  /** The longest of `count` round trips, in milliseconds. */
  static async longestOf(connection: BenchConnection, count: number): Promise<number> {
    await declareQueue(connection, PROBE_QUEUE, false);
    let longestMs = 0;
    for (let i = 0; i < count; i++) longestMs = Math.max(longestMs, await roundTripMs(connection));
    return longestMs;
  }

  /**
   * Ends it behind the round trip under way; the longest so far, in milliseconds.
   *
   * @throws Error when the connection has failed.
   */
  async stop(): Promise<number> {
    this.isStopped = true;
    await this.ended;
    return this.longestMs;
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      this.longestMs = Math.max(this.longestMs, await roundTripMs(this.connection));
    }
  }
}

async function roundTripMs(connection: BenchConnection): Promise<number> {
  const startedMs = performance.now();
  await declareQueue(connection, PROBE_QUEUE, true);
  return performance.now() - startedMs;
}
