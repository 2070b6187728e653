/**
 * @hot One consumer: counts deliveries where they lie in the read buffer and acks every so many.
 *
 * Invariants
 * - A delivery counts when its last octet has come.
 * - An ack covers all deliveries up to its tag; the acks of one read leave in as few writes as can be.
 * - With a rate no more are taken than are due: the rest stays unread.
 *
 * It looks at no property, and leaves bodies to its observer.
 */
import { performance } from 'node:perf_hooks';
import {
  BASIC_CANCEL_ID,
  BASIC_DELIVER_ID,
  basicDeliverDeliveryTag,
  basicDeliverRedelivered,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  METHOD_ID_SIZE,
  readU32,
  TX_COMMIT_OK_ID,
} from '../../generated/index.ts';
import { contentEnd } from '../amqp/content-end.ts';
import type { TrafficConnection, TrafficSink } from '../amqp/traffic-scanner.ts';
import { Acknowledger } from './acknowledger.ts';
import type { ConsumeGoal } from './consume-goal.ts';
import type { ConsumePace } from './consume-pace.ts';
import type { DeliveryObserver } from './delivery-observer.ts';
import { SplitContent } from './split-content.ts';

/** What else a consumer does than count; all of it is left out for the plain case. */
export interface ConsumerOptions {
  /** Deliveries to a commit; the channel is in transaction mode then. */
  readonly commitEvery?: number;
  readonly pace?: ConsumePace | null;
  readonly observer?: DeliveryObserver | null;
}

/** Consumes over a connection of its own. */
export class Consumer implements TrafficSink {
  /** Deliveries seen whole since the last read ended. */
  private consumedInRead: number;
  private readonly connection: TrafficConnection;
  private readonly goal: ConsumeGoal;
  private readonly acks: Acknowledger;
  /** null: as many as come. */
  private readonly pace: ConsumePace | null;
  /** null: nobody looks into bodies. */
  private readonly observer: DeliveryObserver | null;
  /** A delivery that does not lie whole in one read. */
  private readonly split: SplitContent;
  /** Deliveries that may be taken before the next pause; Infinity without a rate. */
  private allowed: number;
  /** Of the last delivery counted, or of the one that comes in pieces. */
  private lastDeliveryTag: number;

  /** @param ackEvery deliveries to an ack; 0: auto-ack */
  constructor(
    connection: TrafficConnection,
    goal: ConsumeGoal,
    ackEvery: number,
    { commitEvery = 0, pace = null, observer = null }: ConsumerOptions = {},
  ) {
    this.consumedInRead = 0;
    this.connection = connection;
    this.goal = goal;
    this.acks = new Acknowledger(connection, ackEvery, commitEvery);
    this.pace = pace;
    this.observer = observer;
    this.split = new SplitContent(observer);
    this.allowed = pace === null ? Number.POSITIVE_INFINITY : 1;
    this.lastDeliveryTag = 0;
    connection.setTraffic(this);
  }

  /** The rate no longer holds: what is unread comes. */
  release(): void {
    this.allowed = Number.POSITIVE_INFINITY;
    this.connection.resumeTraffic();
  }

  /** Acks and commits what is left to; resolves when the broker has handled it. */
  async finish(): Promise<void> {
    this.release();
    this.acks.finish(this.lastDeliveryTag);
    await this.connection.closeChannel();
  }

  /**
   * HOT per run of deliveries. Goes on in place from the first delivery to the last that lies whole in
   * the read buffer, since coming back through the frame scanner costs three calls a message.
   * Bench: micro/consumer.
   */
  onMethod(methodId: number, buf: Buffer, start: number, end: number, limit: number): number {
    if (methodId !== BASIC_DELIVER_ID) {
      if (methodId === TX_COMMIT_OK_ID) return end + 1;
      if (methodId === BASIC_CANCEL_ID) throw new Error('the broker cancelled the consumer');
      return -1;
    }
    const { acks, observer, allowed } = this;
    let methodAt = start - FRAME_HEADER_SIZE;
    let lastAt = -1;
    let next = contentEnd(buf, end + 1, limit);
    let behind = end + 1;
    let count = 0;
    let { untilAck, untilCommit } = acks;
    while (next >= 0) {
      lastAt = methodAt;
      behind = next;
      count++;
      if (observer !== null) observeWhole(observer, buf, methodAt, next);
      if (--untilAck === 0) untilAck = acks.ack(deliveryTagAt(buf, lastAt));
      if (--untilCommit === 0) untilCommit = acks.commit();
      methodAt = next;
      next =
        count < allowed && isDeliver(buf, methodAt, limit)
          ? contentEnd(buf, methodAt + FRAME_OVERHEAD + readU32(buf, methodAt + 3), limit)
          : -1;
    }
    if (lastAt < 0) {
      this.lastDeliveryTag = deliveryTagAt(buf, methodAt);
      this.split.begin(basicDeliverRedelivered(buf, start + METHOD_ID_SIZE));
    } else {
      this.lastDeliveryTag = deliveryTagAt(buf, lastAt);
      acks.untilAck = untilAck;
      acks.untilCommit = untilCommit;
      this.taken(count);
    }
    return behind;
  }

  onContentHeader(bodySizeBytes: number): void {
    if (this.split.header(bodySizeBytes)) this.countSplitDelivery();
  }

  onBody(sizeBytes: number, isFrameEnd: boolean, buf: Buffer, start: number): void {
    if (this.split.piece(sizeBytes, isFrameEnd, buf, start)) this.countSplitDelivery();
  }

  onReadEnd(): void {
    this.acks.flush();
    this.observer?.readEnd();
    if (this.consumedInRead === 0) return;
    this.goal.add(this.consumedInRead);
    this.consumedInRead = 0;
  }

  private countSplitDelivery(): void {
    this.acks.count(this.lastDeliveryTag);
    this.taken(1);
  }

  private taken(count: number): void {
    this.consumedInRead += count;
    this.allowed -= count;
    if (this.allowed <= 0 && this.pace !== null) this.pauseUntilDue(this.pace);
  }

  private pauseUntilDue(pace: ConsumePace): void {
    this.connection.pauseTraffic();
    pace.whenDue((count) => {
      if (this.allowed > 0) return;
      this.allowed = count;
      this.connection.resumeTraffic();
    }, performance.now() * 1000);
  }
}

/** Whether a basic.deliver frame begins at `at`, as far as `buf[..limit)` tells. HOT per message. */
function isDeliver(buf: Buffer, at: number, limit: number): boolean {
  return (
    limit - at > FRAME_HEADER_SIZE + METHOD_ID_SIZE &&
    buf[at] === FRAME_METHOD &&
    readU32(buf, at + FRAME_HEADER_SIZE) === BASIC_DELIVER_ID
  );
}

/** Shows the delivery whose method frame begins at `frameAt` and whose last frame ends at `end`. */
function observeWhole(observer: DeliveryObserver, buf: Buffer, frameAt: number, end: number): void {
  const isRedelivered = basicDeliverRedelivered(buf, frameAt + FRAME_HEADER_SIZE + METHOD_ID_SIZE);
  const headerAt = frameAt + FRAME_OVERHEAD + readU32(buf, frameAt + 3);
  observer.whole(buf, headerAt, end, isRedelivered);
}

function deliveryTagAt(buf: Buffer, frameAt: number): number {
  return basicDeliverDeliveryTag(buf, frameAt + FRAME_HEADER_SIZE + METHOD_ID_SIZE);
}
