/**
 * Unacked messages that come back to their queues. A consumer without a prefetch may have had a million: they come
 * back over several turns, so that nobody else waits for them longer than for a few. That makes no difference to
 * what can be seen (queue-returns.ts).
 */
import type { Consumer } from './consumer.ts';
import type { Queue } from './queue.ts';
import type { UnfinishedReturn } from './queue-returns.ts';
import type { Reactor, Resumable } from './reactor.ts';

/** Messages that come back in one turn, at most: three milliseconds of it on a slow core ... */
export const RETURNED_PER_TURN = 8192;
/** ... and for how long, in milliseconds: code that is cold takes several times as much. */
const RETURN_MS_PER_TURN = 3;
/** Messages that come back between two looks at the clock, and in any turn. */
const RETURNED_PER_LOOK = 1024;

/** Deliveries without an ack, as a channel lists them. What is given away is not changed by the channel any more. */
export interface UnackedDeliveries {
  /** The oldest entry, or -1. */
  first(): number;
  /** The next entry after `entry`, or -1. */
  next(entry: number): number;
  consumerAt(entry: number): Consumer;
  sequenceAt(entry: number): number;
  positionAt(entry: number): number;
  sizeAt(entry: number): number;
}

/** Puts messages back. One per vhost. */
export class Returner implements Resumable {
  private readonly reactor: Reactor;
  /** The longest waiting first. */
  private readonly pending: PendingReturn[];
  /** The turn that {@link returnedCount} counts for. */
  private turnNumber: number;
  private returnedCount: number;

  constructor(reactor: Reactor) {
    this.reactor = reactor;
    this.pending = [];
    this.turnNumber = -1;
    this.returnedCount = 0;
  }

  /** Whether the turn has room for so many more: then they may come back at once. */
  hasRoomFor(count: number): boolean {
    if (count > this.room) return false;
    this.returnedCount += count;
    return true;
  }

  /** Messages that may still come back in this turn. */
  private get room(): number {
    const { turnNumber } = this.reactor;
    if (this.turnNumber !== turnNumber) {
      this.turnNumber = turnNumber;
      this.returnedCount = 0;
    }
    return RETURNED_PER_TURN - this.returnedCount;
  }

  /** Puts back all of `deliveries`, in the turns to come; `counts` has how many go to which queue. */
  take(deliveries: UnackedDeliveries, counts: ReadonlyMap<Queue, number>): void {
    this.pending.push(new PendingReturn(deliveries, counts));
    if (this.pending.length === 1) this.reactor.resumeLater(this);
  }

  /** The share of a turn; one that fails takes no other with it. */
  resume(): void {
    try {
      this.advance();
    } finally {
      if (this.pending.length > 0) this.reactor.resumeLater(this);
    }
  }

  private advance(): void {
    const { clock } = this.reactor;
    const endMs = clock.nowMs + RETURN_MS_PER_TURN;
    const { room } = this;
    let count = 0;
    do {
      const first = this.pending[0];
      if (first === undefined) return;
      try {
        count += first.advance(RETURNED_PER_LOOK);
      } finally {
        if (first.isOver) this.pending.shift();
      }
    } while (count < room && clock.nowMs < endMs);
  }

  /** Puts back at once what is left. */
  finishAll(): void {
    for (const pending of this.pending.splice(0)) pending.finish();
  }
}

/** What one channel gave back. */
class PendingReturn implements UnfinishedReturn {
  private readonly deliveries: UnackedDeliveries;
  private readonly queues: readonly Queue[];
  /** The next entry, or -1. */
  private entry: number;

  constructor(deliveries: UnackedDeliveries, counts: ReadonlyMap<Queue, number>) {
    this.deliveries = deliveries;
    this.queues = [...counts.keys()];
    this.entry = deliveries.first();
    for (const [queue, count] of counts) queue.beginReturn(this, count);
  }

  get isOver(): boolean {
    return this.entry < 0;
  }

  /** Puts back at most `max` messages; returns how many. */
  advance(max: number): number {
    if (this.isOver) return 0;
    const { deliveries } = this;
    const byQueue = new Map<Queue, number[]>();
    let count = 0;
    for (; this.entry >= 0 && count < max; count++) {
      collectForReturn(deliveries, this.entry, byQueue);
      this.entry = deliveries.next(this.entry);
    }
    try {
      for (const [queue, entries] of byQueue) queue.cameBack(entries);
    } finally {
      if (this.isOver) for (const queue of this.queues) queue.endReturn(this);
    }
    return count;
  }

  finish(): void {
    this.advance(Number.POSITIVE_INFINITY);
  }
}

/** Adds an entry of `deliveries` to those of its queue, as {@link Queue.requeue} takes them. */
export function collectForReturn(
  deliveries: UnackedDeliveries,
  entry: number,
  byQueue: Map<Queue, number[]>,
): void {
  const { queue } = deliveries.consumerAt(entry);
  let entries = byQueue.get(queue);
  if (entries === undefined) {
    entries = [];
    byQueue.set(queue, entries);
  }
  entries.push(
    deliveries.sequenceAt(entry),
    deliveries.positionAt(entry),
    deliveries.sizeAt(entry),
  );
}
