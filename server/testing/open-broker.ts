/** A broker without listeners, over a directory and a file system of the test's choice, and what to ask it as. */

import {
  type BasicProperties,
  encodeBasicProperties,
  sizeOfBasicProperties,
  writeShortstr,
} from '../../generated/index.ts';
import { Permissions } from '../auth/permissions.ts';
import { ByteArea } from '../base/byte-area.ts';
import { FixedBytes } from '../base/fixed-bytes.ts';
import { Broker, type BrokerTuning } from '../broker/broker.ts';
import { Consumer, type ConsumerOptions } from '../broker/consumer.ts';
import type { DeliveryRun } from '../broker/delivery-run.ts';
import type { Actor, DeliverySink } from '../broker/ports.ts';
import { Publisher } from '../broker/publish.ts';
import type { Queue } from '../broker/queue.ts';
import type { Vhost } from '../broker/vhost.ts';
import { VhostStore } from '../broker/vhost-store.ts';
import { type FileSystem, realFileSystem } from '../storage/fs.ts';
import { bodySizeAt, type MessageParts, messageSizeAt } from '../storage/record-format.ts';
import { createSilentLogger, type Logger } from '../telemetry/logger.ts';
import { eventually } from './eventually.ts';
import { type Teardown, temporaryDirectory } from './temporary-directory.ts';

/** What {@link openBroker} opened. */
export interface OpenBroker {
  readonly broker: Broker;
  readonly vhost: Vhost;
  readonly dataDir: string;
  /** Closes it in order, as {@link Broker.close} does; also done at the end of the test. */
  close(): Promise<boolean>;
}

/** Opens the broker that `dataDir` holds, or an empty one. */
export async function openBroker(
  t: Teardown,
  fs: FileSystem = realFileSystem,
  dataDir: string = temporaryDirectory(t),
  tuning: BrokerTuning = {},
  logger: Logger = createSilentLogger(),
): Promise<OpenBroker> {
  const vhosts = await VhostStore.load(fs, dataDir);
  const broker = new Broker(fs, vhosts, logger, tuning);
  let closed: Promise<boolean> | null = null;
  const close = () => {
    closed ??= broker.close();
    return closed;
  };
  t.teardown(close);
  return { broker, vhost: broker.vhosts.get('/')!, dataDir, close };
}

const ALL = new Permissions({ configure: '.*', write: '.*', read: '.*' });

/** Somebody who may do everything. */
export function testActor(): Actor {
  const owner = { description: 'test', queueClosed: () => undefined };
  return { userName: 'test', permissions: ALL, canImpersonate: false, owner };
}

/** A message for the exchange and routing key, without properties other than those given. */
export function messageTo(
  exchange: string,
  routingKey: string,
  body: string,
  properties: BasicProperties = {},
): MessageParts {
  const envelopeSize = 2 + Buffer.byteLength(exchange) + Buffer.byteLength(routingKey);
  const propertiesSize = sizeOfBasicProperties(properties);
  const head = Buffer.alloc(envelopeSize + propertiesSize);
  const keyAt = writeShortstr(head, 0, exchange);
  const propertiesAt = writeShortstr(head, keyAt, routingKey);
  encodeBasicProperties(head, propertiesAt, properties);
  const bytes = Buffer.from(body);
  return {
    head: new ByteArea(head),
    envelopeAt: 0,
    envelopeSize: propertiesAt,
    propertiesAt,
    propertiesSize,
    body: new ByteArea(bytes),
    bodyAt: 0,
    bodySize: bytes.length,
    large: null,
  };
}

/** Publishes bodies to a queue. */
export function publishAll(vhost: Vhost, queue: string, bodies: readonly string[]): void {
  const publisher = new Publisher(vhost, testActor());
  for (const body of bodies) publisher.publish(messageTo('', queue, body));
}

/** `count` bodies: m and a number, from `from` on. */
export function numbered(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m${from + i}`);
}

/** What a {@link RecordingSink} was given. */
export interface RecordedDelivery {
  readonly tag: string;
  readonly body: string;
  readonly sequence: number;
  readonly position: number;
  readonly redelivered: boolean;
}

/** Takes deliveries up to a limit and remembers them. */
export class RecordingSink implements DeliverySink {
  readonly deliveries: RecordedDelivery[] = [];
  readonly cancelled: string[] = [];
  limit: number = Number.POSITIVE_INFINITY;

  get canTake(): boolean {
    return this.deliveries.length < this.limit;
  }

  get credit(): number {
    return this.limit - this.deliveries.length;
  }

  deliver(
    consumer: Consumer,
    area: ByteArea,
    at: number,
    sequence: number,
    position: number,
    redelivered: boolean,
  ): void {
    if (!consumer.noAck) consumer.unackedCount++;
    const end = at + messageSizeAt(area.view, at);
    const body = area.buf.toString('utf8', end - bodySizeAt(area.view, at), end);
    this.deliveries.push({ tag: consumer.tag, body, sequence, position, redelivered });
  }

  deliverRun(consumer: Consumer, run: DeliveryRun): void {
    while (run.delivered < run.length && consumer.isWilling) run.deliverNext(consumer);
  }

  consumerCancelled(consumer: Consumer): void {
    this.cancelled.push(consumer.tag);
  }

  /** Starts a consumer of `queue` that delivers here; without acks unless told otherwise. */
  consume(queue: Queue, options: Partial<ConsumerOptions> = {}): Consumer {
    const all = {
      tag: 'c',
      noAck: true,
      exclusive: false,
      prefetchCount: 0,
      priority: 0,
      ...options,
    };
    const consumer = new Consumer(queue, this, all, new FixedBytes(Buffer.alloc(0)));
    queue.addConsumer(consumer);
    queue.startConsumer(consumer);
    return consumer;
  }
}

/** Resolves when the sink has got `count` messages. */
export function delivered(sink: RecordingSink, count: number): Promise<void> {
  return eventually(() => {
    if (sink.deliveries.length < count) throw new Error(`${sink.deliveries.length} of ${count}`);
  });
}
