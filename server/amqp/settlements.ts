/**
 * @hot What a channel was sent and has not acked, and what acks, nacks, rejects and recovers make of it.
 *
 * Deliveries are mostly acked in their order, so acks are carried out in runs: of those that follow each other in
 * what was read, the first `ackedCount` entries from `ackedFrom` on wait for {@link Settlements.flush}.
 * In tx mode they are kept for the commit (channel-transaction.ts).
 */
import { FixedBytes } from '../base/fixed-bytes.ts';
import { Consumer, type ConsumerOptions } from '../broker/consumer.ts';
import type { DeliverySink } from '../broker/ports.ts';
import type { Queue } from '../broker/queue.ts';
import { collectForReturn, type Returner } from '../broker/returner.ts';
import { type ChannelTransaction, SETTLEMENTS, type Settlement } from './channel-transaction.ts';
import { preconditionFailed } from './protocol-error.ts';
import { UnackedList } from './unacked-list.ts';

const GETTER: ConsumerOptions = {
  tag: '',
  noAck: false,
  exclusive: false,
  prefetchCount: 0,
  priority: 0,
};
const NO_PREFIX = new FixedBytes(Buffer.alloc(0));

/** The channel, as far as its deliveries concern it. */
export interface SettlementsOwner extends DeliverySink {
  /** Unacked deliveries over all consumers; 0: no limit. */
  readonly channelPrefetchCount: number;
  readonly returner: Returner;
  /** The channel may take more. */
  wakeConsumers(): void;
}

/** The unacked deliveries of one channel. */
export class Settlements {
  readonly unacked: UnackedList;
  /** Null until tx.select. */
  transaction: ChannelTransaction | null;
  private readonly owner: SettlementsOwner;
  /** Unacked messages of basic.get: they do not count against the channel's prefetch. */
  private gotCount: number;
  /** Entries that have been acked and are still in `unacked`. */
  private ackedFrom: number;
  private ackedCount: number;

  constructor(owner: SettlementsOwner) {
    this.unacked = new UnackedList();
    this.transaction = null;
    this.owner = owner;
    this.gotCount = 0;
    this.ackedFrom = 0;
    this.ackedCount = 0;
  }

  /** Deliveries to consumers that count against the channel's prefetch. */
  get outstandingCount(): number {
    return this.unacked.count + (this.transaction?.heldCount ?? 0) - this.gotCount;
  }

  /** Keeps a message of basic.get as unacked, under a consumer that stands for this one get. */
  keepGot(queue: Queue, tag: number, sequence: number, position: number, size: number): void {
    this.flush();
    const getter = new Consumer(queue, this.owner, GETTER, NO_PREFIX);
    getter.active = false;
    getter.unackedCount = 1;
    this.gotCount++;
    this.unacked.push(tag, getter, sequence, position, size);
  }

  /**
   * HOT per ack. Acks one delivery, now or with the next {@link flush}, which must come before anything else is asked
   * of the channel.
   *
   * @throws ProtocolError 406 when the tag is not unacked here
   */
  ack(tag: number): void {
    if (this.transaction !== null || tag === 0) {
      this.settle(tag, false, true);
      return;
    }
    const { unacked } = this;
    const entry = unacked.find(tag);
    const end = this.ackedFrom + this.ackedCount;
    if (this.ackedCount > 0) {
      if (entry === end && unacked.follows(entry)) {
        this.ackedCount++;
        return;
      }
      this.flush();
    }
    // What was just carried out may have held it, and an ack of it again is an error.
    this.ackedFrom = this.requireUnacked(tag);
    this.ackedCount = 1;
  }

  /** Lets go of memory that a channel at rest does not need; returns how much, in bytes. */
  rest(): number {
    this.flush();
    return this.unacked.shrink();
  }

  /** Carries out the acks that wait. */
  flush(): void {
    const { unacked, ackedFrom, ackedCount } = this;
    if (ackedCount === 0) return;
    this.ackedCount = 0;
    this.settleEntries(unacked, ackedFrom, ackedCount, true);
  }

  /**
   * HOT per ack. Settles what a tag means: one delivery, or with `multiple` all up to it (tag 0: all there
   * are). `isAcked` is false where the messages are dropped instead.
   *
   * @throws ProtocolError 406 when the tag itself is not unacked here
   */
  settle(tag: number, multiple: boolean, isAcked: boolean): void {
    this.flush();
    const { unacked } = this;
    if (this.transaction !== null) {
      const settlement = isAcked ? SETTLEMENTS.ack : SETTLEMENTS.reject;
      this.hold(this.transaction, tag, multiple, settlement);
      return;
    }
    if (!multiple) {
      this.settleEntries(unacked, this.requireUnacked(tag), 1, isAcked);
      return;
    }
    if (tag !== 0) this.requireUnacked(tag);
    const last = tag === 0 ? Number.POSITIVE_INFINITY : tag;
    for (let entry = unacked.first(); entry >= 0 && unacked.tagAt(entry) <= last; ) {
      const count = unacked.runLength(entry, last);
      const next = unacked.next(entry + count - 1);
      this.settleEntries(unacked, entry, count, isAcked);
      entry = next;
    }
  }

  /** Puts back what a tag means, as {@link settle} reads it. */
  requeue(tag: number, multiple: boolean): void {
    this.flush();
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

  /** Puts unacked entries with tags up to `upToTag` back to their queues; if they are many, over several turns. */
  requeueUpTo(upToTag: number): void {
    this.flush();
    const { unacked, owner } = this;
    if (!owner.returner.hasRoomFor(unacked.spanUpTo(upToTag))) {
      this.giveBack(unacked.takeUpTo(upToTag));
      return;
    }
    const byQueue = new Map<Queue, number[]>();
    for (let entry = unacked.first(); entry >= 0 && unacked.tagAt(entry) <= upToTag; ) {
      this.collectForRequeue(unacked, entry, byQueue);
      const next = unacked.next(entry);
      unacked.remove(entry);
      entry = next;
    }
    this.requeueCollected(byQueue);
  }

  /** Carries out what a transaction holds, in its order. */
  settleHeld(transaction: ChannelTransaction): void {
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
      this.settleEntries(held, entry, 1, settlement === SETTLEMENTS.ack);
    });
    this.requeueCollected(byQueue);
  }

  /** The channel ends: everything returns to its queue. */
  returnAll(): void {
    this.flush();
    this.transaction?.rollback(this.unacked);
    this.requeueUpTo(Number.POSITIVE_INFINITY);
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

  private requireUnacked(tag: number): number {
    const entry = this.unacked.find(tag);
    if (entry < 0) throw preconditionFailed(`unknown delivery tag ${tag}`);
    return entry;
  }

  /**
   * HOT per run of acks. Acks, or drops, `count` entries that {@link UnackedList.runLength} or `follows` found to be a
   * run.
   */
  private settleEntries(
    unacked: UnackedList,
    entry: number,
    count: number,
    isAcked: boolean,
  ): void {
    const { queue } = unacked.consumerAt(entry);
    const positions = unacked.positionsByEntry;
    for (let done = 0; done < count; ) {
      const at = entry + done;
      const sequence = unacked.sequenceAt(at);
      const length = queue.settleSpan(sequence, count - done);
      const bytes = unacked.sizeOfRun(at, length);
      queue.settleRun(sequence, length, positions, at, bytes, isAcked);
      done += length;
    }
    this.settled(unacked, entry, count);
  }

  /** HOT per run of acks. The queue has been told of these entries of one consumer: there is room for others. */
  private settled(unacked: UnackedList, entry: number, count: number): void {
    const consumer = unacked.consumerAt(entry);
    unacked.removeRun(entry, count);
    this.forgetUnacked(consumer, count);
    if (this.owner.channelPrefetchCount > 0) this.owner.wakeConsumers();
    else if (consumer.active) consumer.queue.wake();
  }

  private collectForRequeue(
    unacked: UnackedList,
    entry: number,
    byQueue: Map<Queue, number[]>,
  ): void {
    this.forgetUnacked(unacked.consumerAt(entry), 1);
    collectForReturn(unacked, entry, byQueue);
  }

  /** Gives a whole list back, which nobody else has. */
  private giveBack(list: UnackedList): void {
    const counts = new Map<Queue, number>();
    list.forEachConsumer((consumer, count) => {
      const { queue } = consumer;
      this.forgetUnacked(consumer, count);
      counts.set(queue, (counts.get(queue) ?? 0) + count);
    });
    this.owner.returner.take(list, counts);
    if (this.owner.channelPrefetchCount > 0) this.owner.wakeConsumers();
  }

  private forgetUnacked(consumer: Consumer, count: number): void {
    consumer.unackedCount -= count;
    if (consumer.deliverPrefix === NO_PREFIX) this.gotCount -= count;
  }

  private requeueCollected(byQueue: Map<Queue, number[]>): void {
    for (const [queue, entries] of byQueue) queue.requeue(entries);
    if (this.owner.channelPrefetchCount > 0) this.owner.wakeConsumers();
  }
}
