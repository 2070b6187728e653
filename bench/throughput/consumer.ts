/**
 * @hot One consumer: counts deliveries where they lie in the read buffer and acks every so many.
 *
 * Invariants
 * - A delivery counts when its last octet has come.
 * - An ack covers all deliveries up to its tag; the acks of one read leave in as few writes as can be.
 *
 * It looks at no property and no body.
 */
import {
  BASIC_CANCEL_ID,
  BASIC_DELIVER_ID,
  basicDeliverDeliveryTag,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  readU32,
} from '../../generated/index.ts';
import { AckSlab } from '../amqp/ack-slab.ts';
import { contentEnd } from '../amqp/content-end.ts';
import {
  BENCH_CHANNEL,
  type TrafficConnection,
  type TrafficSink,
} from '../amqp/traffic-scanner.ts';
import type { ConsumeGoal } from './consume-goal.ts';

const METHOD_ID_BYTES = 4;
const ACKS_PER_SLAB = 1024;

/** Consumes over a connection of its own. */
export class Consumer implements TrafficSink {
  /** Deliveries seen whole since the last read ended. */
  private consumedInRead: number;
  private readonly connection: TrafficConnection;
  private readonly goal: ConsumeGoal;
  /** Deliveries to an ack; 0: auto-ack. */
  private readonly ackEvery: number;
  /** Deliveries until the next ack is due; never 0 with auto-ack. */
  private untilAck: number;
  /** Of the last delivery counted. */
  private lastDeliveryTag: number;
  /** Octets still to come of a delivery that does not lie whole in one read; -1 before its header. */
  private bodyLeft: number;
  private slab: AckSlab;

  /** @param ackEvery deliveries to an ack; 0: auto-ack */
  constructor(connection: TrafficConnection, goal: ConsumeGoal, ackEvery: number) {
    this.consumedInRead = 0;
    this.connection = connection;
    this.goal = goal;
    this.ackEvery = ackEvery;
    this.untilAck = ackEvery === 0 ? -1 : ackEvery;
    this.lastDeliveryTag = 0;
    this.bodyLeft = -1;
    this.slab = new AckSlab(BENCH_CHANNEL, ackEvery > 1, ACKS_PER_SLAB);
    connection.setTraffic(this);
  }

  /** Acks what is left to ack; resolves when the broker has handled it. */
  async finish(): Promise<void> {
    if (this.ackEvery > 1 && this.untilAck < this.ackEvery) {
      this.slab.append(this.lastDeliveryTag);
      this.flushAcks();
    }
    await this.connection.closeChannel();
  }

  /**
   * HOT per run of deliveries. Goes on in place from the first delivery to the last that lies whole in
   * the read buffer, since coming back through the frame scanner costs three calls a message.
   * Bench: micro/consumer.
   */
  onMethod(methodId: number, buf: Buffer, start: number, end: number, limit: number): number {
    if (methodId !== BASIC_DELIVER_ID) {
      if (methodId === BASIC_CANCEL_ID) throw new Error('the broker cancelled the consumer');
      return -1;
    }
    let methodAt = start - FRAME_HEADER_SIZE;
    let lastAt = -1;
    let next = contentEnd(buf, end + 1, limit);
    let behind = end + 1;
    let count = 0;
    while (next >= 0) {
      lastAt = methodAt;
      behind = next;
      count++;
      if (--this.untilAck === 0) this.ack(deliveryTagAt(buf, lastAt));
      methodAt = next;
      next = isDeliver(buf, methodAt, limit)
        ? contentEnd(buf, methodAt + FRAME_OVERHEAD + readU32(buf, methodAt + 3), limit)
        : -1;
    }
    if (lastAt < 0) {
      this.lastDeliveryTag = deliveryTagAt(buf, methodAt);
      this.bodyLeft = -1;
    } else {
      this.lastDeliveryTag = deliveryTagAt(buf, lastAt);
      this.consumedInRead += count;
    }
    return behind;
  }

  onContentHeader(bodySizeBytes: number): void {
    this.bodyLeft = bodySizeBytes;
    if (bodySizeBytes === 0) this.countSplitDelivery();
  }

  onBody(sizeBytes: number, isFrameEnd: boolean): void {
    this.bodyLeft -= sizeBytes;
    if (this.bodyLeft === 0 && isFrameEnd) this.countSplitDelivery();
  }

  onReadEnd(): void {
    if (this.slab.count > 0) this.flushAcks();
    if (this.consumedInRead === 0) return;
    this.goal.add(this.consumedInRead);
    this.consumedInRead = 0;
  }

  private countSplitDelivery(): void {
    this.bodyLeft = -1;
    this.consumedInRead++;
    if (--this.untilAck === 0) this.ack(this.lastDeliveryTag);
  }

  private ack(deliveryTag: number): void {
    this.untilAck = this.ackEvery;
    this.slab.append(deliveryTag);
    if (this.slab.isFull) this.flushAcks();
  }

  /** A slab that the socket could not take at once is left to it, and another takes its place. */
  private flushAcks(): void {
    this.connection.write(this.slab.framesView);
    if (this.connection.isWritable) this.slab.clear();
    else this.slab = new AckSlab(BENCH_CHANNEL, this.ackEvery > 1, ACKS_PER_SLAB);
  }
}

/** Whether a basic.deliver frame begins at `at`, as far as `buf[..limit)` tells. HOT per message. */
function isDeliver(buf: Buffer, at: number, limit: number): boolean {
  return (
    limit - at > FRAME_HEADER_SIZE + METHOD_ID_BYTES &&
    buf[at] === FRAME_METHOD &&
    readU32(buf, at + FRAME_HEADER_SIZE) === BASIC_DELIVER_ID
  );
}

function deliveryTagAt(buf: Buffer, frameAt: number): number {
  return basicDeliverDeliveryTag(buf, frameAt + FRAME_HEADER_SIZE + METHOD_ID_BYTES);
}
