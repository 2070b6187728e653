/**
 * A consumer of a queue: where its deliveries go and how many more it takes.
 *
 * @hot One shape; `unackedCount` moves with every delivery and ack.
 */
import type { FixedBytes } from '../base/fixed-bytes.ts';
import type { DeliverySink } from './ports.ts';
import type { Queue } from './queue.ts';

/** What a consumer asks for. */
export interface ConsumerOptions {
  readonly tag: string;
  /** Deliveries count as acked when sent. */
  readonly noAck: boolean;
  readonly exclusive: boolean;
  /** Unacked deliveries it takes at most; 0: no limit. */
  readonly prefetchCount: number;
  /** Higher ones are served first, as long as they take messages. */
  readonly priority: number;
}

/** One basic.consume, or the pseudo-consumer behind a channel's basic.get. */
export class Consumer {
  readonly queue: Queue;
  readonly sink: DeliverySink;
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  /** 0: no limit. */
  readonly prefetchCount: number;
  readonly priority: number;
  unackedCount: number;
  /** Where its queue has it (consumer-levels.ts). */
  place: number;
  /**
   * False until its consume-ok has left, so that no delivery overtakes that, and again once it was cancelled:
   * acks may still come for what it was sent.
   */
  active: boolean;
  /** What the sink writes before each delivery (amqp/delivery-writer.ts); made by the sink. */
  readonly deliverPrefix: FixedBytes;

  constructor(
    queue: Queue,
    sink: DeliverySink,
    options: ConsumerOptions,
    deliverPrefix: FixedBytes,
  ) {
    this.queue = queue;
    this.sink = sink;
    this.tag = options.tag;
    this.noAck = options.noAck;
    this.exclusive = options.exclusive;
    this.prefetchCount = options.prefetchCount;
    this.priority = options.priority;
    this.unackedCount = 0;
    this.place = 0;
    this.active = false;
    this.deliverPrefix = deliverPrefix;
  }

  /** Deliveries that its prefetch leaves. */
  get credit(): number {
    const { prefetchCount } = this;
    return prefetchCount === 0 ? Number.POSITIVE_INFINITY : prefetchCount - this.unackedCount;
  }

  /** HOT per delivery. Whether the next message may go to it. */
  get isWilling(): boolean {
    return this.active && this.sink.canTake && this.credit > 0;
  }
}
