/** @hot One connection of the stand-in broker: as little work for a message as there can be. */
import type { Socket } from 'node:net';
import {
  BASIC_ACK_ID,
  BASIC_CONSUME_ID,
  BASIC_PUBLISH_ID,
  BASIC_QOS_ID,
  ByteReader,
  basicAckDeliveryTag,
  CHANNEL_CLOSE_ID,
  CHANNEL_OPEN_ID,
  CONFIRM_SELECT_ID,
  CONNECTION_CLOSE_ID,
  CONNECTION_OPEN_ID,
  CONNECTION_START_OK_ID,
  CONNECTION_TUNE_OK_ID,
  decodeBasicConsume,
  decodeBasicQos,
  encodeBasicAck,
  encodeBasicConsumeOk,
  encodeBasicQosOk,
  encodeChannelCloseOk,
  encodeChannelOpenOk,
  encodeConfirmSelectOk,
  encodeConnectionCloseOk,
  encodeConnectionOpenOk,
  encodeConnectionStart,
  encodeConnectionTune,
  encodeQueueBindOk,
  encodeQueueDeclareOk,
  encodeQueueDeleteOk,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  FrameScanner,
  type FrameSink,
  QUEUE_BIND_ID,
  QUEUE_DECLARE_ID,
  QUEUE_DELETE_ID,
  readU32,
  readU64,
  toFieldTable,
} from '../../generated/index.ts';
import { contentEnd } from '../amqp/content-end.ts';
import { DeliveryBlock } from './delivery-block.ts';
import type { StandInConsumer, StandInQueue } from './stand-in-queue.ts';

const FRAME_MAX = 131_072;
const TUNE = { channelMax: 2047, frameMax: FRAME_MAX, heartbeat: 0 };
const PROTOCOL_HEADER_BYTES = 8;
const METHOD_ID_BYTES = 4;
const BODY_SIZE_OFFSET = 4;
const REPLY_SIZE_MAX = 1024;

/** Answers what the generator asks, counts what it publishes, delivers what is ready. */
export class StandInSession implements FrameSink, StandInConsumer {
  private readonly socket: Socket;
  private readonly queue: StandInQueue;
  private readonly scanner: FrameScanner;
  private readonly reader: ByteReader;
  private headerBytesLeft: number;
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
    this.scanner = new FrameScanner(this, FRAME_MAX);
    this.reader = new ByteReader();
    this.headerBytesLeft = PROTOCOL_HEADER_BYTES;
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
    const reader = this.reader.reset(buf, start + METHOD_ID_BYTES, end);
    if (methodId === BASIC_ACK_ID) this.onAck(basicAckDeliveryTag(buf, start + METHOD_ID_BYTES));
    else this.send((reply) => this.encodeReply(reply, methodId, channel, reader));
    return end + 1;
  }

  onBodyPiece(_channel: number, _buf: Buffer, start: number, end: number, left: number): void {
    this.onBody(end - start, left === 0);
  }

  private onRead(chunk: Buffer): void {
    const skipped = Math.min(this.headerBytesLeft, chunk.length);
    if (skipped > 0) {
      this.headerBytesLeft -= skipped;
      if (this.headerBytesLeft === 0) this.sendStart();
    }
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
      if (limit - behind < FRAME_HEADER_SIZE + METHOD_ID_BYTES) break;
      if (buf[behind] !== FRAME_METHOD) break;
      if (readU32(buf, behind + FRAME_HEADER_SIZE) !== BASIC_PUBLISH_ID) break;
      next = contentEnd(buf, behind + FRAME_OVERHEAD + readU32(buf, behind + 3), limit);
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
    if (!this.confirms) return;
    const ack = { deliveryTag: this.publishedInAll, multiple: true };
    this.send((buf) => encodeBasicAck(buf, 0, 1, ack));
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

  private sendStart(): void {
    this.send((buf) =>
      encodeConnectionStart(buf, 0, 0, {
        versionMajor: 0,
        versionMinor: 9,
        serverProperties: toFieldTable({ product: 'stand-in', version: '0' }),
        mechanisms: Buffer.from('PLAIN'),
        locales: Buffer.from('en_US'),
      }),
    );
  }

  /** Encodes the reply to a method into `buf`; returns its size, 0 where there is none. */
  private encodeReply(buf: Buffer, methodId: number, channel: number, reader: ByteReader): number {
    const { queue } = this;
    switch (methodId) {
      case CONNECTION_START_OK_ID:
        return encodeConnectionTune(buf, 0, 0, TUNE);
      case CONNECTION_TUNE_OK_ID:
        return 0;
      case CONNECTION_OPEN_ID:
        return encodeConnectionOpenOk(buf, 0, 0);
      case CONNECTION_CLOSE_ID:
        return encodeConnectionCloseOk(buf, 0, 0);
      case CHANNEL_OPEN_ID:
        return encodeChannelOpenOk(buf, 0, channel);
      case CHANNEL_CLOSE_ID:
        queue.removeConsumer(this);
        this.settlePublishes();
        return encodeChannelCloseOk(buf, 0, channel);
      case QUEUE_DECLARE_ID: {
        const ok = { queue: 'q', messageCount: queue.ready, consumerCount: 0 };
        return encodeQueueDeclareOk(buf, 0, channel, ok);
      }
      case QUEUE_BIND_ID:
        return encodeQueueBindOk(buf, 0, channel);
      case QUEUE_DELETE_ID: {
        const ok = { messageCount: queue.ready };
        queue.ready = 0;
        return encodeQueueDeleteOk(buf, 0, channel, ok);
      }
      case BASIC_QOS_ID:
        this.prefetchCount = decodeBasicQos(reader).prefetchCount;
        return encodeBasicQosOk(buf, 0, channel);
      case CONFIRM_SELECT_ID:
        this.confirms = true;
        return encodeConfirmSelectOk(buf, 0, channel);
      case BASIC_CONSUME_ID: {
        const { consumerTag, noAck } = decodeBasicConsume(reader);
        this.startConsumer(channel, consumerTag, noAck);
        return encodeBasicConsumeOk(buf, 0, channel, { consumerTag });
      }
      default:
        throw new Error(`the stand-in broker does not know method ${methodId.toString(16)}`);
    }
  }

  /** Its first delivery comes in a later turn, behind consume-ok. */
  private startConsumer(channel: number, consumerTag: string, noAck: boolean): void {
    const body = Buffer.alloc(this.queue.bodySizeBytes);
    this.deliveries = new DeliveryBlock(channel, consumerTag, body, FRAME_MAX);
    this.noAck = noAck;
    this.queue.addConsumer(this);
  }

  private send(encode: (buf: Buffer) => number): void {
    const buf = Buffer.allocUnsafe(REPLY_SIZE_MAX);
    const size = encode(buf);
    if (size > 0) this.socket.write(buf.subarray(0, size));
  }
}
