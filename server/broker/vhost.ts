/**
 * A vhost: its exchanges, queues and bindings, its storage, and the routes in use.
 *
 * State and lookups. What clients may ask of it, with all checks, is in exchanges.ts, queues.ts and
 * bindings.ts; how it comes back after a restart is in vhost-recovery.ts.
 */
import { EMPTY_TABLE } from '../../generated/index.ts';
import type { Definition } from '../storage/definitions-format.ts';
import type { CheckpointSource, MessageStore } from '../storage/message-store.ts';
import type { QueueIndex } from '../storage/queue-index.ts';
import { type Alarms, HeldByAlarm } from './alarms.ts';
import type { Binding } from './binding.ts';
import { notFound } from './broker-error.ts';
import { bindingFrame, exchangeFrame, queueFrame } from './definition-frames.ts';
import { DirectReplies } from './direct-reply.ts';
import { EXCHANGE_TYPES, Exchange, type ExchangeDeclaration } from './exchange.ts';
import { IndexSweep } from './index-sweep.ts';
import type { QueueOwner } from './ports.ts';
import { Queue, type QueueDeclaration } from './queue.ts';
import type { Reactor } from './reactor.ts';
import { Returner } from './returner.ts';
import { RouteTable } from './route.ts';

/** Exchanges that every vhost has, besides the default one: name and type. */
const PREDECLARED_EXCHANGES: readonly (readonly [string, string])[] = [
  ['', 'direct'],
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
];

/** Names with this prefix are the server's own. */
export const RESERVED_PREFIX = 'amq.';

/** One vhost. */
export class Vhost implements CheckpointSource {
  readonly name: string;
  readonly store: MessageStore;
  readonly reactor: Reactor;
  private readonly alarms: Alarms;
  readonly exchanges: Map<string, Exchange>;
  readonly queues: Map<string, Queue>;
  readonly directReplies: DirectReplies;
  readonly routes: RouteTable;
  /** Takes back what was delivered in vain. */
  readonly returner: Returner;
  /** Ends its turns with the broker's. */
  readonly sweep: IndexSweep;
  /** Raised by every change of what goes where, and of who may publish: a route of another version is void. */
  topologyVersion: number;
  private queueNumber: number;

  constructor(
    name: string,
    store: MessageStore,
    reactor: Reactor,
    alarms: Alarms,
    nextQueueNumber: number,
  ) {
    this.name = name;
    this.store = store;
    this.reactor = reactor;
    this.alarms = alarms;
    this.exchanges = new Map();
    this.queues = new Map();
    this.directReplies = new DirectReplies(name);
    this.routes = new RouteTable();
    this.returner = new Returner(reactor);
    this.sweep = new IndexSweep(() => reactor.schedule());
    this.topologyVersion = 1;
    this.queueNumber = nextQueueNumber;
    for (const [exchangeName, type] of PREDECLARED_EXCHANGES) {
      this.addExchange({
        name: exchangeName,
        type,
        durable: true,
        autoDelete: false,
        internal: false,
        args: EMPTY_TABLE,
      });
    }
  }

  /** @throws BrokerError NOT_FOUND */
  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) throw notFound('exchange', name, this.name);
    return exchange;
  }

  /** @throws BrokerError NOT_FOUND */
  queue(name: string): Queue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw notFound('queue', name, this.name);
    return queue;
  }

  /** @throws HeldByAlarm when nothing durable can be added now, since the disk is full */
  requireRoom(): void {
    if (this.alarms.holdsDefinitions) throw new HeldByAlarm('the disk is full');
  }

  /** What goes where has changed. */
  topologyChanged(): void {
    this.topologyVersion++;
  }

  /** Adds an exchange of a known type. */
  addExchange(declaration: ExchangeDeclaration): Exchange {
    const type = EXCHANGE_TYPES.get(declaration.type);
    if (type === undefined) throw new Error(`unknown exchange type ${declaration.type}`);
    const exchange = new Exchange(declaration, type);
    this.exchanges.set(exchange.name, exchange);
    this.topologyChanged();
    return exchange;
  }

  /** Adds a queue with a number of its own, or, after a restart, with the index that was recovered. */
  addQueue(declaration: QueueDeclaration, owner: QueueOwner | null, recovered?: QueueIndex): Queue {
    const durable = declaration.durable && !declaration.exclusive;
    const number = recovered?.number ?? (durable ? this.queueNumber++ : 0);
    return this.enterQueue(number, recovered ?? null, declaration, owner);
  }

  /** Adds a queue under a number that the log gave it; `index` has its messages, null where it never had one. */
  enterQueue(
    number: number,
    index: QueueIndex | null,
    declaration: QueueDeclaration,
    owner: QueueOwner | null,
  ): Queue {
    if (index !== null) this.store.adopt(index);
    const queue = new Queue(this.store, this.reactor, number, index, declaration, owner);
    this.queues.set(queue.name, queue);
    this.topologyChanged();
    return queue;
  }

  nextQueueNumber(): number {
    return this.queueNumber;
  }

  durableIndexes(): readonly QueueIndex[] {
    return this.allIndexes().filter((index) => index.durable);
  }

  allIndexes(): readonly QueueIndex[] {
    const indexes: QueueIndex[] = [];
    for (const { madeIndex } of this.queues.values()) {
      if (madeIndex !== null) indexes.push(madeIndex);
    }
    return indexes;
  }

  definitions(): Iterable<Definition> {
    // Only noted, not looked at: 100,000 bindings take three milliseconds.
    const exchanges = [...this.exchanges.values()];
    const queues = [...this.queues.values()];
    const bindings: Binding[] = [];
    for (const { outgoing } of exchanges) {
      for (const group of outgoing.values()) {
        if (!group.destination.isDeleted) group.appendTo(bindings);
      }
    }
    return framesOf(exchanges, queues, bindings);
  }
}

/** The frames are made when they are asked for: what they tell of an entity never changes. */
function* framesOf(
  exchanges: readonly Exchange[],
  queues: readonly Queue[],
  bindings: readonly Binding[],
): Generator<Definition> {
  for (const exchange of exchanges) {
    if (exchange.definedAt >= 0) yield { queue: 0, frame: exchangeFrame(exchange) };
  }
  for (const queue of queues) {
    if (queue.definedAt >= 0) yield { queue: queue.number, frame: queueFrame(queue) };
  }
  for (const binding of bindings) {
    if (binding.definedAt >= 0) yield { queue: 0, frame: bindingFrame(binding) };
  }
}
