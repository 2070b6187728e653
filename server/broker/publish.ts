/**
 * @hot The publishing half of the hot path: from the bytes of a publish to entries in queues.
 *
 * Per message: compare the envelope with the last route, copy the record into the log's block, enter its
 * position into each queue. A miss decodes the names, checks the permission and asks the exchange's index.
 * Bench: scenario throughput.
 */
import { FRAME_ERROR, readUtf8, WireError } from '../../generated/index.ts';
import { ByteArea, copyBytes } from '../base/byte-area.ts';
import type { MessageRun } from '../storage/message-run.ts';
import type { MessageStore } from '../storage/message-store.ts';
import type { MessageParts } from '../storage/record-format.ts';
import type { RouteSet } from '../storage/route-set.ts';
import { accessRefused, resourceText } from './broker-error.ts';
import { deliverReplies, type ReplySink } from './direct-reply.ts';
import type { Exchange } from './exchange.ts';
import { LastHeaders } from './last-headers.ts';
import type { Actor } from './ports.ts';
import type { Queue } from './queue.ts';
import { Route } from './route.ts';
import { RouteSearch } from './route-search.ts';
import type { Vhost } from './vhost.ts';

const NO_COPIES: readonly string[] = [];
const NO_ENVELOPE = new ByteArea(Buffer.alloc(0));

/** What became of a message. */
export const PUBLISH_OUTCOMES = {
  /** It went to no queue. */
  unrouted: 0,
  /** It went to queues that do not survive a restart, or straight to who had asked for it. */
  transient: 1,
  /** It is in the log: stable once the log is durable behind it. */
  durable: 2,
} as const;

/** What became of a message that went to the queues of `set`. */
function outcomeOf(set: RouteSet): number {
  return set.durable.length > 0 ? PUBLISH_OUTCOMES.durable : PUBLISH_OUTCOMES.transient;
}

/** Publishes on behalf of one channel, and remembers its last route. */
export class Publisher {
  private readonly vhost: Vhost;
  private readonly actor: Actor;
  /** Position of the last message stored. */
  lastPosition: number;
  /** The same message again, with another body, would go where the last one went: {@link publishRun} takes it. */
  isRepeatable: boolean;
  private route: Route | null;
  /** Keeps headers only where they have led to {@link route}. */
  private readonly headers: LastHeaders;
  private readonly routeSearch: RouteSearch;

  constructor(vhost: Vhost, actor: Actor) {
    this.vhost = vhost;
    this.actor = actor;
    this.lastPosition = 0;
    this.isRepeatable = false;
    this.route = null;
    this.headers = new LastHeaders();
    this.routeSearch = new RouteSearch(vhost);
  }

  /**
   * HOT. Routes and stores one message.
   *
   * @returns one of {@link PUBLISH_OUTCOMES}
   * @throws BrokerError when the exchange is missing, internal or closed to the user
   */
  publish(message: MessageParts): number {
    const route = this.routeOf(message);
    const { queues, set } = route;
    this.isRepeatable = route === this.route && queues.length > 0;
    if (queues.length !== 1) {
      if (queues.length === 0) return this.publishReply(message, route.replies);
      this.vhost.reactor.extraCopies += queues.length - 1;
    }
    this.lastPosition = storeMessage(this.vhost.store, message, queues, set);
    return outcomeOf(set);
  }

  /**
   * HOT per run. Stores a piece of a run of messages like the last one, which {@link isRepeatable}; nothing else has
   * happened since.
   *
   * @returns one of {@link PUBLISH_OUTCOMES}, for all of the piece
   */
  publishRun(run: MessageRun): number {
    const { store, reactor } = this.vhost;
    const { queues, set } = this.route!;
    store.publishRun(run, set);
    for (let i = 0; i < queues.length; i++) queues[i]!.enqueueRun(run);
    reactor.extraCopies += run.pieceCount * (queues.length - 1);
    this.lastPosition = run.positions[run.pieceCount - 1]!;
    return outcomeOf(set);
  }

  /** The same for a message with more routing keys than its own, those of CC and BCC. */
  publishCopies(message: MessageParts, copies: readonly string[]): number {
    const route = this.routeWithCopies(message, copies);
    const { queues, replies, set } = route;
    if (queues.length === 0) return this.publishReply(message, replies);
    this.lastPosition = storeMessage(this.vhost.store, message, queues, set);
    if (replies !== null) deliverReplies(this.vhost.store, replies, message, true);
    return outcomeOf(set);
  }

  private publishReply(message: MessageParts, replies: readonly ReplySink[] | null): number {
    const isTaken = replies !== null && deliverReplies(this.vhost.store, replies, message, false);
    return isTaken ? PUBLISH_OUTCOMES.transient : PUBLISH_OUTCOMES.unrouted;
  }

  /**
   * HOT per publish. Where a message goes.
   *
   * @throws BrokerError when the exchange is missing, internal or closed to the user
   */
  routeOf(message: MessageParts): Route {
    const { route } = this;
    if (
      route !== null &&
      route.version === this.vhost.topologyVersion &&
      route.matches(message.head, message.envelopeAt, message.envelopeSize)
    ) {
      return route.keysBesideHeaders === null
        ? route
        : this.routeByHeaders(route, route.keysBesideHeaders, message);
    }
    return this.findRoute(message);
  }

  /** Whether a queue of the last publish falls behind its consumers. */
  get isAhead(): boolean {
    const queues = this.route?.queues ?? [];
    const { turnMs } = this.vhost.reactor;
    for (let i = 0; i < queues.length; i++) if (queues[i]!.lags(turnMs)) return true;
    return false;
  }

  /** HOT per publish. `last` is the route of this envelope, with the headers kept or with others. */
  private routeByHeaders(last: Route, keys: readonly string[], message: MessageParts): Route {
    const { headers } = this;
    headers.locate(message);
    if (headers.isKept(message.head)) return last;
    const { queues } = this.routeSearch.find(last.exchange, keys, headers.view);
    const route = last.withQueues(queues);
    headers.keep(message.head);
    this.route = route;
    return route;
  }

  private findRoute(message: MessageParts): Route {
    const { vhost, headers } = this;
    const { head, envelopeAt, envelopeSize } = message;
    const known = vhost.routes.find(vhost.topologyVersion, head, envelopeAt, envelopeSize);
    if (known !== null) {
      this.check(known.exchange);
      headers.forget();
      this.route = known;
      return known.keysBesideHeaders === null
        ? known
        : this.routeByHeaders(known, known.keysBesideHeaders, message);
    }
    const found = this.search(message, NO_COPIES);
    if (found.version !== 0) {
      vhost.routes.remember(found, head, envelopeAt, envelopeSize);
      this.route = found;
      if (found.keysBesideHeaders === null) headers.forget();
      else headers.keep(head);
    }
    return found;
  }

  /**
   * Where a message goes with more routing keys than its own. Nothing of it is remembered.
   *
   * @throws BrokerError as {@link routeOf}
   */
  routeWithCopies(message: MessageParts, copies: readonly string[]): Route {
    return this.search(message, copies);
  }

  private search(message: MessageParts, copies: readonly string[]): Route {
    const { vhost } = this;
    const { head, envelopeAt, envelopeSize } = message;
    const keyAt = envelopeAt + 2 + head.buf[envelopeAt]!;
    const exchangeName = readUtf8(head.buf, envelopeAt + 1, keyAt - 1);
    const routingKey = readUtf8(head.buf, keyAt, envelopeAt + envelopeSize);
    if (exchangeName === null || routingKey === null) {
      throw new WireError(FRAME_ERROR, 'Malformed UTF-8 in shortstr', envelopeAt);
    }
    const exchange = vhost.exchange(exchangeName);
    this.check(exchange);
    const keys = copies.length === 0 ? [routingKey] : [routingKey, ...copies];
    const headers = this.headers.locate(message);
    const found = this.routeSearch.find(exchange, keys, headers);
    const { queues, replies } = found;
    if (!found.isReusable || copies.length > 0) {
      return new Route(0, NO_ENVELOPE, exchange, queues, replies);
    }
    const envelope = new ByteArea(Buffer.allocUnsafe(envelopeSize));
    copyBytes(envelope, 0, head, envelopeAt, envelopeSize);
    const keysBesideHeaders = found.byHeaders ? keys : null;
    const { topologyVersion } = vhost;
    return new Route(topologyVersion, envelope, exchange, queues, replies, keysBesideHeaders);
  }

  /** @throws BrokerError when the user may not publish to the exchange */
  private check(exchange: Exchange): void {
    const { permissions, userName } = this.actor;
    if (!permissions.canWrite(exchange.resource)) {
      throw accessRefused(
        `write access to ${this.textOf(exchange)} refused for user '${userName}'`,
      );
    }
    if (exchange.internal) {
      throw accessRefused(`cannot publish to internal ${this.textOf(exchange)}`);
    }
  }

  private textOf(exchange: Exchange): string {
    return resourceText('exchange', exchange.resource, this.vhost.name);
  }
}

/**
 * HOT per publish. Stores a message and enters it into its queues, at least one; returns its position. A body in a file
 * of its own lives from then on as long as they need it.
 */
export function storeMessage(
  store: MessageStore,
  message: MessageParts,
  queues: readonly Queue[],
  set: RouteSet,
): number {
  const position = store.publish(message, set);
  const { large } = message;
  const bodySize = large === null ? message.bodySize : large.size;
  for (let i = 0; i < queues.length; i++) queues[i]!.enqueue(position, bodySize);
  if (large !== null) {
    store.keepLarge(
      large,
      queues.map(({ index }) => index),
    );
  }
  return position;
}
