/** Declares many queues and keeps them. */
import { randomBytes } from 'node:crypto';
import type { FieldTable } from '../../generated/index.ts';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue, declareQueueAs, deleteQueue, encodeDeclareQueue } from '../amqp/control.ts';
import type { OperationMeter } from '../operations/operation-meter.ts';

/** So many declares leave in one write where none is waited for. */
const DECLARES_PER_WRITE = 500;

/** What the queues are. */
export interface QueueCountOptions {
  readonly uri: AmqpUri;
  /** Durable, or exclusive. */
  readonly durable: boolean;
  readonly queueArguments: FieldTable;
  /** Declare without waiting for each answer. */
  readonly noWait: boolean;
}

/** Queues that were declared. */
export class QueueCount {
  readonly prefix: string;
  private readonly connection: BenchConnection;
  private readonly options: QueueCountOptions;
  private declared: number;

  private constructor(connection: BenchConnection, options: QueueCountOptions) {
    this.prefix = `firnmqperf-queue-${randomBytes(4).toString('hex')}`;
    this.connection = connection;
    this.options = options;
    this.declared = 0;
  }

  /** Connects. */
  static async connect(options: QueueCountOptions): Promise<QueueCount> {
    return new QueueCount(await BenchConnection.open(options.uri, 'firnmqperf count'), options);
  }

  get broker(): string {
    return this.connection.broker;
  }

  /** How many were declared. */
  get count(): number {
    return this.declared;
  }

  /** Resolves when the connection has failed. */
  get whenFailed(): Promise<Error> {
    return this.connection.whenFailed;
  }

  /**
   * Declares so many more; resolves when the broker has them all.
   *
   * @param signal stops it with what is declared by then
   */
  async declare(count: number, meter: OperationMeter, signal: AbortSignal): Promise<void> {
    const end = this.declared + count;
    while (this.declared < end && !signal.aborted) {
      if (this.options.noWait) await this.declareSome(end, meter);
      else await meter.time(() => declareQueueAs(this.connection, this.next()));
    }
    // The answer comes behind everything before it.
    if (this.options.noWait && this.declared > 0) {
      await declareQueue(this.connection, this.name(this.declared - 1), true);
    }
  }

  /** Deletes durable queues, in the order in which they were declared; exclusive ones go by themselves. */
  async delete(meter: OperationMeter, signal: AbortSignal): Promise<void> {
    for (let i = 0; i < this.declared && !signal.aborted; i++) {
      await meter.time(() => deleteQueue(this.connection, this.name(i)));
    }
  }

  /** Closes the connection; never rejects. */
  async close(): Promise<void> {
    await this.connection.close();
  }

  private async declareSome(end: number, meter: OperationMeter): Promise<void> {
    const count = Math.min(DECLARES_PER_WRITE, end - this.declared);
    const frames = Array.from({ length: count }, () => encodeDeclareQueue(this.next()));
    this.connection.write(Buffer.concat(frames));
    await this.connection.whenWritable();
    meter.count += count;
  }

  /** The declaration of the next queue, which counts as declared. */
  private next() {
    const { durable, queueArguments, noWait } = this.options;
    return {
      queue: this.name(this.declared++),
      durable,
      exclusive: !durable,
      noWait,
      arguments: queueArguments,
    };
  }

  private name(index: number): string {
    return `${this.prefix}-${index}`;
  }
}
