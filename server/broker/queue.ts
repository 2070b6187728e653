/**
 * @hot A queue: its index of messages, its consumers, and the verbs that move messages between ready, unacked
 * and gone.
 *
 * State plus verbs; what a queue may be declared with and who may use it is vhost.ts, how deliveries
 * happen is deliver.ts. After a delete its consumers' unacked deliveries stay valid on their channels:
 * an ack then does nothing, and a requeue drops them.
 */
import type { FieldTable } from '../../generated/index.ts';
import type { MemoryBlock } from '../storage/memory-block.ts';
import type { MessageStore } from '../storage/message-store.ts';
import type { QueueIndex } from '../storage/queue-index.ts';
import { SETTLE_REASONS } from '../storage/record-format.ts';
import type { RouteSet } from '../storage/route-set.ts';
import type { BindingGroup } from './binding-group.ts';
import type { Consumer } from './consumer.ts';
import {
  addToLevels,
  type ConsumerLevel,
  nextWillingConsumer,
  removeFromLevels,
} from './consumer-levels.ts';
import type { Exchange } from './exchange.ts';
import type { QueueOwner } from './ports.ts';
import type { Reactor } from './reactor.ts';

const NO_LEVELS: readonly ConsumerLevel[] = [];

/** How a queue was declared. */
export interface QueueDeclaration {
  readonly name: string;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly args: FieldTable;
}

/** A queue of a vhost. */
export class Queue {
  readonly kind: 'queue' = 'queue' as const;
  readonly name: string;
  /** As declared; an exclusive queue keeps nothing beyond its connection all the same. */
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly args: FieldTable;
  /** The connection it belongs to, or null when it is open to all. */
  readonly owner: QueueOwner | null;
  readonly index: QueueIndex;
  /** Log position of its definition; it exists for good once that is durable. -1: transient. */
  definedAt: number;
  /** Bindings that lead here, by where they begin. */
  readonly incoming: Map<Exchange, BindingGroup>;
  /** Of messages that go to this queue alone; null before the first (route.ts). */
  routeSet: RouteSet | null;
  consumers: readonly Consumer[];
  isDeleted: boolean;

  // What deliver.ts keeps here.
  /** Marked for the next turn (reactor.ts). */
  isMarked: boolean;
  /** Used up its share of the last turn: its publishers are read less. */
  isBehind: boolean;
  /** Waits for a read or a sync; deliveries go on when that has come. */
  isParked: boolean;
  /** The block that held the last message delivered. */
  block: MemoryBlock | null;
  /** The position that the last read of this queue was for; infinite before the first. */
  readFrom: number;
  /** Its consumers as they are asked. */
  private levels: readonly ConsumerLevel[];

  private readonly store: MessageStore;
  private readonly reactor: Reactor;
  private hadConsumer: boolean;

  constructor(
    store: MessageStore,
    reactor: Reactor,
    index: QueueIndex,
    declaration: QueueDeclaration,
    owner: QueueOwner | null,
  ) {
    this.name = declaration.name;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.args = declaration.args;
    this.owner = owner;
    this.index = index;
    this.definedAt = -1;
    this.incoming = new Map();
    this.routeSet = null;
    this.consumers = [];
    this.isDeleted = false;
    this.isMarked = false;
    this.isBehind = false;
    this.isParked = false;
    this.block = null;
    this.readFrom = Number.POSITIVE_INFINITY;
    this.levels = NO_LEVELS;
    this.store = store;
    this.reactor = reactor;
    this.hadConsumer = false;
  }

  get messageStore(): MessageStore {
    return this.store;
  }

  /** True when it went with its last consumer's leave: auto-delete counts only after a first one. */
  get isAbandoned(): boolean {
    return this.autoDelete && this.hadConsumer && this.consumers.length === 0;
  }

  /** HOT per message. Enters the stored message at `position` at the tail. */
  enqueue(position: number, bodySize: number): void {
    this.index.append(position, bodySize);
    if (this.consumers.length > 0) this.reactor.markQueue(this);
  }

  /** HOT per ack. A delivery of this queue is settled: the message is gone. */
  acknowledge(sequence: number, position: number, bodySize: number): void {
    this.settle(sequence, position, bodySize, SETTLE_REASONS.acked);
  }

  /** Drops a delivered message. There is no dead-lettering yet: it is gone. */
  reject(sequence: number, position: number, bodySize: number): void {
    this.settle(sequence, position, bodySize, SETTLE_REASONS.dropped);
  }

  /** Puts delivered messages back to their places: sequence number, position, body size in turn. */
  requeue(entries: readonly number[]): void {
    if (this.isDeleted) return;
    this.store.requeue(this.index, entries);
    this.wake();
  }

  /** Drops all ready messages; returns their number. */
  purge(): number {
    return this.store.purge(this.index);
  }

  /** The consumer has its place; deliveries begin with {@link startConsumer}. */
  addConsumer(consumer: Consumer): void {
    this.consumers = [...this.consumers, consumer];
    this.levels = addToLevels(this.levels, consumer);
    this.hadConsumer = true;
  }

  startConsumer(consumer: Consumer): void {
    consumer.active = true;
    this.wake();
  }

  removeConsumer(consumer: Consumer): void {
    consumer.active = false;
    this.consumers = this.consumers.filter((other) => other !== consumer);
    this.levels = removeFromLevels(this.levels, consumer);
  }

  /** Something changed that may allow a delivery. */
  wake(): void {
    if (this.index.readyCount > 0 && this.consumers.length > 0) this.reactor.markQueue(this);
  }

  /** A message could not be read back. */
  readFailed(error: Error): void {
    this.reactor.report(new Error(`queue '${this.name}' cannot be read`, { cause: error }));
  }

  /** HOT per delivery. The next consumer in turn that takes a message, or null. */
  nextWillingConsumer(): Consumer | null {
    return nextWillingConsumer(this.levels);
  }

  /** Ends the queue: consumers are told, messages dropped. The vhost has taken it out of its tables. */
  close(): void {
    this.isDeleted = true;
    const consumers = this.consumers;
    this.consumers = [];
    this.levels = NO_LEVELS;
    for (const consumer of consumers) {
      consumer.active = false;
      consumer.sink.consumerCancelled(consumer);
    }
    this.owner?.queueClosed(this);
    this.store.dropIndex(this.index);
    this.block = null;
  }

  private settle(sequence: number, position: number, bodySize: number, reason: number): void {
    if (this.isDeleted) return;
    this.store.settle(this.index, sequence, position, bodySize, reason);
  }
}
