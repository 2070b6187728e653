/**
 * @hot A channel: publishes on their way in, deliveries on their way out and not yet acked, consumers, confirms
 * and replies in their order.
 *
 * - An error closes the channel and nothing else: unacked messages go back to their queues at once, and what
 *   the peer sends is dropped until it answers the close.
 * What each method does is in handlers/, what acks do in settlements.ts, and what leaves in which order in
 * reply-order.ts.
 */
import {
  BASIC_PUBLISH_IMMEDIATE_BIT,
  BASIC_PUBLISH_MANDATORY_BIT,
  encodeBasicAck,
  encodeBasicCancel,
  sizeOfBasicAck,
  sizeOfBasicCancel,
} from '../../generated/index.ts';
import { type ByteArea, newByteArea } from '../base/byte-area.ts';
import { Consumer, type ConsumerOptions } from '../broker/consumer.ts';
import type { DeliveryRun } from '../broker/delivery-run.ts';
import type { Actor } from '../broker/ports.ts';
import { PUBLISH_OUTCOMES, Publisher } from '../broker/publish.ts';
import type { Queue } from '../broker/queue.ts';
import { removeConsumer } from '../broker/queues.ts';
import type { Returner } from '../broker/returner.ts';
import type { Vhost } from '../broker/vhost.ts';
import type { LargeBodyReader } from '../storage/large-body-reader.ts';
import type { DurabilityWaiter } from '../storage/log.ts';
import type { MessageRun } from '../storage/message-run.ts';
import { bodySizeAt, isLargeAt, largeReferenceAt } from '../storage/record-format.ts';
import type { StorageError } from '../storage/storage-error.ts';
import type { ChannelTransaction } from './channel-transaction.ts';
import type { ConfirmTracker } from './confirm-tracker.ts';
import { ContentAssembly, requireBodySize } from './content-assembly.ts';
import {
  createDeliverPrefix,
  sizeOfDelivery,
  sizeOfDeliveryHead,
  writeDelivery,
  writeDeliveryHead,
} from './delivery-writer.ts';
import type { GetQueue, GetQueueOwner } from './get-queue.ts';
import { HeldByGets } from './held-by-gets.ts';
import type { SettlingChannel } from './held-input.ts';
import type { LargeContentOwner, LargeOutput } from './large-output.ts';
import type { Output, SlabPool } from './output.ts';
import { sendReturn } from './parts-sender.ts';
import { bodyNotRead, notImplemented, type ProtocolError } from './protocol-error.ts';
import { PublishProperties } from './publish-properties.ts';
import type { ReplyConsumer } from './reply-consumer.ts';
import { type PendingReply, ReplyOrder } from './reply-order.ts';
import type { RunWriter } from './run-writer.ts';
import { Settlements, type SettlementsOwner } from './settlements.ts';

/** What a channel needs of its connection. */
export interface ChannelConnection extends GetQueueOwner {
  readonly output: Output;
  /** Memory for bodies that come in pieces. */
  readonly slabs: SlabPool;
  readonly runWriter: RunWriter;
  readonly frameMax: number;
  readonly vhost: Vhost;
  readonly actor: Actor;
  readonly maxMessageSizeBytes: number;
  /** 0: any number. */
  readonly consumersPerChannelMax: number;
  readonly knowsConsumerCancel: boolean;
  /** Bodies in files on their way out. */
  readonly largeOutput: LargeOutput;
  /** The channel has confirms that may leave at the end of the turn. */
  confirmsReady(channel: Channel): void;
  /** The peer has closed the channel: it ends now. */
  channelClosed(channel: Channel): void;
  /** The queue is exclusive to this connection. */
  ownsQueue(queue: Queue): void;
  /** Bytes that waited for their turn do so no more. */
  heldOutputReleased(): void;
  /** The content that a channel was sending is complete, or never will be. */
  largeContentEnded(channel: Channel, error: ProtocolError | null): void;
}

/** One open channel. */
export class Channel
  implements SettlementsOwner, DurabilityWaiter, LargeContentOwner, SettlingChannel
{
  readonly number: number;
  readonly connection: ChannelConnection;
  readonly vhost: Vhost;
  readonly actor: Actor;
  readonly content: ContentAssembly;
  readonly settlements: Settlements;
  readonly consumers: Map<string, Consumer>;
  /** What leaves in which order. */
  readonly replies: ReplyOrder;
  /** Null unless it consumes direct replies. */
  replyConsumer: ReplyConsumer | null;
  /** Null until the first basic.get. */
  gets: GetQueue | null;
  /** Null until confirm.select. */
  confirms: ConfirmTracker | null;
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
  private readonly properties: PublishProperties;
  private deliveryTag: number;

  constructor(number: number, connection: ChannelConnection) {
    this.number = number;
    this.connection = connection;
    this.vhost = connection.vhost;
    this.actor = connection.actor;
    this.content = new ContentAssembly(connection.vhost.store.largeFiles, connection.slabs);
    this.settlements = new Settlements(this);
    this.consumers = new Map();
    this.replies = new ReplyOrder(connection.vhost.store.log, connection.output, this);
    this.replyConsumer = null;
    this.gets = null;
    this.confirms = null;
    this.consumerPrefetchCount = 0;
    this.channelPrefetchCount = 0;
    this.lastQueueName = '';
    this.isClosing = false;
    this.hasConfirmsReady = false;
    this.output = connection.output;
    this.frameMax = connection.frameMax;
    this.publisher = new Publisher(connection.vhost, connection.actor);
    this.properties = new PublishProperties(connection.actor);
    this.deliveryTag = 0;
  }

  /** Null until tx.select. */
  get transaction(): ChannelTransaction | null {
    return this.settlements.transaction;
  }

  // --- publishing ------------------------------------------------------------------------------

  /**
   * HOT per publish. Publishes the message whose parts lie in `content`.
   *
   * @returns whether more of its kind may go to {@link publishRun}, as long as nothing else happens
   * @throws ProtocolError, BrokerError or WireError
   */
  publish(): boolean {
    const { content } = this;
    const { parts, bits } = content;
    if ((bits & BASIC_PUBLISH_IMMEDIATE_BIT) !== 0) throw notImplemented('immediate=true');
    requireBodySize(parts.bodySize, this.connection.maxMessageSizeBytes);
    const { head } = parts;
    const hasProperties =
      parts.propertiesSize !== 2 || parts.head.view.getUint16(parts.propertiesAt) !== 0;
    const copies = hasProperties
      ? this.properties.apply(parts, this.replyConsumer?.name ?? null)
      : null;
    const { publisher, transaction } = this;
    const isMandatory = (bits & BASIC_PUBLISH_MANDATORY_BIT) !== 0;
    if (transaction !== null) {
      const route =
        copies === null ? publisher.routeOf(parts) : publisher.routeWithCopies(parts, copies);
      if (transaction.messages.add(parts, route, isMandatory)) content.writer = null;
      return false;
    }
    const outcome =
      copies === null ? publisher.publish(parts) : publisher.publishCopies(parts, copies);
    if (outcome !== PUBLISH_OUTCOMES.unrouted) content.writer = null;
    else if (isMandatory) {
      sendReturn(this, parts);
      content.writer = null;
    }
    if (this.confirms !== null) this.confirmLater(this.confirms, outcome, 1);
    return copies === null && publisher.isRepeatable && parts.head === head;
  }

  /**
   * HOT per run. Publishes messages that differ from the last one in their bodies alone, and are within the limits of
   * their size.
   */
  publishRun(run: MessageRun): void {
    const { publisher, confirms } = this;
    while (run.taken < run.count) {
      const outcome = publisher.publishRun(run);
      if (confirms !== null) this.confirmLater(confirms, outcome, run.pieceCount);
    }
  }

  /** HOT per publish. `count` messages have been published, the last ones there are. */
  private confirmLater(confirms: ConfirmTracker, outcome: number, count: number): void {
    if (outcome === PUBLISH_OUTCOMES.durable) {
      const { log } = this.vhost.store;
      const { lastPosition } = this.publisher;
      if (confirms.publishedToLog(log.batchId, lastPosition, count)) log.waitForAll(this);
    } else {
      confirms.publishedWithoutLog(count);
      this.markConfirms();
    }
  }

  /** Whether a method may come now: the channel is open, and in the middle of no publish. */
  get isReadyForMethod(): boolean {
    return !this.isClosing && this.content.phase === 'method';
  }

  /** Memory that it holds, in bytes: a body on its way, unacked deliveries, answers that wait, a transaction. */
  get memoryBytes(): number {
    return (
      this.content.stagingBytes +
      this.settlements.unacked.memoryBytes +
      (this.gets?.heldBytes ?? 0) +
      (this.transaction?.memoryBytes ?? 0)
    );
  }

  /** Lets go of memory that it does not need at rest; returns how much, in bytes. */
  rest(): number {
    return this.settlements.rest();
  }

  /** Whether it publishes to a queue that falls behind its consumers. */
  get publishesAhead(): boolean {
    return this.publisher.isAhead;
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
    if (this.replies.isBusy) return;
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
    this.replies.add(position, send, discard);
  }

  /** Keeps a place for a reply that is not known yet; {@link releaseReplies} once it is. */
  holdReply(): PendingReply {
    return this.replies.hold();
  }

  /** Sends the replies whose turn has come. */
  releaseReplies(): void {
    this.replies.release();
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
    return !this.replies.waitsForLog && this.confirms?.isWaiting !== true;
  }

  // --- deliveries ------------------------------------------------------------------------------

  get awaitsGet(): boolean {
    return !this.isClosing && this.gets !== null && this.gets.isWaiting;
  }

  /**
   * HOT per ack. A tag that is still to be given out, or the one for all there are, may mean what a get waits for.
   *
   * @throws HeldByGets then
   */
  requireGiven(tag: number): void {
    if (this.gets === null || (tag > 0 && tag <= this.deliveryTag)) return;
    if (this.awaitsGet) throw new HeldByGets();
  }

  get returner(): Returner {
    return this.vhost.returner;
  }

  get canTake(): boolean {
    return !this.output.isBlocked && !this.replies.isSendingLarge && this.credit > 0;
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

  deliverRun(consumer: Consumer, run: DeliveryRun): void {
    const { deliveryTag, settlements } = this;
    const credit = Math.min(consumer.credit, this.credit);
    const count = Math.min(run.length, credit);
    const { runWriter } = this.connection;
    const { deliverPrefix } = consumer;
    try {
      runWriter.write(
        this.output,
        run,
        count,
        deliverPrefix,
        this.number,
        deliveryTag + 1,
        this.frameMax,
      );
    } finally {
      this.deliveryTag += run.delivered;
      if (!consumer.noAck) {
        consumer.unackedCount += run.delivered;
        settlements.unacked.pushRun(deliveryTag + 1, consumer, run);
      }
    }
  }

  get credit(): number {
    const { channelPrefetchCount } = this;
    if (channelPrefetchCount === 0) return Number.POSITIVE_INFINITY;
    return channelPrefetchCount - this.settlements.outstandingCount;
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
    this.settlements.unacked.push(tag, consumer, sequence, position, bodySizeAt(area.view, at));
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
    this.replies.isSendingLarge = true;
    this.connection.largeOutput.start({ owner: this, head, body, released });
  }

  largeContentEnded(error: StorageError | null, hasBegun: boolean): void {
    this.replies.isSendingLarge = false;
    const failure = error === null ? null : bodyNotRead(error, hasBegun ? 'connection' : 'channel');
    this.connection.largeContentEnded(this, failure);
    this.replies.sendFarewells();
    if (this.isClosing) return;
    this.releaseReplies();
    this.wakeConsumers();
  }

  /** Calls `send` behind the content under way, or at once; also when the channel has closed. */
  afterContent(send: () => void): void {
    this.replies.afterContent(send);
  }

  /** Makes a consumer and gives it to the queue, which does not deliver to it yet. */
  addConsumer(queue: Queue, options: ConsumerOptions): Consumer {
    const prefix = createDeliverPrefix(this.number, options.tag);
    const consumer = new Consumer(queue, this, options, prefix);
    this.consumers.set(options.tag, consumer);
    queue.addConsumer(consumer);
    return consumer;
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
      messages.publishAll((parts) => sendReturn(this, parts));
      this.settlements.settleHeld(transaction);
    } finally {
      if (isDurable) log.endAtomic();
    }
    transaction.clear();
    return isDurable ? log.end - 1 : -1;
  }

  /** Ends everything: consumers leave, unacked messages return, no reply or confirm leaves any more. */
  close(): void {
    this.isClosing = true;
    this.content.reset();
    this.replies.discardAll();
    this.gets?.clear();
    this.confirms = null;
    for (const consumer of [...this.consumers.values()]) removeConsumer(this.vhost, consumer);
    this.consumers.clear();
    this.replyConsumer?.close();
    this.settlements.returnAll();
  }
}
