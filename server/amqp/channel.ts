/**
 * @hot A channel: publishes on their way in, deliveries on their way out and not yet acked, consumers, confirms
 * and replies in their order.
 *
 * - Replies leave in the order of their requests. One that tells of something durable waits until the log is;
 *   those behind it wait too, while the requests behind it are already carried out.
 * - An error closes the channel and nothing else: unacked messages go back to their queues at once, and what
 *   the peer sends is dropped until it answers the close.
 * What each method does is in handlers/.
 */
import {
  BASIC_PUBLISH_IMMEDIATE_BIT,
  BASIC_PUBLISH_MANDATORY_BIT,
  BasicPropertiesView,
  checkFieldTable,
  encodeBasicAck,
  encodeBasicCancel,
  FRAME_ERROR,
  sizeOfBasicAck,
  sizeOfBasicCancel,
  WireError,
} from '../../generated/index.ts';
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import { Consumer, type ConsumerOptions } from '../broker/consumer.ts';
import type { Actor, DeliverySink } from '../broker/ports.ts';
import { PUBLISH_OUTCOMES, Publisher } from '../broker/publish.ts';
import type { Queue } from '../broker/queue.ts';
import { removeConsumer } from '../broker/queues.ts';
import type { Vhost } from '../broker/vhost.ts';
import type { LargeBodyReader } from '../storage/large-body-reader.ts';
import type { DurabilityWaiter } from '../storage/log.ts';
import {
  bodySizeAt,
  isLargeAt,
  type LargeBody,
  largeReferenceAt,
  type MessageParts,
} from '../storage/record-format.ts';
import type { StorageError } from '../storage/storage-error.ts';
import { type ChannelTransaction, SETTLEMENTS, type Settlement } from './channel-transaction.ts';
import type { ConfirmTracker } from './confirm-tracker.ts';
import { ContentAssembly, requireBodySize } from './content-assembly.ts';
import {
  createDeliverPrefix,
  sizeOfDelivery,
  sizeOfDeliveryHead,
  writeDelivery,
  writeDeliveryHead,
} from './delivery-writer.ts';
import type { GetQueue } from './get-queue.ts';
import type { LargeContentOwner, LargeOutput } from './large-output.ts';
import type { Output } from './output.ts';
import {
  bodyNotRead,
  notImplemented,
  type ProtocolError,
  preconditionFailed,
} from './protocol-error.ts';
import { encodeReturn, encodeReturnHead, writeReturn } from './return-writer.ts';
import { UnackedList } from './unacked-list.ts';

const GETTER: ConsumerOptions = { tag: '', noAck: false, exclusive: false, prefetchCount: 0 };
const NO_PREFIX = new ByteArea(Buffer.alloc(0));

/** What a channel needs of its connection. */
export interface ChannelConnection {
  readonly output: Output;
  readonly frameMax: number;
  readonly vhost: Vhost;
  readonly actor: Actor;
  readonly maxMessageSizeBytes: number;
  readonly knowsConsumerCancel: boolean;
  /** Bodies in files on their way out. */
  readonly largeOutput: LargeOutput;
  /** The channel has confirms that may leave at the end of the turn. */
  confirmsReady(channel: Channel): void;
  /** The peer has closed the channel: it ends now. */
  channelClosed(channel: Channel): void;
  /** The queue is exclusive to this connection. */
  ownsQueue(queue: Queue): void;
  /** The content that a channel was sending is complete, or never will be. */
  largeContentEnded(channel: Channel, error: ProtocolError | null): void;
}

/** A reply that waits for its turn. */
export interface PendingReply {
  /** Log position behind which it may leave; -1: at once. */
  readonly position: number;
  /** Writes the reply; null until it is known. */
  send: (() => void) | null;
  /** Lets go of what it holds when it will never be sent; null when it holds nothing. */
  discard: (() => void) | null;
}

/** One open channel. */
export class Channel implements DeliverySink, DurabilityWaiter, LargeContentOwner {
  readonly number: number;
  readonly connection: ChannelConnection;
  readonly vhost: Vhost;
  readonly actor: Actor;
  readonly content: ContentAssembly;
  readonly unacked: UnackedList;
  readonly consumers: Map<string, Consumer>;
  /** Null until the first basic.get. */
  gets: GetQueue | null;
  /** Null until confirm.select. */
  confirms: ConfirmTracker | null;
  /** Null until tx.select. */
  transaction: ChannelTransaction | null;
  /** Prefetch of consumers to come; 0: no limit. */
  consumerPrefetchCount: number;
  /** Unacked deliveries over all consumers; 0: no limit. */
  channelPrefetchCount: number;
  /** Name of the queue declared last, for requests that name none. */
  lastQueueName: string;
  /** The server has sent channel.close: all but the answer is dropped. */
  isClosing: boolean;
  /** Confirms are to be sent at the end of the turn. */
  hasConfirmsReady: boolean;

  private readonly output: Output;
  private readonly frameMax: number;
  private readonly publisher: Publisher;
  private readonly properties: BasicPropertiesView;
  private deliveryTag: number;
  /** Unacked messages of basic.get: they do not count against {@link channelPrefetchCount}. */
  private gotCount: number;
  private readonly replies: PendingReply[];
  /** A large content is under way: nothing else may leave on this channel until it is complete. */
  private isSendingLarge: boolean;
  /** What follows the content under way although the channel has closed. */
  private readonly farewells: (() => void)[];

  constructor(number: number, connection: ChannelConnection) {
    this.number = number;
    this.connection = connection;
    this.vhost = connection.vhost;
    this.actor = connection.actor;
    this.content = new ContentAssembly(connection.vhost.store.largeFiles);
    this.unacked = new UnackedList();
    this.consumers = new Map();
    this.gets = null;
    this.confirms = null;
    this.transaction = null;
    this.consumerPrefetchCount = 0;
    this.channelPrefetchCount = 0;
    this.lastQueueName = '';
    this.isClosing = false;
    this.hasConfirmsReady = false;
    this.output = connection.output;
    this.frameMax = connection.frameMax;
    this.publisher = new Publisher(connection.vhost, connection.actor);
    this.properties = new BasicPropertiesView();
    this.deliveryTag = 0;
    this.gotCount = 0;
    this.replies = [];
    this.isSendingLarge = false;
    this.farewells = [];
  }

  // --- publishing ------------------------------------------------------------------------------

  /**
   * HOT per publish. Publishes the message whose parts lie in `content`.
   *
   * @throws ProtocolError, BrokerError or WireError
   */
  publish(): void {
    const { content } = this;
    const { parts, bits } = content;
    if ((bits & BASIC_PUBLISH_IMMEDIATE_BIT) !== 0) throw notImplemented('immediate=true');
    requireBodySize(parts.bodySize, this.connection.maxMessageSizeBytes);
    if (parts.propertiesSize !== 2 || parts.head.view.getUint16(parts.propertiesAt) !== 0) {
      this.checkProperties();
    }
    if (this.transaction !== null) {
      const isMandatory = (bits & BASIC_PUBLISH_MANDATORY_BIT) !== 0;
      const { messages } = this.transaction;
      if (messages.add(parts, this.publisher.routeOf(parts), isMandatory)) content.writer = null;
      return;
    }
    const outcome = this.publisher.publish(parts);
    if (outcome !== PUBLISH_OUTCOMES.unrouted) content.writer = null;
    else if ((bits & BASIC_PUBLISH_MANDATORY_BIT) !== 0) {
      this.returnMessage(parts);
      content.writer = null;
    }
    const { confirms } = this;
    if (confirms === null) return;
    if (outcome === PUBLISH_OUTCOMES.durable) {
      const { log } = this.vhost.store;
      if (confirms.publishedToLog(log.batchId, this.publisher.lastPosition)) log.waitForAll(this);
    } else {
      confirms.publishedWithoutLog();
      this.markConfirms();
    }
  }

  /** Sends a message back that went nowhere, in its turn; its large body is the return's then. */
  private returnMessage(parts: MessageParts): void {
    const { output, number, frameMax } = this;
    if (parts.large !== null) {
      this.returnLarge(parts, parts.large);
      return;
    }
    if (!this.isSendingLarge) {
      writeReturn(output, number, frameMax, parts);
      return;
    }
    const frames = encodeReturn(number, frameMax, parts);
    output.heldBytes += frames.length;
    const letGo = () => {
      output.heldBytes -= frames.length;
    };
    const send = () => {
      letGo();
      output.write(frames);
    };
    this.reply(-1, send, letGo);
  }

  private returnLarge(parts: MessageParts, large: LargeBody): void {
    const { largeOutput } = this.connection;
    const { largeFiles } = this.vhost.store;
    const head = encodeReturnHead(this.number, parts);
    largeFiles.keep(large, false);
    const body = largeFiles.read(large);
    largeFiles.release(large.file);
    largeOutput.owedCount++;
    const released = () => {
      largeOutput.owedCount--;
    };
    const discard = () => {
      body.close();
      released();
    };
    this.reply(-1, () => this.sendLarge(head, body, released), discard);
  }

  /** Whether a method may come now: the channel is open, and in the middle of no publish. */
  get isReadyForMethod(): boolean {
    return !this.isClosing && this.content.phase === 'method';
  }

  /** Memory that it holds, in bytes: a body on its way, unacked deliveries, answers that wait, a transaction. */
  get memoryBytes(): number {
    return (
      this.content.gatheredBytes +
      this.unacked.memoryBytes +
      (this.gets?.heldBytes ?? 0) +
      (this.transaction?.memoryBytes ?? 0)
    );
  }

  /** Whether it publishes to a queue that falls behind though its consumers are willing. */
  get publishesAhead(): boolean {
    return this.publisher.isAhead;
  }

  /** Malformed properties must not reach a consumer. */
  private checkProperties(): void {
    const { head, propertiesAt, propertiesSize } = this.content.parts;
    const end = propertiesAt + propertiesSize;
    const view = this.properties.reset(head.buf, propertiesAt, end);
    if (view.endAt() !== end) {
      throw new WireError(FRAME_ERROR, 'content header does not end with its properties', end);
    }
    const headersAt = view.headersAt();
    if (headersAt >= 0) checkFieldTable(head.buf, headersAt, end);
  }

  private markConfirms(): void {
    if (this.hasConfirmsReady) return;
    this.hasConfirmsReady = true;
    this.connection.confirmsReady(this);
  }

  /** Sends the confirms that are due, as one basic.ack; not before replies that wait, a select-ok perhaps. */
  sendConfirms(): void {
    this.hasConfirmsReady = false;
    const { confirms } = this;
    if (confirms === null || this.isClosing || confirms.settled === confirms.confirmed) return;
    if (this.replies.length > 0 || this.isSendingLarge) return;
    const multiple = confirms.settled - confirms.confirmed > 1;
    const method = { deliveryTag: confirms.settled, multiple };
    this.write(sizeOfBasicAck(method), (buf, at) => encodeBasicAck(buf, at, this.number, method));
    confirms.confirmed = confirms.settled;
  }

  // --- replies ---------------------------------------------------------------------------------

  /** Writes one method frame of `size` bytes. */
  write(size: number, encode: (buf: Buffer, at: number) => number): void {
    const area = this.output.reserve(size);
    this.output.advance(encode(area.buf, this.output.offset));
  }

  /**
   * Sends a reply in its turn, and once the log is durable behind `position` (-1: no need); `discard` is called
   * instead when the channel closes before.
   */
  reply(position: number, send: () => void, discard: (() => void) | null = null): void {
    const { log } = this.vhost.store;
    if (this.replies.length === 0 && !this.isSendingLarge && position < log.durableUpTo) {
      send();
      return;
    }
    this.owe({ position, send, discard });
    if (position >= log.durableUpTo) log.waitForAll(this);
  }

  /** Keeps a place for a reply that is not known yet; {@link releaseReplies} once it is. */
  holdReply(): PendingReply {
    const reply: PendingReply = { position: -1, send: null, discard: null };
    this.owe(reply);
    return reply;
  }

  private owe(reply: PendingReply): void {
    this.replies.push(reply);
    this.output.owedReplies++;
  }

  /** Sends the replies whose turn has come. */
  releaseReplies(): void {
    const { replies } = this;
    const { durableUpTo } = this.vhost.store.log;
    while (replies.length > 0 && !this.isSendingLarge) {
      const { position, send } = replies[0]!;
      if (send === null || position >= durableUpTo) break;
      replies.shift();
      this.output.owedReplies--;
      send();
    }
    if (this.confirms !== null) this.markConfirms();
    this.gets?.resume();
  }

  durableAdvanced(): boolean {
    const { log } = this.vhost.store;
    this.releaseReplies();
    if (this.confirms !== null) {
      this.confirms.durableAdvanced(log.durableUpTo);
      this.sendConfirms();
    }
    const waitsForReply = this.replies.some((reply) => reply.position >= log.durableUpTo);
    return !waitsForReply && this.confirms?.isWaiting !== true;
  }

  // --- deliveries ------------------------------------------------------------------------------

  get canTake(): boolean {
    return (
      !this.output.isBlocked &&
      !this.isSendingLarge &&
      (this.channelPrefetchCount === 0 || this.outstandingCount < this.channelPrefetchCount)
    );
  }

  /** Deliveries to consumers that count against the channel's prefetch. */
  private get outstandingCount(): number {
    return this.unacked.count + (this.transaction?.heldCount ?? 0) - this.gotCount;
  }

  nextDeliveryTag(): number {
    return ++this.deliveryTag;
  }

  deliver(
    consumer: Consumer,
    area: ByteArea,
    at: number,
    sequence: number,
    position: number,
    redelivered: boolean,
  ): void {
    const { output, frameMax } = this;
    const tag = ++this.deliveryTag;
    if (isLargeAt(area.view, at)) {
      this.deliverLarge(consumer, area, at, tag, redelivered);
      if (!consumer.noAck) this.addUnacked(consumer, area, at, tag, sequence, position);
      return;
    }
    const out = output.reserve(sizeOfDelivery(consumer.deliverPrefix, area, at, frameMax));
    const end = writeDelivery(
      out,
      output.offset,
      consumer.deliverPrefix,
      this.number,
      tag,
      redelivered,
      area,
      at,
      frameMax,
    );
    output.advance(end);
    if (!consumer.noAck) this.addUnacked(consumer, area, at, tag, sequence, position);
  }

  /** HOT per delivery. */
  private addUnacked(
    consumer: Consumer,
    area: ByteArea,
    at: number,
    tag: number,
    sequence: number,
    position: number,
  ): void {
    consumer.unackedCount++;
    this.unacked.push(tag, consumer, sequence, position, bodySizeAt(area.view, at));
  }

  private deliverLarge(
    { deliverPrefix }: Consumer,
    area: ByteArea,
    at: number,
    tag: number,
    redelivered: boolean,
  ): void {
    const head = newByteArea(sizeOfDeliveryHead(deliverPrefix, area, at));
    writeDeliveryHead(head, 0, deliverPrefix, this.number, tag, redelivered, area, at);
    const body = this.vhost.store.largeFiles.read(largeReferenceAt(area.view, at));
    this.sendLarge(head.buf, body, () => undefined);
  }

  /**
   * Begins a content whose body is read from its file; `released` is called when it is over, however it ended. Until
   * then replies, confirms and deliveries of this channel wait.
   */
  sendLarge(head: Buffer, body: LargeBodyReader, released: () => void): void {
    this.isSendingLarge = true;
    this.connection.largeOutput.start({ owner: this, head, body, released });
  }

  largeContentEnded(error: StorageError | null, hasBegun: boolean): void {
    this.isSendingLarge = false;
    const failure = error === null ? null : bodyNotRead(error, hasBegun ? 'connection' : 'channel');
    this.connection.largeContentEnded(this, failure);
    this.output.owedReplies -= this.farewells.length;
    for (const send of this.farewells.splice(0)) send();
    if (this.isClosing) return;
    this.releaseReplies();
    this.wakeConsumers();
  }

  /** Calls `send` behind the content under way, or at once; also when the channel has closed. */
  afterContent(send: () => void): void {
    if (!this.isSendingLarge) {
      send();
      return;
    }
    this.farewells.push(send);
    this.output.owedReplies++;
  }

  /** Makes a consumer and gives it to the queue, which does not deliver to it yet. */
  addConsumer(queue: Queue, options: ConsumerOptions): Consumer {
    const prefix = createDeliverPrefix(this.number, options.tag);
    const consumer = new Consumer(queue, this, options, prefix);
    this.consumers.set(options.tag, consumer);
    queue.addConsumer(consumer);
    return consumer;
  }

  /** Keeps a message of basic.get as unacked, under a consumer that stands for this one get. */
  keepUnacked(queue: Queue, tag: number, sequence: number, position: number, size: number): void {
    const getter = new Consumer(queue, this, GETTER, NO_PREFIX);
    getter.active = false;
    getter.unackedCount = 1;
    this.gotCount++;
    this.unacked.push(tag, getter, sequence, position, size);
  }

  consumerCancelled(consumer: Consumer): void {
    this.consumers.delete(consumer.tag);
    if (!this.connection.knowsConsumerCancel || this.isClosing) return;
    const method = { consumerTag: consumer.tag, noWait: true };
    // In its turn, since the consume-ok may still wait for its own.
    this.reply(-1, () =>
      this.write(sizeOfBasicCancel(method), (buf, at) =>
        encodeBasicCancel(buf, at, this.number, method),
      ),
    );
  }

  /** The socket takes output again, or the channel's prefetch was raised. */
  wakeConsumers(): void {
    for (const consumer of this.consumers.values()) consumer.queue.wake();
  }

  /**
   * HOT per ack. Settles what a tag means: one delivery, or with `multiple` all up to it (tag 0: all there
   * are). `isAcked` is false where the messages are dropped instead.
   *
   * @throws ProtocolError 406 when the tag itself is not unacked here
   */
  settle(tag: number, multiple: boolean, isAcked: boolean): void {
    const { unacked } = this;
    if (this.transaction !== null) {
      const settlement = isAcked ? SETTLEMENTS.ack : SETTLEMENTS.reject;
      this.hold(this.transaction, tag, multiple, settlement);
      return;
    }
    if (!multiple) {
      this.settleEntry(unacked, this.requireUnacked(tag), isAcked);
      return;
    }
    if (tag !== 0) this.requireUnacked(tag);
    const last = tag === 0 ? Number.POSITIVE_INFINITY : tag;
    for (let entry = unacked.first(); entry >= 0 && unacked.tagAt(entry) <= last; ) {
      const next = unacked.next(entry);
      this.settleEntry(unacked, entry, isAcked);
      entry = next;
    }
  }

  /** Puts back what a tag means, as {@link settle} reads it. */
  requeue(tag: number, multiple: boolean): void {
    if (this.transaction !== null) {
      this.hold(this.transaction, tag, multiple, SETTLEMENTS.requeue);
      return;
    }
    if (!multiple) {
      const byQueue = new Map<Queue, number[]>();
      const entry = this.requireUnacked(tag);
      this.collectForRequeue(this.unacked, entry, byQueue);
      this.unacked.remove(entry);
      this.requeueCollected(byQueue);
      return;
    }
    if (tag !== 0) this.requireUnacked(tag);
    this.requeueUpTo(tag === 0 ? Number.POSITIVE_INFINITY : tag);
  }

  /** Keeps what a tag means for the commit. */
  private hold(
    transaction: ChannelTransaction,
    tag: number,
    multiple: boolean,
    settlement: Settlement,
  ): void {
    const { unacked } = this;
    if (!multiple) {
      transaction.hold(unacked, this.requireUnacked(tag), settlement);
      return;
    }
    if (tag !== 0) this.requireUnacked(tag);
    const last = tag === 0 ? Number.POSITIVE_INFINITY : tag;
    for (let entry = unacked.first(); entry >= 0 && unacked.tagAt(entry) <= last; ) {
      const next = unacked.next(entry);
      transaction.hold(unacked, entry, settlement);
      entry = next;
    }
  }

  /**
   * Carries out a transaction: messages, then acks, nacks and rejects, in one batch of the log, so that all or
   * nothing of it survives. Returns of mandatory messages leave at once. A new transaction begins.
   *
   * @returns the log position behind which the commit may be answered; -1: at once
   */
  commit(transaction: ChannelTransaction): number {
    const { messages, isDurable } = transaction;
    const { log } = this.vhost.store;
    if (isDurable) log.beginAtomic(transaction.recordBytes, messages.footerBytes);
    try {
      messages.publishAll((parts) => this.returnMessage(parts));
      this.settleHeld(transaction);
    } finally {
      if (isDurable) log.endAtomic();
    }
    transaction.clear();
    return isDurable ? log.end - 1 : -1;
  }

  private settleHeld(transaction: ChannelTransaction): void {
    let byQueue = new Map<Queue, number[]>();
    transaction.forEachHeld((held, entry, settlement) => {
      if (settlement === SETTLEMENTS.requeue) {
        this.collectForRequeue(held, entry, byQueue);
        return;
      }
      if (byQueue.size > 0) {
        this.requeueCollected(byQueue);
        byQueue = new Map();
      }
      this.settleEntry(held, entry, settlement === SETTLEMENTS.ack);
    });
    this.requeueCollected(byQueue);
  }

  private requireUnacked(tag: number): number {
    const entry = this.unacked.find(tag);
    if (entry < 0) throw preconditionFailed(`unknown delivery tag ${tag}`);
    return entry;
  }

  /** HOT per ack. Settles one unacked entry: acked, or dropped. */
  private settleEntry(unacked: UnackedList, entry: number, isAcked: boolean): void {
    const consumer = unacked.consumerAt(entry);
    const { queue } = consumer;
    const sequence = unacked.sequenceAt(entry);
    const position = unacked.positionAt(entry);
    const size = unacked.sizeAt(entry);
    unacked.remove(entry);
    consumer.unackedCount--;
    if (consumer.deliverPrefix === NO_PREFIX) this.gotCount--;
    if (isAcked) queue.acknowledge(sequence, position, size);
    else queue.reject(sequence, position, size);
    if (this.channelPrefetchCount > 0) this.wakeConsumers();
    else if (consumer.active) queue.wake();
  }

  /** Puts unacked entries with tags up to `upToTag` back to their queues. */
  requeueUpTo(upToTag: number): void {
    const { unacked } = this;
    const byQueue = new Map<Queue, number[]>();
    for (let entry = unacked.first(); entry >= 0 && unacked.tagAt(entry) <= upToTag; ) {
      this.collectForRequeue(unacked, entry, byQueue);
      const next = unacked.next(entry);
      unacked.remove(entry);
      entry = next;
    }
    this.requeueCollected(byQueue);
  }

  /** Ends everything: consumers leave, unacked messages return, no reply or confirm leaves any more. */
  close(): void {
    this.isClosing = true;
    this.content.reset();
    this.output.owedReplies -= this.replies.length;
    for (const { discard } of this.replies.splice(0)) discard?.();
    this.gets?.clear();
    this.confirms = null;
    for (const consumer of [...this.consumers.values()]) removeConsumer(this.vhost, consumer);
    this.consumers.clear();
    this.transaction?.rollback(this.unacked);
    this.requeueUpTo(Number.POSITIVE_INFINITY);
  }

  private collectForRequeue(
    unacked: UnackedList,
    entry: number,
    byQueue: Map<Queue, number[]>,
  ): void {
    const consumer = unacked.consumerAt(entry);
    consumer.unackedCount--;
    if (consumer.deliverPrefix === NO_PREFIX) this.gotCount--;
    let entries = byQueue.get(consumer.queue);
    if (entries === undefined) {
      entries = [];
      byQueue.set(consumer.queue, entries);
    }
    entries.push(unacked.sequenceAt(entry), unacked.positionAt(entry), unacked.sizeAt(entry));
  }

  private requeueCollected(byQueue: Map<Queue, number[]>): void {
    for (const [queue, entries] of byQueue) queue.requeue(entries);
    if (this.channelPrefetchCount > 0) this.wakeConsumers();
  }
}
