/** The producers and consumers of one run, each on a connection of its own. */
import type { Histogram } from 'hdr-histogram-js';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { selectConfirms, setPrefetch, startConsumer } from '../amqp/control.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import { ConfirmWindow } from './confirm-window.ts';
import { ConsumeGoal } from './consume-goal.ts';
import { Consumer } from './consumer.ts';
import { createLatencyHistogram } from './latency-histogram.ts';
import { Producer } from './producer.ts';
import { buildPublishBlock } from './publish-block.ts';
import { Quota } from './quota.ts';
import type { ThroughputOptions } from './throughput-options.ts';

/** Connected by {@link Load.connect}, started by {@link Load.publish} and {@link Load.consume}. */
export class Load {
  /** Of confirms, in microseconds. */
  readonly latencyUs: Histogram;
  private readonly options: ThroughputOptions;
  private readonly goal: ConsumeGoal;
  private readonly quota: Quota;
  private readonly connections: BenchConnection[];
  private readonly consumerConnections: BenchConnection[];
  private readonly consumers: Consumer[];
  private readonly producers: Producer[];
  private readonly windows: ConfirmWindow[];

  constructor(options: ThroughputOptions) {
    this.latencyUs = createLatencyHistogram();
    this.options = options;
    this.goal = new ConsumeGoal(options.consumeCountMax);
    this.quota = new Quota(options.publishCountMax);
    this.connections = [];
    this.consumerConnections = [];
    this.consumers = [];
    this.producers = [];
    this.windows = [];
  }

  /** Resolves when one of the connections opened so far has failed. */
  get whenFailed(): Promise<Error> {
    return Promise.race(this.connections.map((connection) => connection.whenFailed));
  }

  get published(): number {
    return sum(this.producers, (producer) => producer.published);
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
    for (let i = 0; i < this.options.consumers; i++) await this.addConsumer(`consumer ${i}`);
    for (let i = 0; i < this.options.producers; i++) await this.addProducer(`producer ${i}`);
  }

  /** Publishes until `stop` or the count; resolves when the broker has confirmed and handled it all. */
  async publish(stop: Promise<unknown>): Promise<void> {
    for (const producer of this.producers) producer.start();
    await Promise.race([stop, Promise.all(this.producers.map((producer) => producer.whenIdle))]);
    await Promise.all(this.producers.map((producer) => producer.finish()));
  }

  /** Consumes until `stop` or the count. */
  async consume(stop: Promise<unknown>): Promise<void> {
    const { queue, ackEvery } = this.options;
    await Promise.all(
      this.consumerConnections.map((connection) =>
        startConsumer(connection, queue, ackEvery === 0),
      ),
    );
    await Promise.race([stop, this.goal.whenReached]);
  }

  /** Acks what is left to ack, and resolves when the broker has handled it. */
  async finishConsumers(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.finish()));
  }

  /** Stops and closes everything; never rejects. */
  async close(): Promise<void> {
    for (const producer of this.producers) producer.stop();
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  private async open(name: string): Promise<BenchConnection> {
    const connection = await BenchConnection.open(this.options.uri, `firnmqperf ${name}`);
    this.connections.push(connection);
    return connection;
  }

  private async addConsumer(name: string): Promise<void> {
    const { prefetchCount, ackEvery } = this.options;
    const connection = await this.open(name);
    if (prefetchCount > 0) await setPrefetch(connection, prefetchCount);
    this.consumerConnections.push(connection);
    this.consumers.push(new Consumer(connection, this.goal, ackEvery));
  }

  private async addProducer(name: string): Promise<void> {
    const { options } = this;
    const connection = await this.open(name);
    const block = buildPublishBlock({
      channel: BENCH_CHANNEL,
      exchange: options.exchange,
      routingKey: options.routingKey,
      bodySizeBytes: options.bodySizeBytes,
      persistent: options.persistent,
      frameMax: connection.frameMax,
    });
    let window: ConfirmWindow | null = null;
    if (options.confirmWindow > 0) {
      await selectConfirms(connection);
      window = new ConfirmWindow(options.confirmWindow, this.latencyUs);
      this.windows.push(window);
    }
    this.producers.push(new Producer(connection, block, this.quota, options.publishRate, window));
  }
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
