/** A publisher that waits for each confirm before it publishes again. */
import { performance } from 'node:perf_hooks';
import { BASIC_ACK_ID, BASIC_NACK_ID } from '../../generated/index.ts';
import type { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue, selectConfirms } from '../amqp/control.ts';
import { BENCH_CHANNEL, type TrafficSink } from '../amqp/traffic-scanner.ts';
import { encodePublish } from '../throughput/publish-block.ts';
import { SMALL_BODY_BYTES } from './publish.ts';

/** Publishes persistent messages to one durable queue. */
export class ConfirmPinger implements TrafficSink {
  private readonly connection: BenchConnection;
  private readonly message: Buffer;
  private latenciesUs: number[];
  private left: number;
  private sentMs: number;
  private resolve: () => void;

  private constructor(connection: BenchConnection, message: Buffer) {
    this.connection = connection;
    this.message = message;
    this.latenciesUs = [];
    this.left = 0;
    this.sentMs = 0;
    this.resolve = () => {};
    connection.setTraffic(this);
  }

  /** Declares the queue and asks for confirms. */
  static async open(connection: BenchConnection, queue: string): Promise<ConfirmPinger> {
    await declareQueue(connection, queue, false);
    await selectConfirms(connection);
    const message = encodePublish({
      channel: BENCH_CHANNEL,
      exchange: '',
      routingKey: queue,
      bodySizeBytes: SMALL_BODY_BYTES,
      persistent: true,
      frameMax: connection.frameMax,
    });
    return new ConfirmPinger(connection, message);
  }

  /** Publishes `count` messages; for each the microseconds from its write to its confirm. */
  async measure(count: number): Promise<readonly number[]> {
    this.latenciesUs = [];
    this.left = count;
    const whenDone = new Promise<void>((resolve) => {
      this.resolve = resolve;
    });
    this.send();
    await this.connection.whileOpen(whenDone);
    return this.latenciesUs;
  }

  onMethod(methodId: number, _buf: Buffer, _start: number, end: number): number {
    if (methodId === BASIC_NACK_ID) throw new Error('the broker did not take a message');
    if (methodId !== BASIC_ACK_ID) return -1;
    this.latenciesUs.push((performance.now() - this.sentMs) * 1000);
    this.left--;
    if (this.left > 0) this.send();
    else this.resolve();
    return end + 1;
  }

  onContentHeader(): void {}

  onBody(): void {}

  onReadEnd(): void {}

  private send(): void {
    this.sentMs = performance.now();
    this.connection.write(this.message);
  }
}
