/**
 * What a stand-in for a broker answers beside its traffic: it logs everybody in, has one queue under all names, and knows
 * only the methods that the generator sends.
 */
import {
  BASIC_CONSUME_ID,
  BASIC_QOS_ID,
  type ByteReader,
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
  QUEUE_BIND_ID,
  QUEUE_DECLARE_ID,
  QUEUE_DELETE_ID,
  toFieldTable,
} from '../../generated/index.ts';

/** The largest frame that a stand-in takes, and sends. */
export const STAND_IN_FRAME_MAX = 131_072;

const TUNE = { channelMax: 2047, frameMax: STAND_IN_FRAME_MAX, heartbeat: 0 };
const REPLY_SIZE_MAX = 1024;
const PROTOCOL_HEADER_BYTES = 8;
/** The generator has but one channel on a connection. */
const STAND_IN_CHANNEL = 1;

/** The connection that is answered. */
export interface StandInTraffic {
  /** Messages in the queue. */
  readonly ready: number;
  startConsumer(channel: number, consumerTag: string, noAck: boolean): void;
  limitPrefetch(count: number): void;
  beginConfirms(): void;
  endChannel(): void;
  emptyQueue(): void;
  write(bytes: Buffer): void;
}

/** Answers for one connection. */
export class StandInControl {
  private readonly traffic: StandInTraffic;
  private readonly product: string;
  /** Octets of the client's protocol header that are still to come. */
  private headerLeft: number;

  /** `product`: what it says that it is. */
  constructor(traffic: StandInTraffic, product: string) {
    this.traffic = traffic;
    this.product = product;
    this.headerLeft = PROTOCOL_HEADER_BYTES;
  }

  /** Steps over the client's protocol header in `size` octets read; returns how many of them are of it. */
  takeProtocolHeader(size: number): number {
    const taken = Math.min(this.headerLeft, size);
    this.headerLeft -= taken;
    if (taken > 0 && this.headerLeft === 0) this.start();
    return taken;
  }

  /** Confirms all publishes up to the one with this number. */
  confirm(upTo: number): void {
    const ack = { deliveryTag: upTo, multiple: true };
    this.send((buf) => encodeBasicAck(buf, 0, STAND_IN_CHANNEL, ack));
  }

  private start(): void {
    this.send((buf) =>
      encodeConnectionStart(buf, 0, 0, {
        versionMajor: 0,
        versionMinor: 9,
        serverProperties: toFieldTable({ product: this.product, version: '0' }),
        mechanisms: Buffer.from('PLAIN'),
        locales: Buffer.from('en_US'),
      }),
    );
  }

  /** Answers a method; the reader stands behind its id. @throws Error for one that it does not know */
  answer(methodId: number, channel: number, reader: ByteReader): void {
    this.send((buf) => this.encodeReply(buf, methodId, channel, reader));
  }

  /** Encodes the reply into `buf`; returns its size, 0 where there is none. */
  private encodeReply(buf: Buffer, methodId: number, channel: number, reader: ByteReader): number {
    const { traffic } = this;
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
        traffic.endChannel();
        return encodeChannelCloseOk(buf, 0, channel);
      case QUEUE_DECLARE_ID: {
        const ok = { queue: 'q', messageCount: traffic.ready, consumerCount: 0 };
        return encodeQueueDeclareOk(buf, 0, channel, ok);
      }
      case QUEUE_BIND_ID:
        return encodeQueueBindOk(buf, 0, channel);
      case QUEUE_DELETE_ID: {
        const ok = { messageCount: traffic.ready };
        traffic.emptyQueue();
        return encodeQueueDeleteOk(buf, 0, channel, ok);
      }
      case BASIC_QOS_ID:
        traffic.limitPrefetch(decodeBasicQos(reader).prefetchCount);
        return encodeBasicQosOk(buf, 0, channel);
      case CONFIRM_SELECT_ID:
        traffic.beginConfirms();
        return encodeConfirmSelectOk(buf, 0, channel);
      case BASIC_CONSUME_ID: {
        const { consumerTag, noAck } = decodeBasicConsume(reader);
        traffic.startConsumer(channel, consumerTag, noAck);
        return encodeBasicConsumeOk(buf, 0, channel, { consumerTag });
      }
      default:
        throw new Error(`a stand-in for a broker does not know method ${methodId.toString(16)}`);
    }
  }

  private send(encode: (buf: Buffer) => number): void {
    const buf = Buffer.allocUnsafe(REPLY_SIZE_MAX);
    const size = encode(buf);
    if (size > 0) this.traffic.write(buf.subarray(0, size));
  }
}
