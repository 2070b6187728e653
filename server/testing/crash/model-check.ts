/**
 * Compares what is found after a crash with what the model says must, may and must not be there.
 *
 * And makes the model of the next life from both: what was found is there for good, since a broker builds on what
 * it has recovered, and what was not found must never come back.
 */

import { type Observation, type ObservedMessage, type ObservedQueue, routeKey } from './events.ts';
import {
  type Copy,
  type Existence,
  isPromised,
  Model,
  type ModelBinding,
  type ModelExchange,
  type ModelQueue,
  type ModelTx,
} from './model.ts';

/** The sentences that say what is wrong; none when all is well. */
export function checkObservation(model: Model, observation: Observation): string[] {
  return new Check(model, observation).run();
}

/**
 * The queue of this name that was found, by what is in it: the one that could have most of that, the newest of them,
 * since one message may have gone to either. Null when the name is not there.
 */
function foundQueue(
  model: Model,
  name: string,
  found: ObservedQueue | undefined,
): ModelQueue | null {
  if (found === undefined) return null;
  const candidates = model.queues.filter((q) => q.name === name && mayExist(q));
  const explained = (queue: ModelQueue): number =>
    found.messages.filter(({ id }) => copyOf(queue, id) !== null).length;
  return candidates.sort((a, b) => explained(a) - explained(b)).at(-1) ?? null;
}

function copyOf(queue: ModelQueue, id: number): Copy | null {
  return queue.copies.find(({ message }) => message.id === id) ?? null;
}

function mayExist(queue: ModelQueue): boolean {
  return queue.durable && !queue.existence.isEnded;
}

function mustExist({ durable, existence, copies }: ModelQueue): boolean {
  if (!durable || existence.endAsked) return false;
  return existence.isMade || copies.some(isPromised);
}

/** Whether clients may count on its being there. */
function isSettled({ isMade, endAsked }: Existence): boolean {
  return isMade && !endAsked;
}

class Check {
  private readonly model: Model;
  private readonly observation: Observation;
  private readonly wrongs: string[];
  private readonly found: Map<Copy, ObservedMessage>;

  constructor(model: Model, observation: Observation) {
    this.model = model;
    this.observation = observation;
    this.wrongs = [...observation.troubles];
    this.found = new Map();
  }

  run(): string[] {
    const { queues } = this.observation;
    const names = new Set([...this.model.queues.map(({ name }) => name), ...queues.keys()]);
    for (const name of names) this.checkName(name, queues.get(name));
    for (const tx of this.model.transactions.values()) this.checkTx(tx);
    this.checkExchanges();
    this.checkRoutes();
    return this.wrongs;
  }

  private blame(text: string): void {
    this.wrongs.push(text);
  }

  private checkName(name: string, found: ObservedQueue | undefined): void {
    const must = this.model.queues.find((q) => q.name === name && mustExist(q)) ?? null;
    if (found === undefined) {
      if (must !== null) this.blame(`queue ${must.key} was declared and is gone`);
      return;
    }
    const queue = foundQueue(this.model, name, found);
    if (queue === null) {
      this.blame(`queue ${name} is there, and must not be`);
      return;
    }
    if (must !== null && must !== queue) {
      this.blame(`queue ${queue.key} is there, in place of ${must.key}`);
      return;
    }
    this.checkFound(queue, found);
    this.checkKept(queue);
  }

  /** What is there was published there, in this order, and has not left for good. */
  private checkFound(queue: ModelQueue, { messageCount, messages }: ObservedQueue): void {
    if (messageCount !== messages.length) {
      this.blame(`queue ${queue.key} counts ${messageCount} messages and holds ${messages.length}`);
    }
    const order = new Order(queue);
    for (const message of messages) {
      const copy = copyOf(queue, message.id);
      const what = `message ${message.id} of ${queue.key}`;
      if (copy === null) this.blame(`${what} was never sent there`);
      else if (this.found.has(copy)) this.blame(`${what} is there twice`);
      else {
        this.found.set(copy, message);
        const reason = this.whyGone(copy);
        if (reason !== null) this.blame(`${what} was ${reason} and is back`);
        if (message.size !== copy.message.size) this.blame(`${what} has ${message.size} bytes`);
        if (copy.deliveries > 0 && !message.redelivered) this.blame(`${what} is not redelivered`);
        if (!order.take(copy)) this.blame(`${what} is out of order`);
      }
    }
    if (this.model.isStopped) this.checkNotRedelivered(queue);
  }

  /** Why it must not be there; null: it may. */
  private whyGone({ isPurged, message, settledInTurn, settledBy }: Copy): string | null {
    if (isPurged) return 'purged';
    if (message.tx !== null && ['open', 'undone'].includes(message.tx.state))
      return 'not committed';
    if (settledInTurn === null) return null;
    if (settledBy !== null) return settledBy.state === 'done' ? 'acked by a commit' : null;
    if (this.model.isStopped) return 'acked before the stop';
    return settledInTurn < this.model.stableTurn ? 'acked for good' : null;
  }

  /** After a stop in order only what was delivered, and what comes before it, may say that it was. */
  private checkNotRedelivered(queue: ModelQueue): void {
    if (queue.lostGets > 0) return;
    const last = queue.copies.findLastIndex((c) => c.deliveries > 0 || c.mayBeRedelivered);
    for (const copy of queue.copies.slice(last + 1)) {
      if (this.found.get(copy)?.redelivered !== true) continue;
      this.blame(`message ${copy.message.id} of ${queue.key} is redelivered, never delivered`);
    }
  }

  /** What was confirmed and has not left is there. */
  private checkKept(queue: ModelQueue): void {
    for (const copy of queue.copies) {
      const { message, isOut, settledInTurn, mayBeGone } = copy;
      if (this.found.has(copy) || !isPromised(copy)) continue;
      if (queue.noAckSources > 0 && !isOut) continue;
      if (mayBeGone || (settledInTurn !== null && copy.settledBy?.state !== 'open')) continue;
      this.blame(`message ${message.id} of ${queue.key} was confirmed and is lost`);
    }
  }

  /** A commit that was asked for has happened whole, or not at all. */
  private checkTx(tx: ModelTx): void {
    if (tx.state !== 'asked') return;
    const counts = ({ queue, isSure }: Copy): boolean => isSure && mustExist(queue);
    const published = tx.messages.flatMap(({ copies }) =>
      copies.filter(({ referredBy }) => referredBy === null),
    );
    const added = [...published, ...tx.referred].filter(counts);
    const removed = tx.settled.filter(counts);
    const happened =
      added.some((copy) => this.found.has(copy)) ||
      removed.some((copy) => !this.found.has(copy) && isWanted(copy));
    // On its way to somebody who does not ack it is gone, though nobody has heard of it yet.
    const mayHaveLeft = ({ queue, settledInTurn, mayBeGone }: Copy): boolean =>
      queue.noAckSources > 0 || settledInTurn !== null || mayBeGone;
    const didNot =
      added.some((copy) => !this.found.has(copy) && !mayHaveLeft(copy)) ||
      removed.some((copy) => this.found.has(copy));
    if (happened && didNot) this.blame(`transaction ${tx.number} has happened in part`);
  }

  private checkExchanges(): void {
    const { exchanges: found } = this.observation;
    for (const { name, existence } of this.model.exchanges) {
      if (isSettled(existence) && !found.has(name)) this.blame(`exchange ${name} is gone`);
    }
    for (const name of found) {
      const mayBe = this.model.exchanges.some((x) => x.name === name && !x.existence.isEnded);
      if (!mayBe) this.blame(`exchange ${name} is there, and must not be`);
    }
  }

  private checkRoutes(): void {
    const { routes, exchanges, queues } = this.observation;
    for (const { name } of this.model.exchanges) {
      if (!exchanges.has(name)) continue;
      for (const [route, reached] of routes) {
        const [exchange, key] = route.split('/');
        if (exchange !== name) continue;
        for (const queue of queues.keys()) this.checkRoute(name, key!, queue, reached.has(queue));
      }
    }
  }

  private checkRoute(exchange: string, key: string, queue: string, isBound: boolean): void {
    const bindings = this.model.bindings.filter((b) => leads(b, exchange, key, queue));
    const what = `the binding of ${queue} to ${routeKey(exchange, key)}`;
    const must = bindings.some((b) => isSettled(b.existence) && mustExist(b.queue));
    if (must && !isBound) this.blame(`${what} is gone`);
    const may = bindings.some((b) => !b.existence.isEnded && mayExist(b.queue));
    if (isBound && !may) this.blame(`${what} is there, and must not be`);
  }
}

/** Whether it would be there, had nobody settled it in the transaction. */
function isWanted(copy: Copy): boolean {
  return isPromised(copy) && !copy.mayBeGone;
}

function leads(binding: ModelBinding, exchange: string, key: string, queue: string): boolean {
  const { name, type } = binding.exchange;
  if (name !== exchange || binding.queue.name !== queue) return false;
  return type === 'fanout' || binding.key === key;
}

/** Publishing order: of all that the broker has read at once, and of every publisher by itself. */
class Order {
  private readonly places: Map<Copy, number>;
  private readonly last: Map<string, number>;

  constructor(queue: ModelQueue) {
    this.places = new Map(queue.copies.map((copy, place) => [copy, place]));
    this.last = new Map();
  }

  /** False when it should have come before another one. */
  take(copy: Copy): boolean {
    const place = this.places.get(copy)!;
    const lines = linesOf(copy);
    const isRight = lines.every((line) => place > (this.last.get(line) ?? -1));
    for (const line of lines) this.last.set(line, place);
    return isRight;
  }
}

/** The lines in which its place is known. */
function linesOf({ message, referredBy }: Copy): string[] {
  // The broker's own doing is no part of what its publisher does, which may not be read yet.
  if (referredBy !== null) return [''];
  // A transaction's messages are published with its commit.
  return message.isRead && message.tx === null ? [message.publisher, ''] : [message.publisher];
}

/** The model of the life that begins with what was found. */
export function nextModel(model: Model, observation: Observation): Model {
  const next = new Model();
  // By name: of an empty queue nobody can say which of two it is.
  const queues = new Map<string, ModelQueue>();
  for (const [name, found] of observation.queues) {
    const old = foundQueue(model, name, found);
    if (old === null) continue;
    const queue = next.addQueue(name, true);
    queue.existence.isMade = true;
    queues.set(name, queue);
    for (const { id, redelivered } of found.messages)
      takeOver(next, queue, copyOf(old, id), redelivered);
  }
  const exchanges = new Map<string, ModelExchange>();
  for (const name of observation.exchanges) {
    const old = model.exchanges.findLast((x) => x.name === name && !x.existence.isEnded)!;
    const exchange = next.addExchange(name, old.type);
    exchange.existence.isMade = true;
    exchanges.set(name, exchange);
  }
  for (const binding of model.bindings)
    takeOverBinding(next, binding, queues, exchanges, observation);
  return next;
}

function takeOver(next: Model, queue: ModelQueue, old: Copy | null, redelivered: boolean): void {
  if (old === null) return;
  const message =
    next.findMessage(old.message.id) ??
    next.addMessage({
      ...old.message,
      isConfirmed: true,
      isRead: true,
      tx: null,
      askedInTurn: 0,
      place: -1,
    });
  const copy = next.addCopy(message, queue, true);
  copy.deliveries = old.deliveries;
  copy.mayBeRedelivered = redelivered;
}

function takeOverBinding(
  next: Model,
  old: ModelBinding,
  queues: ReadonlyMap<string, ModelQueue>,
  exchanges: ReadonlyMap<string, ModelExchange>,
  { routes }: Observation,
): void {
  const queue = queues.get(old.queue.name);
  const exchange = exchanges.get(old.exchange.name);
  if (queue === undefined || exchange === undefined || old.existence.isEnded) return;
  const isBound = routes.get(routeKey(exchange.name, old.key))?.has(queue.name) === true;
  const isKnown = next.bindings.some(
    (b) => b.queue === queue && b.exchange === exchange && b.key === old.key,
  );
  if (isBound && !isKnown) next.addBinding(exchange, queue, old.key).existence.isMade = true;
}
