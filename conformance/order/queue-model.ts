/**
 * What AMQP and RabbitMQ promise about the messages of a queue, as a model that clients' events are held against.
 *
 * Events come in *bursts*: what several clients do at the same time, then rest until everything has been answered and
 * delivered. What is known of two messages' order in a queue: one that was published in an earlier burst lies before,
 * and so does one that the same channel has published before. Between channels of one burst the order is open.
 *
 * - A message comes only out of queues that it was routed to, never while somebody has it, never again once it is settled.
 * - `redelivered` is set if, and only if, it was delivered before.
 * - First deliveries come to each consumer in the order of the queue.
 * - No delivery passes a message that lay before it, ready, all the time. In a burst of one operation nothing passes a
 *   message that is ready at its end: so a message that was put back lies where it was.
 * - At rest either nothing is ready or no consumer may take more, and the broker's counts are the model's.
 *
 * It knows no sockets; written from the specification (1.8.3.12 to 1.8.3.16), RabbitMQ's pages on consumers, acks and
 * transactions, and nothing else.
 */

/** Somebody whose order of publishing counts: a channel in one of its lives. */
export type PublisherId = string;

/** A message. */
export interface ModelMessage {
  readonly id: string;
  readonly publisher: PublisherId;
  /** Its number among the publisher's messages. */
  readonly number: number;
}

/** One message in one queue. */
export interface Copy {
  readonly message: ModelMessage;
  /** Burst in which it came into the queue. */
  readonly burst: number;
  state: 'ready' | 'out' | 'gone';
  deliveries: number;
  /** It may have been delivered to a channel that ended before it could tell. */
  mayBeRedelivered: boolean;
  /** Last burst in which its state changed. */
  changedIn: number;
}

/** A consumer as the model knows it. */
export interface ModelConsumer {
  readonly queue: string;
  readonly noAck: boolean;
  /** Unsettled deliveries at most; 0: no limit. */
  readonly prefetch: number;
  /** Deliveries that are not settled, those that a transaction will settle among them. */
  unsettled: number;
  /** First deliveries so far, as the latest burst and number for each publisher. */
  readonly seen: Map<PublisherId, number>;
  latestBurst: number;
}

/** What the broker counts in a queue. */
export interface QueueCounts {
  /** Ready. */
  readonly messages: number;
  readonly consumers: number;
}

/** The order of two copies in a queue; 0: not known. */
export function compareCopies(a: Copy, b: Copy): number {
  if (a.burst !== b.burst) return a.burst - b.burst;
  return a.message.publisher === b.message.publisher ? a.message.number - b.message.number : 0;
}

/** The queues of one script. */
export class QueueModel {
  /** The first violation; null: none. */
  violation: string | null = null;
  readonly consumers: Set<ModelConsumer> = new Set();
  private readonly queues: Map<string, Map<string, Copy>> = new Map();
  private burst = 0;
  /** Operations of this burst that may have moved messages. */
  private operations = 0;
  /** Copies that were delivered in this burst, in the order in which they came, for each queue. */
  private delivered: Map<string, Copy[]> = new Map();
  private readonly unseenQueues: Set<string> = new Set();

  constructor(queues: readonly string[]) {
    for (const queue of queues) this.queues.set(queue, new Map());
  }

  // --- what clients do -------------------------------------------------------------------------

  /** A burst of so many operations begins. */
  beginBurst(operations: number): void {
    this.burst++;
    this.operations = operations;
    this.delivered = new Map();
    this.unseenQueues.clear();
  }

  /** Whether the burst has one operation. */
  get isAlone(): boolean {
    return this.operations === 1;
  }

  /** Messages go into queues: they were published, or their transaction is committed. */
  publish(message: ModelMessage, queues: readonly string[]): void {
    for (const queue of queues) {
      this.copiesOf(queue).set(message.id, {
        message,
        burst: this.burst,
        state: 'ready',
        deliveries: 0,
        mayBeRedelivered: false,
        changedIn: this.burst,
      });
    }
  }

  /** A delivery is acked, rejected or otherwise settled for good. */
  settle(queue: string, id: string): void {
    this.change(queue, id, 'gone');
  }

  /** A delivery goes back to its queue. */
  requeue(queue: string, id: string): void {
    this.change(queue, id, 'ready');
  }

  /**
   * A channel ends or recovers. Unless nothing else goes on, deliveries of the queue may be on their way to it, and go
   * back before they have been seen.
   */
  returnsUnseen(queue: string): void {
    if (!this.isAlone) this.unseenQueues.add(queue);
  }

  /** The queue is emptied of what is ready; how many that must be. */
  purge(queue: string): number {
    const ready = this.ready(queue);
    for (const copy of ready) this.change(queue, copy.message.id, 'gone');
    return ready.length;
  }

  // --- what the broker does --------------------------------------------------------------------

  /** A consumer is given a message. */
  deliver(consumer: ModelConsumer, id: string, redelivered: boolean): void {
    const { queue, noAck } = consumer;
    const copy = this.find(queue, id);
    if (copy === null) return;
    if (!redelivered) this.checkFirstDelivery(consumer, copy);
    this.take(queue, copy, redelivered, noAck);
    if (noAck) return;
    consumer.unsettled++;
    if (consumer.prefetch > 0 && consumer.unsettled > consumer.prefetch) {
      this.complain(
        `a consumer of ${queue} is given more than its prefetch of ${consumer.prefetch}`,
      );
    }
  }

  /**
   * A message that was on its way to a channel when that ended or recovered is told: the broker has put it back meanwhile, and
   * whoever has it now may have told first.
   */
  deliverTooLate(queue: string, id: string): void {
    const copy = this.find(queue, id);
    if (copy === null) return;
    copy.deliveries++;
    copy.changedIn = this.burst;
  }

  /** A basic.get is answered. */
  got(queue: string, id: string, redelivered: boolean, noAck: boolean, messageCount: number): void {
    const copy = this.find(queue, id);
    if (copy === null) return;
    this.take(queue, copy, redelivered, noAck);
    const left = this.ready(queue).length;
    if (this.isAlone && messageCount !== left) {
      this.complain(`get-ok says that ${messageCount} are left in ${queue}, ${left} are`);
    }
    if (this.isAlone) this.checkPassing(queue, this.ready(queue));
  }

  /** A basic.get finds nothing. */
  gotNothing(queue: string): void {
    const there = this.ready(queue)[0];
    if (there !== undefined && this.isAlone) {
      this.complain(`get-empty, though ${describe(there)} is in ${queue}`);
    }
  }

  /** Everything has been answered and delivered; the broker counts so many messages and consumers in each queue. */
  rest(counts: ReadonlyMap<string, QueueCounts>): void {
    for (const [queue, { messages, consumers }] of counts) {
      const ready = this.ready(queue);
      if (messages !== ready.length) {
        this.complain(`${queue} counts ${messages} messages, ${ready.length} are ready`);
      }
      const own = this.consumersOf(queue);
      if (consumers !== own.length) {
        this.complain(`${queue} counts ${consumers} consumers, there are ${own.length}`);
      }
      if (ready.length > 0 && own.some(mayTakeMore)) {
        this.complain(`${describe(ready[0]!)} stays in ${queue}, though a consumer may take it`);
      }
      this.checkPassing(queue, ready);
      if (this.unseenQueues.has(queue)) for (const copy of ready) copy.mayBeRedelivered = true;
    }
  }

  /** Whether nothing is missing: the counts are the model's, and nobody waits for a message that is there. */
  isAtRest(counts: ReadonlyMap<string, QueueCounts>): boolean {
    return [...counts].every(([queue, { messages, consumers }]) => {
      const readyCount = this.ready(queue).length;
      const own = this.consumersOf(queue);
      const isWaiting = readyCount > 0 && own.some(mayTakeMore);
      return messages === readyCount && consumers === own.length && !isWaiting;
    });
  }

  /** Ready copies, in the order of publishing where that is known. */
  ready(queue: string): Copy[] {
    return [...this.copiesOf(queue).values()].filter(({ state }) => state === 'ready');
  }

  complain(text: string): void {
    this.violation ??= `burst ${this.burst}: ${text}`;
  }

  // --- rules -----------------------------------------------------------------------------------

  private take(queue: string, copy: Copy, redelivered: boolean, noAck: boolean): void {
    const what = `${describe(copy)} of ${queue}`;
    if (copy.state === 'out') this.complain(`${what} is delivered while somebody has it`);
    if (copy.state === 'gone') this.complain(`${what} is delivered though it was settled`);
    const wasDelivered = copy.deliveries > 0;
    if (wasDelivered && !redelivered) this.complain(`${what} comes again, not as redelivered`);
    // A delivery that was on its way to a channel that ended may be told after this one.
    const mayBe = copy.mayBeRedelivered || this.unseenQueues.has(queue);
    if (!wasDelivered && redelivered && !mayBe) {
      this.complain(`${what} is redelivered the first time`);
    }
    copy.deliveries++;
    copy.state = noAck ? 'gone' : 'out';
    copy.changedIn = this.burst;
    const delivered = this.delivered.get(queue) ?? [];
    delivered.push(copy);
    this.delivered.set(queue, delivered);
  }

  private checkFirstDelivery(consumer: ModelConsumer, copy: Copy): void {
    const { publisher, number } = copy.message;
    const last = consumer.seen.get(publisher) ?? -1;
    if (copy.burst < consumer.latestBurst || number < last) {
      this.complain(`${describe(copy)} comes out of ${consumer.queue} too late`);
    }
    consumer.latestBurst = Math.max(consumer.latestBurst, copy.burst);
    consumer.seen.set(publisher, Math.max(last, number));
  }

  /** Whether a message that was delivered in this burst has passed one that is still there. */
  private checkPassing(queue: string, ready: readonly Copy[]): void {
    const delivered = this.delivered.get(queue) ?? [];
    for (const left of ready) {
      // Among several operations it may have been put back after the delivery was decided.
      if (!this.isAlone && left.changedIn === this.burst) continue;
      const passing = delivered.find((copy) => compareCopies(left, copy) < 0);
      if (passing !== undefined) {
        this.complain(`${describe(passing)} passes ${describe(left)} in ${queue}`);
      }
    }
  }

  private change(queue: string, id: string, state: Copy['state']): void {
    const copy = this.find(queue, id);
    if (copy === null) return;
    copy.state = state;
    copy.changedIn = this.burst;
  }

  private find(queue: string, id: string): Copy | null {
    const copy = this.copiesOf(queue).get(id);
    if (copy === undefined) this.complain(`${id} comes out of ${queue}, where nobody sent it`);
    return copy ?? null;
  }

  private consumersOf(queue: string): ModelConsumer[] {
    return [...this.consumers].filter((consumer) => consumer.queue === queue);
  }

  private copiesOf(queue: string): Map<string, Copy> {
    const copies = this.queues.get(queue);
    if (copies === undefined) throw new Error(`the model knows no queue ${queue}`);
    return copies;
  }
}

function mayTakeMore({ prefetch, unsettled }: ModelConsumer): boolean {
  return prefetch === 0 || unsettled < prefetch;
}

function describe({ message, burst }: Copy): string {
  return `${message.id} (burst ${burst})`;
}
