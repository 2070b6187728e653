/**
 * What clients know of every message over all rounds, and the judgement on what the broker makes of it.
 *
 * - A confirmed message whose ack was never sent must come; one that was not confirmed may.
 * - Nothing comes that was not published to that queue, and no body differs from what was published.
 * - First deliveries of one publisher's messages come to a queue in publishing order.
 * - A message that was delivered before says that it is redelivered.
 * - An ack counts for good once a message was confirmed that was published, to the same life of the server, after the
 *   broker had answered something behind the ack: both stand in one log. Before, the message may come back; and where
 *   the server was killed before, the ack may be lost, and a later confirm says nothing of it.
 *
 * It knows no sockets: rounds.ts tells it what happens.
 */

/** A message as its publisher knows it. */
export interface LedgerMessage {
  readonly id: string;
  readonly publisher: string;
  readonly number: number;
  /** Bytes of the body behind the id. */
  readonly fillerSize: number;
  readonly queues: readonly string[];
  readonly round: number;
  /** Acks that were settled when it was published. */
  readonly settledAcks: number;
  isConfirmed: boolean;
}

/** One message in one queue. */
interface Copy {
  isDelivered: boolean;
  isAckSent: boolean;
  /** Place of its ack among the settled ones; infinity: not settled. */
  ackPlace: number;
}

/** Its body: the id, a space, and the id again and again. Made anew each time, since many wait for long. */
export function bodyOf({ id, fillerSize }: LedgerMessage): Buffer {
  return Buffer.concat([Buffer.from(`${id} `), Buffer.alloc(fillerSize, id)]);
}

/** What a run may wait for. */
export type LedgerEvent = 'confirm' | 'ack';

/** Something that must not be. */
export interface Violation {
  readonly round: number;
  readonly text: string;
}

/** The books of a run. */
export class Ledger {
  readonly violations: Violation[] = [];
  /** The round that is being played; the drain at the end is one of its own. */
  round = 0;
  confirmedCount = 0;
  redeliveredCount = 0;
  private readonly messages: Map<string, LedgerMessage> = new Map();
  private readonly copies: Map<string, Copy> = new Map();
  private readonly lastNumbers: Map<string, number> = new Map();
  private readonly lastFirstDeliveries: Map<string, number> = new Map();
  private waiting: { readonly event: LedgerEvent; left: number; readonly reached: () => void }[] =
    [];
  private settledAcks = 0;
  /** Acks before this place are on stable storage, but for those that a kill may have undone. */
  private stableAcks = 0;
  /** What was settled in this life of the server. */
  private settledCopies: Copy[] = [];

  /** A publisher is about to publish its next message, whose body is {@link bodyOf} it. */
  publish(publisher: string, queues: readonly string[], fillerSize: number): LedgerMessage {
    const number = (this.lastNumbers.get(publisher) ?? 0) + 1;
    this.lastNumbers.set(publisher, number);
    const id = `${publisher}-${number}`;
    const message: LedgerMessage = {
      id,
      publisher,
      number,
      fillerSize,
      queues,
      round: this.round,
      settledAcks: this.settledAcks,
      isConfirmed: false,
    };
    this.messages.set(id, message);
    return message;
  }

  /** Resolves with the `count`-th confirm or ack from now on. */
  after(event: LedgerEvent, count: number): Promise<void> {
    return new Promise((reached) => this.waiting.push({ event, left: count, reached }));
  }

  confirm(message: LedgerMessage): void {
    this.count('confirm');
    message.isConfirmed = true;
    this.confirmedCount++;
    this.stableAcks = Math.max(this.stableAcks, message.settledAcks);
  }

  /** A delivery has come; its id, or null when nobody published it. */
  deliver(queue: string, body: Buffer, redelivered: boolean): string | null {
    const id = body.toString('latin1', 0, body.indexOf(' '));
    const message = this.messages.get(id);
    if (message === undefined || !bodyOf(message).equals(body)) {
      this.blame(`${queue} delivers ${body.length} octets that nobody published, as ${id}`);
      return null;
    }
    if (!message.queues.includes(queue))
      this.blame(`${queue} delivers ${id}, which is not its own`);
    const copy = this.copyOf(queue, id);
    if (!copy.isDelivered) this.checkOrder(queue, message);
    else if (!redelivered) this.blame(`${queue} delivers ${id} again, not as redelivered`);
    if (copy.ackPlace < this.stableAcks) this.blame(`${queue} brings back ${id}, acked for good`);
    if (copy.isDelivered) this.redeliveredCount++;
    copy.isDelivered = true;
    return id;
  }

  /** The ack of a delivery is handed to the socket. */
  ack(queue: string, id: string): void {
    this.count('ack');
    this.copyOf(queue, id).isAckSent = true;
  }

  /** The broker has answered something that was asked on the same channel after these acks. */
  settleAcks(queue: string, ids: readonly string[]): void {
    for (const id of ids) {
      const copy = this.copyOf(queue, id);
      copy.ackPlace = this.settledAcks++;
      this.settledCopies.push(copy);
    }
  }

  /** The server was killed, and all that it had sent has come: what is not known to be stable may be lost. */
  killed(): void {
    for (const copy of this.settledCopies) {
      if (copy.ackPlace >= this.stableAcks) copy.ackPlace = Number.POSITIVE_INFINITY;
    }
    this.settledCopies = [];
  }

  /** All queues are empty: whatever was confirmed must have come, and been acked. */
  close(): void {
    for (const { id, queues, round, isConfirmed } of this.messages.values()) {
      if (!isConfirmed) continue;
      for (const queue of queues) {
        if (this.copies.get(copyKey(queue, id))?.isAckSent === true) continue;
        this.violations.push({ round, text: `${queue} has lost ${id}, which was confirmed` });
      }
    }
  }

  blame(text: string): void {
    this.violations.push({ round: this.round, text });
  }

  private count(event: LedgerEvent): void {
    for (const waiting of this.waiting) {
      if (waiting.event === event && --waiting.left === 0) waiting.reached();
    }
    this.waiting = this.waiting.filter(({ left }) => left > 0);
  }

  private checkOrder(queue: string, { id, publisher, number }: LedgerMessage): void {
    const key = copyKey(queue, publisher);
    const last = this.lastFirstDeliveries.get(key) ?? 0;
    if (number < last) this.blame(`${queue} delivers ${id} after ${publisher}-${last}`);
    this.lastFirstDeliveries.set(key, Math.max(last, number));
  }

  private copyOf(queue: string, id: string): Copy {
    const key = copyKey(queue, id);
    let copy = this.copies.get(key);
    if (copy === undefined) {
      copy = { isDelivered: false, isAckSent: false, ackPlace: Number.POSITIVE_INFINITY };
      this.copies.set(key, copy);
    }
    return copy;
  }
}

function copyKey(queue: string, name: string): string {
  return `${queue}/${name}`;
}
