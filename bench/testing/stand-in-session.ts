/** @hot One connection of the stand-in broker: as little work for a message as there can be. */
import type { Socket } from 'node:net';
import {
  BASIC_ACK_ID,
  BASIC_PUBLISH_ID,
  ByteReader,
  basicAckDeliveryTag,
  FRAME_HEADER,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  METHOD_ID_SIZE,
  readU32,
  readU64,
} from '../../generated/index.ts';
import { contentBehind, contentEnd } from '../amqp/content-end.ts';
import { DeliveryBlock } from './delivery-block.ts';
import { STAND_IN_FRAME_MAX, StandInControl, type StandInTraffic } from './stand-in-control.ts';
import type { StandInConsumer, StandInQueue } from './stand-in-queue.ts';

const BODY_SIZE_OFFSET = 4;

/** Answers what the generator asks, counts what it publishes, delivers what is ready. */
export class StandInSession implements FrameSink, StandInConsumer, StandInTraffic {
  private readonly socket: Socket;
  private readonly queue: StandInQueue;
  private readonly scanner: FrameScanner;
  private readonly reader: ByteReader;
  private readonly control: StandInControl;
  private confirms: boolean;
  private publishedInRead: number;
  private publishedInAll: number;
  /** Octets of a published content that came in pieces: still to come; -1 before its header. */
  private bodyLeft: number;
  private deliveries: DeliveryBlock | null;
  private noAck: boolean;
  private prefetchCount: number;
  private deliveredTag: number;
  private ackedTag: number;
  private deliverScheduled: boolean;

  constructor(socket: Socket, queue: StandInQueue) {
    this.socket = socket;
    this.queue = queue;
    this.scanner = new FrameScanner(this, STAND_IN_FRAME_MAX);
    this.reader = new ByteReader();
    this.control = new StandInControl(this, 'stand-in');
    this.confirms = false;
    this.publishedInRead = 0;
    this.publishedInAll = 0;
    this.bodyLeft = -1;
    this.deliveries = null;
    this.noAck = false;
    this.prefetchCount = 0;
    this.deliveredTag = 0;
    this.ackedTag = 0;
    this.deliverScheduled = false;
  }

  start(): void {
    this.socket.on('data', (chunk: Buffer) => this.onRead(chunk));
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => this.queue.removeConsumer(this));
  }

  deliver(): void {
    if (this.deliverScheduled) return;
    this.deliverScheduled = true;
    setImmediate(() => {
      this.deliverScheduled = false;
      this.deliverNow();
    });
  }

  /** Its first delivery comes in a later turn, behind consume-ok. */
  startConsumer(channel: number, consumerTag: string, noAck: boolean): void {
    const body = Buffer.alloc(this.queue.bodySizeBytes);
    this.deliveries = new DeliveryBlock(channel, consumerTag, body, STAND_IN_FRAME_MAX);
    this.noAck = noAck;
    this.queue.addConsumer(this);
  }

  get ready(): number {
    return this.queue.ready;
  }

  limitPrefetch(count: number): void {
    this.prefetchCount = count;
  }

  beginConfirms(): void {
    this.confirms = true;
  }

  endChannel(): void {
    this.queue.removeConsumer(this);
    this.settlePublishes();
  }

  emptyQueue(): void {
    this.queue.ready = 0;
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  onFrame(
    type: number,
    channel: number,
    buf: Buffer,
    start: number,
    end: number,
    limit: number,
  ): number {
    if (type !== FRAME_METHOD) {
      if (type === FRAME_HEADER) this.onContentHeader(readU64(buf, start + BODY_SIZE_OFFSET));
      else this.onBody(end - start, true);
      return end + 1;
    }
    const methodId = readU32(buf, start);
    if (methodId === BASIC_PUBLISH_ID) return this.takePublishes(buf, end + 1, limit);
    const reader = this.reader.reset(buf, start + METHOD_ID_SIZE, end);
    if (methodId === BASIC_ACK_ID) this.onAck(basicAckDeliveryTag(buf, start + METHOD_ID_SIZE));
    else this.control.answer(methodId, channel, reader);
    return end + 1;
  }

  onBodyPiece(_channel: number, _buf: Buffer, start: number, end: number, left: number): void {
    this.onBody(end - start, left === 0);
  }

  private onRead(chunk: Buffer): void {
    const skipped = this.control.takeProtocolHeader(chunk.length);
    this.scanner.scan(chunk, skipped, chunk.length);
    this.settlePublishes();
  }

  /** HOT per run of publishes, as Consumer.onMethod. `at` is behind the method frame of the first. */
  private takePublishes(buf: Buffer, at: number, limit: number): number {
    let next = contentEnd(buf, at, limit);
    if (next < 0) {
      this.bodyLeft = -1;
      return at;
    }
    let behind = next;
    let count = 1;
    for (;;) {
      const content = contentBehind(BASIC_PUBLISH_ID, buf, behind, limit);
      if (content < 0) break;
      next = contentEnd(buf, content, limit);
      if (next < 0) break;
      behind = next;
      count++;
    }
    this.publishedInRead += count;
    return behind;
  }

  private onContentHeader(bodySizeBytes: number): void {
    this.bodyLeft = bodySizeBytes;
    this.countSplitPublish(true);
  }

  private onBody(sizeBytes: number, isFrameEnd: boolean): void {
    this.bodyLeft -= sizeBytes;
    this.countSplitPublish(isFrameEnd);
  }

  private countSplitPublish(isFrameEnd: boolean): void {
    if (this.bodyLeft !== 0 || !isFrameEnd) return;
    this.bodyLeft = -1;
    this.publishedInRead++;
  }

  private settlePublishes(): void {
    const count = this.publishedInRead;
    if (count === 0) return;
    this.publishedInRead = 0;
    this.publishedInAll += count;
    this.queue.publish(count);
    if (this.confirms) this.control.confirm(this.publishedInAll);
  }

  private onAck(deliveryTag: number): void {
    this.queue.acked += deliveryTag - this.ackedTag;
    this.ackedTag = deliveryTag;
    this.deliver();
  }

  private deliverNow(): void {
    const { deliveries, queue, socket } = this;
    if (deliveries === null || socket.destroyed || socket.writableLength > 0) return;
    const unacked = this.noAck ? 0 : this.deliveredTag - this.ackedTag;
    const credit =
      this.noAck || this.prefetchCount === 0 ? deliveries.count : this.prefetchCount - unacked;
    const count = Math.min(deliveries.count, queue.ready, credit);
    if (count <= 0) return;
    queue.ready -= count;
    const bytes = deliveries.fill(count, this.deliveredTag + 1);
    this.deliveredTag += count;
    socket.write(bytes, () => this.deliver());
  }
}
