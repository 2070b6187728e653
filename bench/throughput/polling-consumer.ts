/**
 * One consumer that polls: a basic.get at a time, the next when the answer has come, also when the queue was empty.
 *
 * What it measures is round trips; so unlike the other consumer it has no way of its own through many messages.
 */
import { performance } from 'node:perf_hooks';
import {
  BASIC_GET_EMPTY_ID,
  BASIC_GET_OK_ID,
  basicGetOkDeliveryTag,
  basicGetOkRedelivered,
  encodeBasicGet,
  METHOD_ID_SIZE,
  sizeOfBasicGet,
  TX_COMMIT_OK_ID,
} from '../../generated/index.ts';
import {
  BENCH_CHANNEL,
  type TrafficConnection,
  type TrafficSink,
} from '../amqp/traffic-scanner.ts';
import { Acknowledger } from './acknowledger.ts';
import type { ConsumeGoal } from './consume-goal.ts';
import type { ConsumePace } from './consume-pace.ts';
import type { ConsumerOptions } from './consumer.ts';
import type { DeliveryObserver } from './delivery-observer.ts';
import { SplitContent } from './split-content.ts';

/** Polls over a connection of its own. */
export class PollingConsumer implements TrafficSink {
  private readonly connection: TrafficConnection;
  private readonly goal: ConsumeGoal;
  private readonly acks: Acknowledger;
  /** null: as fast as the broker answers. */
  private readonly pace: ConsumePace | null;
  private readonly observer: DeliveryObserver | null;
  private readonly split: SplitContent;
  private readonly get: Buffer;
  /** A question has left, and its answer has not been dealt with. */
  private isAsking: boolean;
  /** What that answer is, as far as it has come. */
  private answer: 'none' | 'empty' | 'message';
  /** Messages that may be asked for at once; Infinity without a rate. */
  private allowed: number;
  private isStopped: boolean;
  private lastDeliveryTag: number;
  private resolveIdle: () => void;
  private readonly whenIdle: Promise<void>;

  /** @param ackEvery messages to an ack; 0: auto-ack */
  constructor(
    connection: TrafficConnection,
    goal: ConsumeGoal,
    ackEvery: number,
    queue: string,
    { commitEvery = 0, pace = null, observer = null }: ConsumerOptions = {},
  ) {
    this.connection = connection;
    this.goal = goal;
    this.acks = new Acknowledger(connection, ackEvery, commitEvery);
    this.pace = pace;
    this.observer = observer;
    this.split = new SplitContent(observer);
    this.get = encodeGet(queue, ackEvery === 0);
    this.isAsking = false;
    this.answer = 'none';
    this.allowed = pace === null ? Number.POSITIVE_INFINITY : 1;
    this.isStopped = false;
    this.lastDeliveryTag = 0;
    this.resolveIdle = () => {};
    this.whenIdle = new Promise((resolve) => {
      this.resolveIdle = resolve;
    });
    connection.setTraffic(this);
  }

  start(): void {
    this.ask();
  }

  /** Asks for nothing more, acks and commits what is left to; resolves when the broker has handled it. */
  async finish(): Promise<void> {
    this.isStopped = true;
    if (this.isAsking) await this.whenIdle;
    this.acks.finish(this.lastDeliveryTag);
    await this.connection.closeChannel();
  }

  onMethod(methodId: number, buf: Buffer, start: number, end: number): number {
    const at = start + METHOD_ID_SIZE;
    if (methodId === BASIC_GET_OK_ID) {
      this.lastDeliveryTag = basicGetOkDeliveryTag(buf, at);
      this.split.begin(basicGetOkRedelivered(buf, at));
    } else if (methodId === BASIC_GET_EMPTY_ID) {
      this.answer = 'empty';
    } else if (methodId !== TX_COMMIT_OK_ID) {
      return -1;
    }
    return end + 1;
  }

  onContentHeader(bodySizeBytes: number): void {
    if (this.split.header(bodySizeBytes)) this.count();
  }

  onBody(sizeBytes: number, isFrameEnd: boolean, buf: Buffer, start: number): void {
    if (this.split.piece(sizeBytes, isFrameEnd, buf, start)) this.count();
  }

  onReadEnd(): void {
    this.acks.flush();
    this.observer?.readEnd();
    if (this.answer === 'none') return;
    const hasMessage = this.answer === 'message';
    this.answer = 'none';
    this.isAsking = false;
    if (hasMessage) {
      this.goal.add(1);
      this.allowed--;
    }
    if (this.isStopped) this.resolveIdle();
    else if (this.allowed > 0 || this.pace === null) this.ask();
    else this.pace.whenDue((count) => this.askFor(count), performance.now() * 1000);
  }

  private count(): void {
    this.acks.count(this.lastDeliveryTag);
    this.answer = 'message';
  }

  private askFor(count: number): void {
    this.allowed = count;
    this.ask();
  }

  private ask(): void {
    if (this.isStopped) return;
    this.isAsking = true;
    this.connection.write(this.get);
  }
}

function encodeGet(queue: string, noAck: boolean): Buffer {
  const get = { queue, noAck };
  const frame = Buffer.allocUnsafe(sizeOfBasicGet(get));
  encodeBasicGet(frame, 0, BENCH_CHANNEL, get);
  return frame;
}
