/**
 * The open transaction of a channel (tx.select): messages to publish, and acks, nacks and rejects in their order.
 *
 * An ack is checked when it comes, and its delivery is then no longer unacked on the channel: a second ack is an
 * error. It still counts against the prefetch until the commit. A rollback makes it unacked again, and so does
 * the end of the channel, which then puts it back to its queue.
 */
import { TRANSACTION_ACKS_MAX, Transaction } from '../broker/transaction.ts';
import type { Vhost } from '../broker/vhost.ts';
import { sizeOfRequeue, sizeOfSettle } from '../storage/record-format.ts';
import { preconditionFailed } from './protocol-error.ts';
import { UnackedList } from './unacked-list.ts';

/** What is to become of a delivery. */
export const SETTLEMENTS = {
  ack: 0,
  reject: 1,
  requeue: 2,
} as const;

/** One of {@link SETTLEMENTS}. */
export type Settlement = (typeof SETTLEMENTS)[keyof typeof SETTLEMENTS];

/** Deliveries next to each other that were settled alike. */
interface Run {
  readonly settlement: Settlement;
  count: number;
}

/** Memory of a run, in bytes. */
const RUN_BYTES = 40;

/** Called at the commit for each delivery, in the order in which they were settled. */
export type SettleHeld = (held: UnackedList, entry: number, settlement: Settlement) => void;

/** One per channel in tx mode. */
export class ChannelTransaction {
  readonly messages: Transaction;
  /** Deliveries in the order in which they were settled, which is not that of their tags. */
  private readonly held: UnackedList;
  private readonly runs: Run[];

  constructor(vhost: Vhost) {
    this.messages = new Transaction(vhost);
    this.held = new UnackedList();
    this.runs = [];
  }

  /** Deliveries that are settled with the commit. */
  get heldCount(): number {
    return this.held.count;
  }

  /** Memory that it holds, in bytes. */
  get memoryBytes(): number {
    return this.messages.memoryBytes + this.held.memoryBytes + RUN_BYTES * this.runs.length;
  }

  /** Whether its commit says something that must survive. */
  get isDurable(): boolean {
    if (this.messages.isDurable) return true;
    const { held } = this;
    for (let entry = held.first(); entry >= 0; entry = held.next(entry)) {
      if (held.consumerAt(entry).queue.isLogged) return true;
    }
    return false;
  }

  /** At most so many bytes of records come from the commit. */
  get recordBytes(): number {
    return this.messages.recordBytes + this.settleBytes();
  }

  /**
   * Takes an unacked delivery out of `unacked`, to be settled with the commit.
   *
   * @throws ProtocolError 406 when there are too many
   */
  hold(unacked: UnackedList, entry: number, settlement: Settlement): void {
    const { held, runs } = this;
    if (held.count === TRANSACTION_ACKS_MAX) {
      throw preconditionFailed(
        `transaction has more than ${TRANSACTION_ACKS_MAX} acknowledgements`,
      );
    }
    held.push(
      unacked.tagAt(entry),
      unacked.consumerAt(entry),
      unacked.sequenceAt(entry),
      unacked.positionAt(entry),
      unacked.sizeAt(entry),
    );
    unacked.remove(entry);
    const last = runs.at(-1);
    if (last?.settlement === settlement) last.count++;
    else runs.push({ settlement, count: 1 });
  }

  /** Shows all deliveries in the order in which they were settled. */
  forEachHeld(settle: SettleHeld): void {
    const { held } = this;
    let entry = held.first();
    for (const { settlement, count } of this.runs) {
      for (let i = 0; i < count; i++) {
        settle(held, entry, settlement);
        entry = held.next(entry);
      }
    }
  }

  /** The commit is made, or nothing is left to roll back. */
  clear(): void {
    this.messages.clear();
    this.held.clear();
    this.runs.length = 0;
  }

  /** Drops the messages; the deliveries are unacked again. */
  rollback(unacked: UnackedList): void {
    unacked.restore(this.held);
    this.clear();
  }

  /** What the log needs at most: a range, with a record of its own, where one does not go on the one before. */
  private settleBytes(): number {
    let bytes = 0;
    let lastQueue: unknown = null;
    let lastSequence = 0;
    let lastSettlement: Settlement | null = null;
    this.forEachHeld((held, entry, settlement) => {
      const { queue } = held.consumerAt(entry);
      const sequence = held.sequenceAt(entry);
      if (settlement === SETTLEMENTS.requeue) bytes += sizeOfRequeue(1);
      else if (
        queue !== lastQueue ||
        sequence !== lastSequence + 1 ||
        settlement !== lastSettlement
      ) {
        bytes += sizeOfSettle(1);
      }
      lastQueue = queue;
      lastSequence = sequence;
      lastSettlement = settlement;
    });
    return bytes;
  }
}
