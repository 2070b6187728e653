/**
 * What a broker owes its clients, by the AMQP contract and this broker's own promises: a small model that hears
 * what is asked and answered and knows at any moment what must be there after a crash, what may, and what must not.
 *
 * - What was asked takes effect in the order of asking, since the broker reads at once what a client sends. A
 *   publish that it has not read yet (`unread`) takes effect at some time before its confirm.
 * - A queue, an exchange or a binding must be there once its making was answered (or a message in the queue
 *   confirmed), and must be gone once its end was.
 * - A message must be in a queue once it was confirmed, until somebody asks for its end; it may be there as long as
 *   its end is not certain. An ack is certain once something durable is answered that was asked in a later turn:
 *   both stand in one log.
 * - A transaction happens whole or not at all, and for certain once its commit is answered. So does what the broker
 *   does by itself with a message that it has: entering it into other queues, or moving it there.
 * - What was delivered comes back as redelivered.
 *
 * It knows nothing of storage. What follows from it after a crash is in model-check.ts.
 */
import { strict as assert } from 'node:assert';
import type { Change, CopyName, CrashEvent, ExchangeType, Source } from './events.ts';

/** A larger message is delivered piece by piece, and heard of when the last one has come. */
const WHOLE_BYTES_MAX = 1024 * 1024;

/** How far the making and the end of a thing are settled. */
export interface Existence {
  isMade: boolean;
  endAsked: boolean;
  isEnded: boolean;
}

/** A message as its publisher knows it. */
export interface ModelMessage {
  readonly id: number;
  readonly size: number;
  readonly publisher: string;
  readonly exchange: string;
  readonly key: string;
  readonly tx: ModelTx | null;
  isConfirmed: boolean;
  /** Read by the broker at once: where it went, and in which order, is known. */
  isRead: boolean;
  readonly askedInTurn: number;
  /** Publishing order in this life; -1: published before. */
  readonly place: number;
  readonly copies: Copy[];
}

/** One message in one queue. */
export interface Copy {
  readonly message: ModelMessage;
  readonly queue: ModelQueue;
  /** Its place in the order of publishing, or of being entered by the broker itself; -1: before this life. */
  readonly place: number;
  /** The broker has entered it by itself, with what counts as this transaction; null: it was published there. */
  readonly referredBy: ModelTx | null;
  /** Whether it went to this queue for certain. */
  isSure: boolean;
  /** With a consumer. */
  isOut: boolean;
  /** It came back while gets were under way: they may have taken later ones. */
  isBackBesideGets: boolean;
  deliveries: number;
  /** It was found as redelivered after a crash: it may be so without a delivery that we know of. */
  mayBeRedelivered: boolean;
  /** Turn in which it was acked, or the like; null: it was not. */
  settledInTurn: number | null;
  /** The transaction that settles it; null: none. */
  settledBy: ModelTx | null;
  /** A purge may have taken it, or it was lost on the way to somebody who does not ack. */
  mayBeGone: boolean;
  /** A purge that took it was answered, or it was not there after a crash. */
  isPurged: boolean;
}

/** A queue; one that is declared again after its delete is another one. */
export interface ModelQueue {
  readonly key: string;
  readonly name: string;
  readonly durable: boolean;
  readonly existence: Existence;
  /** Gets and consumers that do not ack: what is on its way to them is nobody's any more. */
  noAckSources: number;
  /** Consumers: one may have a large message that takes many turns on its way. */
  consumers: number;
  /** Gets without an answer: each may have a message that waits for answers before it. */
  gets: number;
  /** Gets whose connection ended before their answer: each may have taken a message, perhaps later, and put it back. */
  lostGets: number;
  /** In the order of publishing. */
  readonly copies: Copy[];
}

/** An exchange; all are durable. */
export interface ModelExchange {
  readonly name: string;
  readonly type: ExchangeType;
  readonly existence: Existence;
}

/** A binding of a queue. */
export interface ModelBinding {
  readonly exchange: ModelExchange;
  readonly queue: ModelQueue;
  readonly key: string;
  readonly existence: Existence;
}

/** A transaction. */
export interface ModelTx {
  readonly number: number;
  state: 'open' | 'asked' | 'done' | 'undone';
  /** Nobody will hear whether it was committed. */
  isLost: boolean;
  readonly messages: ModelMessage[];
  /** Copies that the broker has entered by itself. */
  readonly referred: Copy[];
  readonly settled: Copy[];
}

/** Whether clients were told that it is in its queue. */
export function isPromised({ isSure, message, referredBy }: Copy): boolean {
  return isSure && (referredBy === null ? message.isConfirmed : referredBy.state === 'done');
}

function newExistence(): Existence {
  return { isMade: false, endAsked: false, isEnded: false };
}

/** What clients know, event by event. */
export class Model {
  /** All queues ever declared, oldest first. */
  readonly queues: ModelQueue[];
  readonly exchanges: ModelExchange[];
  readonly bindings: ModelBinding[];
  readonly transactions: Map<number, ModelTx>;
  /** The broker has stopped in order: nothing is in doubt. */
  isStopped: boolean;
  /** Acks of turns before this one are on stable storage. */
  stableTurn: number;
  private readonly messages: Map<number, ModelMessage>;
  private readonly answers: Map<number, () => void>;
  private readonly unread: Set<ModelMessage>;
  private turn: number;
  private nextPlace: number;
  private readonly incarnations: Map<string, number>;

  constructor() {
    this.queues = [];
    this.exchanges = [];
    this.bindings = [];
    this.transactions = new Map();
    this.isStopped = false;
    this.stableTurn = 0;
    this.messages = new Map();
    this.answers = new Map();
    this.unread = new Set();
    this.turn = 1;
    this.nextPlace = 0;
    this.incarnations = new Map();
  }

  /** The queue that has this name now, as far as the broker has been asked; null: none. */
  queue(name: string): ModelQueue | null {
    return this.queues.findLast((q) => q.name === name && !q.existence.endAsked) ?? null;
  }

  exchange(name: string): ModelExchange | null {
    return this.exchanges.findLast((x) => x.name === name && !x.existence.endAsked) ?? null;
  }

  /** Adds a queue; those of one name are counted. */
  addQueue(name: string, durable: boolean): ModelQueue {
    const count = 1 + (this.incarnations.get(name) ?? 0);
    this.incarnations.set(name, count);
    const key = `${name}#${count}`;
    const queue = {
      key,
      name,
      durable,
      existence: newExistence(),
      noAckSources: 0,
      consumers: 0,
      gets: 0,
      lostGets: 0,
      copies: [],
    };
    this.queues.push(queue);
    return queue;
  }

  addExchange(name: string, type: ExchangeType): ModelExchange {
    const exchange = { name, type, existence: newExistence() };
    this.exchanges.push(exchange);
    return exchange;
  }

  addBinding(exchange: ModelExchange, queue: ModelQueue, key: string): ModelBinding {
    const binding = { exchange, queue, key, existence: newExistence() };
    this.bindings.push(binding);
    return binding;
  }

  addMessage(message: Omit<ModelMessage, 'copies'>): ModelMessage {
    assert.ok(!this.messages.has(message.id), `message ${message.id} is published twice`);
    const added = { ...message, copies: [] };
    this.messages.set(message.id, added);
    return added;
  }

  findMessage(id: number): ModelMessage | null {
    return this.messages.get(id) ?? null;
  }

  addCopy(
    message: ModelMessage,
    queue: ModelQueue,
    isSure: boolean,
    referredBy: ModelTx | null = null,
  ): Copy {
    const copy: Copy = {
      message,
      queue,
      place: referredBy === null ? message.place : this.nextPlace++,
      referredBy,
      isSure,
      isOut: false,
      isBackBesideGets: false,
      deliveries: 0,
      mayBeRedelivered: false,
      settledInTurn: null,
      settledBy: null,
      mayBeGone: false,
      isPurged: false,
    };
    message.copies.push(copy);
    queue.copies.push(copy);
    return copy;
  }

  /** @throws AssertionError when the broker does what it must not */
  apply(event: CrashEvent): void {
    switch (event.type) {
      case 'publish':
        this.publish(event);
        return;
      case 'unread': {
        const message = this.messages.get(event.id)!;
        message.isRead = false;
        this.unread.add(message);
        return;
      }
      case 'confirm':
        for (const id of event.ids) this.confirm(id);
        return;
      case 'ask':
        this.answers.set(event.question, this.ask(event.change));
        for (const message of this.unread) this.routeAgain(message);
        for (const { state, messages } of this.transactions.values()) {
          if (state === 'open') for (const message of messages) this.routeAgain(message);
        }
        return;
      case 'commit':
        this.answers.set(event.question, this.commit(event.tx));
        return;
      case 'rollback':
        this.rollback(event.tx);
        return;
      case 'commit-lost':
        this.tx(event.tx).isLost = true;
        return;
      case 'refer':
        this.answers.set(event.question, this.refer(event));
        return;
      case 'answer':
        this.answers.get(event.question)?.();
        return;
      case 'deliver':
        this.deliver(event.copy, event.redelivered, event.noAck);
        return;
      case 'settle':
        for (const name of event.copies) this.settle(this.copy(name), event.tx);
        return;
      case 'source':
      case 'source-end':
      case 'source-lost':
        this.source(event, event.type);
        return;
      case 'requeue':
        for (const name of event.copies) this.putBack(this.copy(name));
        return;
      case 'turn':
        this.turn++;
        return;
      case 'stopped':
        this.isStopped = true;
    }
  }

  copy({ queueKey, id }: CopyName): Copy {
    const copy = this.messages.get(id)?.copies.find(({ queue }) => queue.key === queueKey);
    assert.ok(
      copy !== undefined,
      `message ${id} comes out of ${queueKey}, which it was not sent to`,
    );
    return copy;
  }

  private publish(event: Extract<CrashEvent, { type: 'publish' }>): void {
    const { id, publisher, exchange, key, size, tx } = event;
    const message = this.addMessage({
      id,
      size,
      publisher,
      exchange,
      key,
      isRead: true,
      tx: tx === null ? null : this.tx(tx),
      isConfirmed: false,
      askedInTurn: this.turn,
      place: this.nextPlace++,
    });
    message.tx?.messages.push(message);
    for (const queue of this.route(exchange, key)) this.addCopy(message, queue, true);
  }

  private route(exchange: string, key: string): Set<ModelQueue> {
    if (exchange === '') {
      const queue = this.queue(key);
      return new Set(queue === null ? [] : [queue]);
    }
    const routed = new Set<ModelQueue>();
    const from = this.exchange(exchange);
    for (const binding of this.bindings) {
      if (binding.exchange !== from || binding.existence.endAsked) continue;
      if (from.type === 'fanout' || binding.key === key) routed.add(binding.queue);
    }
    return routed;
  }

  /** What exists has changed before the broker has read the message: it may find the old or the new. */
  private routeAgain(message: ModelMessage): void {
    const routed = this.route(message.exchange, message.key);
    for (const copy of message.copies) if (!routed.delete(copy.queue)) copy.isSure = false;
    for (const queue of routed) {
      this.addCopy(message, queue, false);
      queue.copies.sort((a, b) => a.place - b.place);
    }
  }

  private confirm(id: number): void {
    const message = this.messages.get(id);
    assert.ok(message !== undefined && !message.isConfirmed, `message ${id} is confirmed, unasked`);
    message.isConfirmed = true;
    this.unread.delete(message);
    const isDurable = message.copies.some(
      ({ queue, isSure, referredBy }) => isSure && queue.durable && referredBy === null,
    );
    if (isDurable && message.isRead) this.becomesStable(message.askedInTurn);
  }

  /** Something durable that was asked in this turn was answered. */
  private becomesStable(askedInTurn: number): void {
    this.stableTurn = Math.max(this.stableTurn, askedInTurn);
  }

  private deliver(name: CopyName, redelivered: boolean, noAck: boolean): void {
    const copy = this.copy(name);
    const what = `message ${name.id} of ${name.queueKey}`;
    if (copy.settledBy?.isLost === true) this.undo(copy.settledBy);
    assert.ok(!copy.isOut, `${what} is delivered while it is with a consumer`);
    assert.ok(copy.settledInTurn === null, `${what} is delivered though it was acked`);
    assert.ok(!copy.isPurged, `${what} is delivered though it was purged`);
    assert.ok(copy.message.tx?.state !== 'open', `${what} is delivered before its commit`);
    if (copy.deliveries > 0)
      assert.ok(redelivered, `${what} is delivered again, not as redelivered`);
    else if (!copy.mayBeRedelivered && redelivered)
      assert.ok(copy.queue.lostGets-- > 0, `${what} is redelivered the first time`);
    copy.deliveries++;
    copy.isOut = true;
    copy.mayBeGone = false;
    if (noAck) this.settle(copy, null);
  }

  private source(
    { queueKey, noAck, isGet }: Source,
    type: 'source' | 'source-end' | 'source-lost',
  ): void {
    const queue = this.queues.find(({ key }) => key === queueKey)!;
    const change = type === 'source' ? 1 : -1;
    if (noAck) queue.noAckSources += change;
    if (isGet) queue.gets += change;
    else queue.consumers += change;
    if (queue.gets === 0) for (const copy of queue.copies) copy.isBackBesideGets = false;
    if (type !== 'source-lost') return;
    if (isGet) queue.lostGets++;
    for (const copy of queue.copies) {
      if (copy.isOut || copy.settledInTurn !== null) continue;
      copy.mayBeRedelivered = true;
      if (noAck) copy.mayBeGone = true;
    }
  }

  private putBack(copy: Copy): void {
    copy.isOut = false;
    copy.isBackBesideGets = copy.queue.gets > 0;
  }

  private settle(copy: Copy, tx: number | null): void {
    copy.isOut = false;
    copy.settledInTurn = this.turn;
    if (tx === null) return;
    copy.settledBy = this.tx(tx);
    copy.settledBy.settled.push(copy);
  }

  private tx(number: number): ModelTx {
    const found = this.transactions.get(number);
    if (found !== undefined) return found;
    const tx: ModelTx = {
      number,
      state: 'open',
      isLost: false,
      messages: [],
      referred: [],
      settled: [],
    };
    this.transactions.set(number, tx);
    return tx;
  }

  private commit(number: number): () => void {
    const tx = this.tx(number);
    tx.state = 'asked';
    return () => {
      tx.state = 'done';
      for (const message of tx.messages) message.isConfirmed = true;
    };
  }

  private refer(event: Extract<CrashEvent, { type: 'refer' }>): () => void {
    const { tx: number, id, queueKeys, source } = event;
    const tx = this.tx(number);
    tx.state = 'asked';
    const message = this.messages.get(id);
    assert.ok(message !== undefined, `the broker has a message ${id} that nobody published`);
    const queues = this.queues.filter(({ key }) => queueKeys.includes(key));
    for (const queue of queues) tx.referred.push(this.addCopy(message, queue, true, tx));
    if (source !== null) this.moveAway(this.copy(source), number);
    const askedInTurn = this.turn;
    return () => {
      tx.state = 'done';
      if (queues.some(({ durable }) => durable)) this.becomesStable(askedInTurn);
    };
  }

  private moveAway(copy: Copy, tx: number): void {
    const what = `message ${copy.message.id} of ${copy.queue.key}`;
    assert.ok(!copy.isOut, `${what} is moved while it is with a consumer`);
    assert.ok(copy.settledInTurn === null && !copy.isPurged, `${what} is moved though it was gone`);
    this.settle(copy, tx);
  }

  private rollback(number: number): void {
    const tx = this.tx(number);
    tx.state = 'undone';
    for (const copy of tx.settled) {
      copy.settledInTurn = null;
      copy.settledBy = null;
      copy.isOut = true;
    }
  }

  /** What it acked is back: its commit was never read, and the end of its connection has put that back. */
  private undo(tx: ModelTx): void {
    this.rollback(tx.number);
    for (const copy of tx.settled) {
      copy.isOut = false;
      copy.mayBeRedelivered = true;
    }
  }

  /** Takes effect; the function is for the answer. */
  private ask(change: Change): () => void {
    switch (change.kind) {
      case 'declare-queue': {
        const existing = this.queue(change.name);
        const queue = existing ?? this.addQueue(change.name, change.durable);
        return this.made(queue.existence, existing === null && queue.durable);
      }
      case 'delete-queue': {
        const queue = this.queue(change.name);
        if (queue === null) return () => {};
        const bindings = this.bindings.filter((binding) => binding.queue === queue);
        return this.ended([queue, ...bindings], queue.durable);
      }
      case 'purge':
        return this.purge(change.name);
      case 'declare-exchange': {
        const existing = this.exchange(change.name);
        const exchange = existing ?? this.addExchange(change.name, change.type);
        return this.made(exchange.existence, existing === null);
      }
      case 'delete-exchange': {
        const exchange = this.exchange(change.name);
        if (exchange === null) return () => {};
        const bindings = this.bindings.filter((binding) => binding.exchange === exchange);
        return this.ended([exchange, ...bindings], true);
      }
      case 'bind':
      case 'unbind':
        return this.askBinding(change);
    }
  }

  private askBinding({ kind, exchange, queue, key }: Extract<Change, { key: string }>): () => void {
    const from = this.exchange(exchange);
    const to = this.queue(queue);
    if (from === null || to === null) return () => {};
    const existing = this.bindings.findLast(
      (b) => b.exchange === from && b.queue === to && b.key === key && !b.existence.endAsked,
    );
    if (kind === 'unbind')
      return existing === undefined ? () => {} : this.ended([existing], to.durable);
    return this.made((existing ?? this.addBinding(from, to, key)).existence, false);
  }

  private made(existence: Existence, isDurableChange: boolean): () => void {
    const askedInTurn = this.turn;
    return () => {
      existence.isMade = true;
      if (isDurableChange) this.becomesStable(askedInTurn);
    };
  }

  private ended(
    things: readonly { readonly existence: Existence }[],
    isDurable: boolean,
  ): () => void {
    const askedInTurn = this.turn;
    const ending = things.filter(({ existence }) => !existence.endAsked);
    for (const { existence } of ending) existence.endAsked = true;
    return () => {
      for (const { existence } of ending) existence.isEnded = true;
      if (isDurable) this.becomesStable(askedInTurn);
    };
  }

  private purge(name: string): () => void {
    const queue = this.queue(name);
    const taken: { copy: Copy; deliveries: number }[] = [];
    let onTheWay = queue?.gets ?? 0;
    for (const copy of queue?.copies ?? []) {
      const { tx } = copy.message;
      if (copy.isOut || copy.settledInTurn !== null) continue;
      if (tx?.state === 'open' || tx?.state === 'undone') continue;
      // Of others nobody knows whether the purge, or a get before it, finds them there.
      const isThere = copy.isSure && !copy.mayBeGone && (tx === null || tx.state === 'done');
      copy.mayBeGone = true;
      if (queue!.consumers > 0 && copy.message.size > WHOLE_BYTES_MAX) continue;
      if (onTheWay > 0) {
        if (isThere && !copy.isBackBesideGets) onTheWay--;
        continue;
      }
      if (tx?.state === 'asked') continue;
      if (copy.referredBy !== null || copy.message.isRead || copy.message.isConfirmed) {
        taken.push({ copy, deliveries: copy.deliveries });
      }
    }
    return () => {
      for (const { copy, deliveries } of taken) {
        if (copy.deliveries === deliveries) copy.isPurged = true;
      }
    };
  }
}
