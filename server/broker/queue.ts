/**
 * @hot A queue: its index of messages, its consumers, and the verbs that move messages between ready, unacked
 * and gone.
 *
 * A queue that never had a message, nor a route that leads to it, costs a few hundred bytes: index and table of bindings
 * are made when they are needed first.
 *
 * State plus verbs; what a queue may be declared with and who may use it is vhost.ts, how deliveries
 * happen is deliver.ts. After a delete its consumers' unacked deliveries stay valid on their channels:
 * an ack then does nothing, and a requeue drops them.
 */
import type { FieldTable } from '../../generated/index.ts';
import type { MemoryBlock } from '../storage/memory-block.ts';
import type { MessageRun } from '../storage/message-run.ts';
import type { MessageStore } from '../storage/message-store.ts';
import { QueueIndex } from '../storage/queue-index.ts';
import { SETTLE_REASONS } from '../storage/record-format.ts';
import type { RouteSet } from '../storage/route-set.ts';
import type { BindingGroup, BindingGroups } from './binding-group.ts';
import type { Consumer } from './consumer.ts';
import { ConsumerLevels } from './consumer-levels.ts';
import type { Exchange } from './exchange.ts';
import type { QueueOwner } from './ports.ts';
import { QueueReturns, type UnfinishedReturn } from './queue-returns.ts';
import type { Reactor } from './reactor.ts';

/** A queue whose last delivery is longer ago has consumers that need their time: nobody waits for them. */
const SERVED_LATELY_MS = 20;
/** So much may wait in a queue whose consumers keep up. */
const LAG_BYTES = 1024 * 1024;
/** What a message takes beside its body, about. */
const MESSAGE_OVERHEAD_BYTES = 64;

/** Of all queues without one. */
const NO_CONSUMERS = new ConsumerLevels();
const NO_BINDINGS: BindingGroups<Exchange> = new Map();

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
  /** Its number in the log, never used for another queue; 0: the log hears nothing of it. */
  readonly number: number;
  /** Log position of its definition; it exists for good once that is durable. -1: transient. */
  definedAt: number;
  /** Of messages that go to this queue alone; null before the first (route.ts). */
  routeSet: RouteSet | null;
  consumers: ConsumerLevels;
  isDeleted: boolean;

  // What deliver.ts keeps here.
  /** Marked for the next turn (reactor.ts). */
  isMarked: boolean;
  /** Used up its share of the last turn: its publishers are read less. */
  isBehind: boolean;
  /** Monotonic time of its last delivery, in milliseconds. */
  servedMs: number;
  /** Waits for a read or a sync; deliveries go on when that has come. */
  isParked: boolean;
  /** The block that held the last message delivered. */
  block: MemoryBlock | null;
  /** The position that the last read of this queue was for; infinite before the first. */
  readFrom: number;

  private readonly store: MessageStore;
  private readonly reactor: Reactor;
  private hadConsumer: boolean;
  /** Null until it is needed. */
  private made: QueueIndex | null;
  /** Null: no binding ever led here. */
  private groups: Map<Exchange, BindingGroup> | null;
  /** Null: nothing is on its way back. */
  private returns: QueueReturns | null;

  constructor(
    store: MessageStore,
    reactor: Reactor,
    number: number,
    recovered: QueueIndex | null,
    declaration: QueueDeclaration,
    owner: QueueOwner | null,
  ) {
    this.name = declaration.name;
    this.durable = declaration.durable;
    this.autoDelete = declaration.autoDelete;
    this.args = declaration.args;
    this.owner = owner;
    this.number = number;
    this.definedAt = -1;
    this.routeSet = null;
    this.consumers = NO_CONSUMERS;
    this.isDeleted = false;
    this.isMarked = false;
    this.isBehind = false;
    this.servedMs = Number.NEGATIVE_INFINITY;
    this.isParked = false;
    this.block = null;
    this.readFrom = Number.POSITIVE_INFINITY;
    this.store = store;
    this.reactor = reactor;
    this.hadConsumer = false;
    this.made = recovered;
    this.groups = null;
    this.returns = null;
  }

  /** Its messages by sequence number. */
  get index(): QueueIndex {
    return this.made ?? this.makeIndex();
  }

  /** The same where there is one yet. */
  get madeIndex(): QueueIndex | null {
    return this.made;
  }

  /** Messages that wait for a consumer, those on their way back among them. */
  get readyCount(): number {
    const { made, returns } = this;
    if (made === null) return 0;
    return returns === null ? made.readyCount : made.readyCount + returns.count;
  }

  /** Whether messages are on their way back, before which none may leave. */
  get awaitsReturn(): boolean {
    return this.returns !== null;
  }

  /** Whether the log hears of what happens here: the queue survives a restart. */
  get isLogged(): boolean {
    return this.number > 0;
  }

  /** Bindings that lead here, by where they begin. */
  get incoming(): BindingGroups<Exchange> {
    return this.groups ?? NO_BINDINGS;
  }

  addIncoming(group: BindingGroup): void {
    this.groups ??= new Map();
    this.groups.set(group.source, group);
  }

  removeIncoming(source: Exchange): void {
    this.groups?.delete(source);
  }

  /** Gives up all bindings that lead here: it is deleted. */
  takeIncoming(): BindingGroups<Exchange> {
    const { incoming } = this;
    this.groups = null;
    return incoming;
  }

  get messageStore(): MessageStore {
    return this.store;
  }

  /** True when it went with its last consumer's leave: auto-delete counts only after a first one. */
  get isAbandoned(): boolean {
    return this.autoDelete && this.hadConsumer && this.consumers.count === 0;
  }

  /** HOT per message. Enters the stored message at `position` at the tail. */
  enqueue(position: number, bodySize: number): void {
    this.index.append(position, bodySize);
    if (this.consumers.count > 0) this.reactor.markQueue(this);
  }

  /** HOT per run. The same for the last piece of a run. */
  enqueueRun(run: MessageRun): void {
    this.index.appendRun(run);
    if (this.consumers.count > 0) this.reactor.markQueue(this);
  }

  /** HOT per ack. A delivery of this queue is settled: the message is gone. */
  acknowledge(sequence: number, position: number, bodySize: number): void {
    if (this.isDeleted) return;
    this.store.settle(this.index, sequence, position, bodySize, SETTLE_REASONS.acked);
  }

  /** How many of `max` deliveries from `sequence` on may go into one {@link settleRun}. */
  settleSpan(sequence: number, max: number): number {
    return this.isDeleted ? max : Math.min(max, this.index.rowSpan(sequence));
  }

  /**
   * HOT per run. Several deliveries are settled, as {@link MessageStore.settleRun} has them: `isAcked`, or dropped. There
   * is no dead-lettering yet: the messages are gone.
   */
  settleRun(
    sequence: number,
    count: number,
    positions: Float64Array,
    from: number,
    bodyBytes: number,
    isAcked: boolean,
  ): void {
    if (this.isDeleted) return;
    const { index, store } = this;
    const reason = isAcked ? SETTLE_REASONS.acked : SETTLE_REASONS.dropped;
    store.settleRun(index, sequence, count, positions, from, bodyBytes, reason);
  }

  /** Puts delivered messages back to their places: sequence number, position, body size in turn. */
  requeue(entries: readonly number[]): void {
    if (this.isDeleted) return;
    this.store.requeue(this.index, entries);
    this.wake();
  }

  /** Of messages that were delivered, `count` come back with `pending`, over several turns. */
  beginReturn(pending: UnfinishedReturn, count: number): void {
    if (this.isDeleted) return;
    this.returns ??= new QueueReturns();
    this.returns.begin(pending, count);
  }

  /** Some of them are back; `entries` as in {@link requeue}. */
  cameBack(entries: readonly number[]): void {
    if (this.returns !== null) this.returns.count -= entries.length / 3;
    this.requeue(entries);
  }

  /** All of them are back. */
  endReturn(pending: UnfinishedReturn): void {
    const { returns } = this;
    if (returns?.end(pending) !== true) return;
    this.returns = null;
    this.wake();
    returns.tellAll();
  }

  /** Calls `goOn` when what is on its way back is there, or the queue is deleted. */
  afterReturn(goOn: () => void): void {
    if (this.returns === null) goOn();
    else this.returns.wait(goOn);
  }

  /** Drops all ready messages; returns their number. */
  purge(): number {
    this.returns?.finishAll();
    return this.made === null ? 0 : this.store.purge(this.made);
  }

  /** The consumer has its place; deliveries begin with {@link startConsumer}. */
  addConsumer(consumer: Consumer): void {
    if (this.consumers === NO_CONSUMERS) this.consumers = new ConsumerLevels();
    this.consumers.add(consumer);
    this.hadConsumer = true;
  }

  startConsumer(consumer: Consumer): void {
    consumer.active = true;
    this.wake();
  }

  removeConsumer(consumer: Consumer): void {
    consumer.active = false;
    if (this.isDeleted) return;
    this.consumers.remove(consumer);
    if (this.consumers.count === 0) this.consumers = NO_CONSUMERS;
  }

  /**
   * HOT per read of a publisher. Whether its consumers keep taking messages and more wait than they take in a moment:
   * publishers should let them catch up, so that the queue stays in memory.
   */
  lags(nowMs: number): boolean {
    if (this.isBehind) return true;
    if (nowMs - this.servedMs > SERVED_LATELY_MS || this.consumers.count === 0) return false;
    const { readyBytes, readyCount } = this.index;
    return readyBytes + MESSAGE_OVERHEAD_BYTES * readyCount > LAG_BYTES;
  }

  /** Something changed that may allow a delivery. */
  wake(): void {
    if (this.readyCount > 0 && this.consumers.count > 0) this.reactor.markQueue(this);
  }

  /** A message could not be read back. */
  readFailed(error: Error): void {
    this.reactor.report(new Error(`queue '${this.name}' cannot be read`, { cause: error }));
  }

  /** Ends the queue: consumers are told, messages dropped. The vhost has taken it out of its tables. */
  close(): void {
    this.isDeleted = true;
    const consumers = this.consumers;
    this.consumers = NO_CONSUMERS;
    for (const consumer of consumers) {
      consumer.active = false;
      consumer.sink.consumerCancelled(consumer);
    }
    this.owner?.queueClosed(this);
    if (this.made !== null) this.store.dropIndex(this.made);
    this.block = null;
    const { returns } = this;
    this.returns = null;
    returns?.tellAll();
  }

  private makeIndex(): QueueIndex {
    const index = new QueueIndex(this.number, this.isLogged);
    index.dropped = this.isDeleted;
    this.store.adopt(index);
    this.made = index;
    return index;
  }
}
