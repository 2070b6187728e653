/**
 * A client that asks little while others ask much: it sends a message to a queue of its own, and the next one a while
 * after that has come back. What it waits is a turn of the server for its publish and one for its delivery; nothing of
 * it waits for the disk.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BASIC_DELIVER_ID,
  EMPTY_TABLE,
  encodeQueueDeclare,
  QUEUE_DECLARE_OK_ID,
  sizeOfQueueDeclare,
} from '../../generated/index.ts';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection, ignoreReply } from '../amqp/bench-connection.ts';
import { startConsumer } from '../amqp/control.ts';
import { BENCH_CHANNEL, type TrafficSink } from '../amqp/traffic-scanner.ts';
import { encodePublish } from '../throughput/publish-block.ts';

/** One that waits longer has been forgotten. */
const WAIT_MS_MAX = 60_000;

/** Told when a message was published and when it was delivered, on the clock of `performance`. */
export type PassedListener = (sentMs: number, deliveredMs: number) => void;

/** One client, its queue and its consumer. */
export class Bystander implements TrafficSink {
  private readonly connection: BenchConnection;
  private readonly publish: Buffer;
  private readonly onPassed: PassedListener;
  private delivered: () => void;

  private constructor(connection: BenchConnection, publish: Buffer, onPassed: PassedListener) {
    this.connection = connection;
    this.publish = publish;
    this.onPassed = onPassed;
    this.delivered = () => undefined;
    connection.setTraffic(this);
  }

  /** Opens its connection and its queue. */
  static async open(uri: AmqpUri, queue: string, onPassed: PassedListener): Promise<Bystander> {
    const connection = await BenchConnection.open(uri, `bystander ${queue}`);
    const declare = {
      queue,
      passive: false,
      durable: false,
      exclusive: true,
      autoDelete: false,
      noWait: false,
      arguments: EMPTY_TABLE,
    };
    const frame = Buffer.allocUnsafe(sizeOfQueueDeclare(declare));
    encodeQueueDeclare(frame, 0, BENCH_CHANNEL, declare);
    await connection.call(frame, QUEUE_DECLARE_OK_ID, ignoreReply);
    await startConsumer(connection, queue, true);
    const publish = encodePublish({
      channel: BENCH_CHANNEL,
      exchange: '',
      routingKey: queue,
      bodySizeBytes: 1,
      persistent: false,
      frameMax: connection.frameMax,
    });
    return new Bystander(connection, publish, onPassed);
  }

  /**
   * Sends messages, `pauseMs` after the last one came back, until `isOver`.
   *
   * @throws Error when the connection fails, or a message does not come back at all
   */
  async run(pauseMs: number, isOver: () => boolean): Promise<void> {
    // Not all in the same moment.
    await sleep(Math.random() * pauseMs);
    while (!isOver()) {
      const sentMs = performance.now();
      await this.passMessage();
      this.onPassed(sentMs, performance.now());
      await sleep(pauseMs);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private async passMessage(): Promise<void> {
    const patience = new AbortController();
    const delivered = new Promise<void>((resolve) => {
      this.delivered = resolve;
    });
    this.connection.write(this.publish);
    const forgotten = sleep(WAIT_MS_MAX, undefined, { signal: patience.signal }).then(
      () => Promise.reject(new Error(`a message did not come back within ${WAIT_MS_MAX} ms`)),
      () => undefined,
    );
    try {
      await this.connection.whileOpen(Promise.race([delivered, forgotten]));
    } finally {
      patience.abort();
    }
  }

  onMethod(methodId: number, _buf: Buffer, _start: number, end: number): number {
    return methodId === BASIC_DELIVER_ID ? end + 1 : -1;
  }

  onContentHeader(): void {}

  onBody(_sizeBytes: number, isFrameEnd: boolean): void {
    if (isFrameEnd) this.delivered();
  }

  onReadEnd(): void {}
}
