/** The producers and consumers of one run, each on a connection of its own. */
import { performance } from 'node:perf_hooks';
import { BenchConnection, createReadBuffer } from '../amqp/bench-connection.ts';
import {
  cancelConsumer,
  selectConfirms,
  selectTransactions,
  setPrefetch,
  startConsumer,
} from '../amqp/control.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import { BodyFilling } from './body-filling.ts';
import { drawFirstLane } from './body-stamp.ts';
import { ConfirmWindow } from './confirm-window.ts';
import { ConsumeGoal } from './consume-goal.ts';
import { ConsumePace } from './consume-pace.ts';
import { Consumer } from './consumer.ts';
import { DeliveryObserver } from './delivery-observer.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { declareOwnQueue, hasOwnQueues } from './load-queues.ts';
import { LoadVerification } from './load-verification.ts';
import { MessageStamper } from './message-stamper.ts';
import { Pacer } from './pacer.ts';
import { PollingConsumer } from './polling-consumer.ts';
import { Producer } from './producer.ts';
import { buildPublishBlock, type PublishBlock } from './publish-block.ts';
import { PublishTransaction } from './publish-transaction.ts';
import { Quota } from './quota.ts';
import { Schedule } from './schedule.ts';
import type { ThroughputOptions } from './throughput-options.ts';

interface ConsumerSlot {
  readonly connection: BenchConnection;
  readonly consumer: Consumer | PollingConsumer;
  readonly queue: string;
}

/** Connected by {@link Load.connect}, started by {@link Load.publish} and {@link Load.consume}. */
export class Load {
  /** Of confirms or commits. */
  readonly confirmLatencyUs: LatencyHistogram;
  /** From when a message was due to be published to when its consumer read it. */
  readonly latencyUs: LatencyHistogram;
  /** null: nothing is verified. */
  readonly verification: LoadVerification | null;
  private readonly options: ThroughputOptions;
  private readonly goal: ConsumeGoal;
  private readonly quota: Quota;
  private readonly pacer: Pacer;
  private readonly filling: BodyFilling;
  private readonly firstLane: number;
  private readonly startedMs: number;
  /** Shared by all connections that never pause, so that it stays in the core's cache. */
  private readonly readBuffer: Buffer;
  private readonly connections: BenchConnection[];
  private readonly consumers: ConsumerSlot[];
  private readonly producers: Producer[];
  private readonly windows: ConfirmWindow[];
  private readonly transactions: PublishTransaction[];
  /** Of all producers that do not stamp it; null: there is none yet. */
  private sharedBlock: PublishBlock | null;

  constructor(options: ThroughputOptions) {
    this.confirmLatencyUs = new LatencyHistogram();
    this.latencyUs = new LatencyHistogram();
    this.options = options;
    this.goal = new ConsumeGoal(options.consumeCountMax);
    this.quota = new Quota(options.publishCountMax);
    this.pacer = new Pacer();
    this.filling = new BodyFilling(Math.max(...options.bodySizesBytes), options.randomBodies);
    this.firstLane = drawFirstLane();
    this.startedMs = performance.now();
    this.verification =
      options.verify && options.consumers > 0
        ? new LoadVerification(options, this.filling, this.firstLane)
        : null;
    this.readBuffer = createReadBuffer();
    this.connections = [];
    this.consumers = [];
    this.producers = [];
    this.windows = [];
    this.transactions = [];
    this.sharedBlock = null;
  }

  /** Resolves when one of the connections opened so far has failed. */
  get whenFailed(): Promise<Error> {
    return Promise.race(this.connections.map((connection) => connection.whenFailed));
  }

  get published(): number {
    return sum(this.producers, (producer) => producer.published);
  }

  /** By the index of the producer. */
  get publishedByProducer(): number[] {
    return this.producers.map((producer) => producer.published);
  }

  get consumed(): number {
    return this.goal.consumed;
  }

  get confirmed(): number {
    return sum(this.windows, (window) => window.confirmed);
  }

  get nacked(): number {
    return sum(this.windows, (window) => window.nacked);
  }

  get committed(): number {
    return sum(this.transactions, (transaction) => transaction.committed);
  }

  /** Messages that were due a millisecond ago and are not published; 0 where no rate is set. */
  get behindSchedule(): number {
    const nowUs = (performance.now() - 1) * 1000;
    return Math.max(
      0,
      sum(this.producers, (producer) => producer.behindSchedule(nowUs)),
    );
  }

  /** What has been measured so far does not count. */
  clearLatencies(): void {
    this.confirmLatencyUs.clear();
    this.latencyUs.clear();
  }

  /** Time that this process has spent only waiting for the next message to be due. */
  get pacingIdleMs(): number {
    return this.pacer.idleMs;
  }

  /** Resolves when every count that the options limit is reached; never where they limit none. */
  get whenCountsReached(): Promise<unknown> {
    const { publishCountMax, consumeCountMax } = this.options;
    const limits: Promise<void>[] = [];
    if (publishCountMax > 0) limits.push(...this.producers.map((producer) => producer.whenIdle));
    if (consumeCountMax > 0) limits.push(this.goal.whenReached);
    return limits.length === 0 ? new Promise(() => {}) : Promise.all(limits);
  }

  /** Opens every connection and channel; nothing is published or consumed yet. */
  async connect(): Promise<void> {
    for (let i = 0; i < this.options.consumers; i++) await this.addConsumer(i);
    for (let i = 0; i < this.options.producers; i++) await this.addProducer(i);
  }

  /** Publishes until `stop` or the count; resolves when the broker has confirmed and handled it all. */
  async publish(stop: Promise<unknown>): Promise<void> {
    for (const producer of this.producers) producer.start();
    await Promise.race([stop, Promise.all(this.producers.map((producer) => producer.whenIdle))]);
    await Promise.all(this.producers.map((producer) => producer.finish()));
  }

  /** Consumes until `stop` or the count. */
  async consume(stop: Promise<unknown>): Promise<void> {
    const { ackEvery, consumerArguments } = this.options;
    await Promise.all(
      this.consumers.map(async ({ connection, consumer, queue }) => {
        if (consumer instanceof PollingConsumer) consumer.start();
        else await startConsumer(connection, queue, ackEvery === 0, 'c', consumerArguments);
      }),
    );
    await Promise.race([stop, this.goal.whenReached]);
  }

  /** Acks what is left to ack, and resolves when the broker has handled it. */
  async finishConsumers(): Promise<void> {
    await Promise.all(
      this.consumers.map(async ({ connection, consumer }) => {
        if (this.verification !== null && consumer instanceof Consumer) {
          // Whatever the broker has sent is then seen, and what was not seen is lost.
          consumer.release();
          await cancelConsumer(connection);
        }
        await consumer.finish();
      }),
    );
  }

  /** Stops and closes everything; never rejects. */
  async close(): Promise<void> {
    for (const producer of this.producers) producer.stop();
    this.pacer.stop();
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  private async open(name: string, readBuffer: Buffer): Promise<BenchConnection> {
    const connection = await BenchConnection.open(this.options.uri, `firnmqperf ${name}`, {
      readBuffer,
    });
    this.connections.push(connection);
    return connection;
  }

  private async addConsumer(index: number): Promise<void> {
    const { options, goal } = this;
    const { prefetchCount, ackEvery, ackTransaction, consumeRate, consumers } = options;
    const pauses = consumeRate > 0;
    const readBuffer = pauses ? createReadBuffer() : this.readBuffer;
    const connection = await this.open(`consumer ${index}`, readBuffer);
    const queue = hasOwnQueues(options)
      ? await declareOwnQueue(connection, options)
      : options.queues[index % options.queues.length]!;
    if (prefetchCount > 0) await setPrefetch(connection, prefetchCount);
    if (ackTransaction > 0) await selectTransactions(connection);
    const schedule = new Schedule(consumeRate, (index + 1) / consumers);
    const consumerOptions = {
      commitEvery: ackTransaction,
      pace: pauses ? new ConsumePace(schedule, this.pacer) : null,
      observer: this.createObserver(queue),
    };
    const consumer = options.poll
      ? new PollingConsumer(connection, goal, ackEvery, queue, consumerOptions)
      : new Consumer(connection, goal, ackEvery, consumerOptions);
    this.consumers.push({ connection, consumer, queue });
  }

  private createObserver(queue: string): DeliveryObserver | null {
    const { verification } = this;
    const latencyUs = this.options.measureLatency ? this.latencyUs : null;
    if (latencyUs === null && verification === null) return null;
    return new DeliveryObserver(
      latencyUs,
      verification?.addConsumer(queue) ?? null,
      this.startedMs,
    );
  }

  private async addProducer(index: number): Promise<void> {
    const { options, pacer } = this;
    const connection = await this.open(`producer ${index}`, this.readBuffer);
    const { block, stamper } = this.messagesFor(index, connection.frameMax);
    let window: ConfirmWindow | null = null;
    let transaction: PublishTransaction | null = null;
    if (options.confirmWindow > 0) {
      await selectConfirms(connection);
      window = new ConfirmWindow(options.confirmWindow, this.confirmLatencyUs);
      this.windows.push(window);
    }
    if (options.publishTransaction > 0) {
      await selectTransactions(connection);
      transaction = new PublishTransaction(options.publishTransaction, this.confirmLatencyUs);
      this.transactions.push(transaction);
    }
    const schedule = new Schedule(options.publishRate, (index + 1) / options.producers);
    const pace = options.publishRate > 0 ? { schedule, pacer } : null;
    const producerOptions = { window, transaction, pace, stamper };
    this.producers.push(new Producer(connection, block, this.quota, producerOptions));
  }

  /** The block of a producer, and who stamps it, which takes a block of its own. */
  private messagesFor(
    index: number,
    frameMax: number,
  ): { block: PublishBlock; stamper: MessageStamper | null } {
    const { options } = this;
    const { queues, verify, measureLatency, randomBodies } = options;
    const isStamped = verify || measureLatency || randomBodies;
    if (!isStamped) {
      this.sharedBlock ??= this.buildBlock(frameMax);
      return { block: this.sharedBlock, stamper: null };
    }
    const block = this.buildBlock(frameMax);
    const stamper = new MessageStamper(block, {
      time: verify || measureLatency,
      number: verify,
      firstLane: this.firstLane + index * queues.length,
      queueCount: queues.length,
      filling: this.filling,
      frameMax,
    });
    return { block, stamper };
  }

  private buildBlock(frameMax: number): PublishBlock {
    const { queues, routingKey, exchange, bodySizesBytes, persistent, properties } = this.options;
    return buildPublishBlock({
      channel: BENCH_CHANNEL,
      exchange,
      routingKeys: routingKey === null ? queues : queues.map(() => routingKey),
      bodySizesBytes,
      persistent,
      properties,
      frameMax,
    });
  }
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
