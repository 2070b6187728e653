/**
 * @hot The publishing half of the hot path: from the bytes of a publish to entries in queues.
 *
 * Per message: compare the envelope with the last route, copy the record into the log's block, enter its
 * position into each queue. A miss decodes the names, checks the permission and asks the exchange's index.
 * Bench: scenario throughput.
 */
import {
  BasicPropertiesView,
  EMPTY_TABLE,
  type FieldTable,
  FRAME_ERROR,
  readUtf8,
  WireError,
} from '../../generated/index.ts';
import type { MessageStore } from '../storage/message-store.ts';
import type { MessageParts } from '../storage/record-format.ts';
import type { RouteSet } from '../storage/route-set.ts';
import type { Destination } from './binding.ts';
import { accessRefused, resourceText } from './broker-error.ts';
import type { Exchange } from './exchange.ts';
import type { Actor } from './ports.ts';
import type { Queue } from './queue.ts';
import { Route } from './route.ts';
import type { Vhost } from './vhost.ts';

/** What became of a message. */
export const PUBLISH_OUTCOMES = {
  /** It went to no queue. */
  unrouted: 0,
  /** It went to queues that do not survive a restart. */
  transient: 1,
  /** It is in the log: stable once the log is durable behind it. */
  durable: 2,
} as const;

/** Publishes on behalf of one channel, and remembers its last route. */
export class Publisher {
  private readonly vhost: Vhost;
  private readonly actor: Actor;
  /** Position of the last message stored. */
  lastPosition: number;
  private route: Route | null;
  private readonly properties: BasicPropertiesView;

  constructor(vhost: Vhost, actor: Actor) {
    this.vhost = vhost;
    this.actor = actor;
    this.lastPosition = 0;
    this.route = null;
    this.properties = new BasicPropertiesView();
  }

  /**
   * HOT. Routes and stores one message.
   *
   * @returns one of {@link PUBLISH_OUTCOMES}
   * @throws BrokerError when the exchange is missing, internal or closed to the user
   */
  publish(message: MessageParts): number {
    const { queues, set } = this.routeOf(message);
    if (queues.length === 0) return PUBLISH_OUTCOMES.unrouted;
    this.lastPosition = storeMessage(this.vhost.store, message, queues, set);
    return set.durable.length > 0 ? PUBLISH_OUTCOMES.durable : PUBLISH_OUTCOMES.transient;
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
      return route;
    }
    return this.findRoute(message);
  }

  /** Whether a queue of the last publish falls behind though its consumers are willing. */
  get isAhead(): boolean {
    const queues = this.route?.queues ?? [];
    for (let i = 0; i < queues.length; i++) if (queues[i]!.isBehind) return true;
    return false;
  }

  private findRoute(message: MessageParts): Route {
    const { vhost } = this;
    const { head, envelopeAt, envelopeSize } = message;
    const known = vhost.routes.find(vhost.topologyVersion, head, envelopeAt, envelopeSize);
    if (known !== null) {
      this.check(known.exchange);
      this.route = known;
      return known;
    }
    const exchangeSize = head.buf[envelopeAt]!;
    const keyAt = envelopeAt + 2 + exchangeSize;
    const exchangeName = readUtf8(head.buf, envelopeAt + 1, keyAt - 1);
    const routingKey = readUtf8(head.buf, keyAt, envelopeAt + envelopeSize);
    if (exchangeName === null || routingKey === null) {
      throw new WireError(FRAME_ERROR, 'Malformed UTF-8 in shortstr', envelopeAt);
    }
    const exchange = vhost.exchange(exchangeName);
    this.check(exchange);
    const headers = new MessageHeaders(this.properties, message);
    const queues = route(vhost, exchange, routingKey, headers);
    const envelope = Buffer.from(head.buf.subarray(envelopeAt, envelopeAt + envelopeSize));
    const found = new Route(
      headers.wereRead ? 0 : vhost.topologyVersion,
      envelope,
      exchange,
      queues,
      !headers.wereRead,
    );
    if (found.isReusable) {
      vhost.routes.remember(found, head, envelopeAt, envelopeSize);
      this.route = found;
    }
    return found;
  }

  /** @throws BrokerError when the user may not publish to the exchange */
  private check(exchange: Exchange): void {
    const text = resourceText('exchange', exchange.resource, this.vhost.name);
    if (!this.actor.permissions.canWrite(exchange.resource)) {
      throw accessRefused(`write access to ${text} refused for user '${this.actor.userName}'`);
    }
    if (exchange.internal) throw accessRefused(`cannot publish to internal ${text}`);
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

/** A message's headers, decoded when the first exchange asks for them. */
class MessageHeaders {
  wereRead: boolean;
  private readonly view: BasicPropertiesView;
  private readonly message: MessageParts;
  private headers: FieldTable | null;

  constructor(view: BasicPropertiesView, message: MessageParts) {
    this.wereRead = false;
    this.view = view;
    this.message = message;
    this.headers = null;
  }

  read(): FieldTable {
    this.wereRead = true;
    if (this.headers === null) {
      const { head, propertiesAt, propertiesSize } = this.message;
      this.view.reset(head.buf, propertiesAt, propertiesAt + propertiesSize);
      this.headers = this.view.headersAt() < 0 ? EMPTY_TABLE : this.view.headers();
    }
    return this.headers;
  }
}

/** All queues that a message reaches; each exchange on the way is asked once, so cycles end. */
function route(
  vhost: Vhost,
  first: Exchange,
  routingKey: string,
  headers: MessageHeaders,
): readonly Queue[] {
  if (first.name === '') {
    const queue = vhost.queues.get(routingKey);
    return queue === undefined ? [] : [queue];
  }
  const queues: Queue[] = [];
  const reached = new Set<Destination>([first]);
  const asked = [first];
  for (let exchange = asked.pop(); exchange !== undefined; exchange = asked.pop()) {
    const matched = new Set<Destination>();
    exchange.index.match(routingKey, exchange.usesHeaders ? headers.read() : EMPTY_TABLE, matched);
    for (const destination of matched) {
      if (reached.has(destination)) continue;
      reached.add(destination);
      if (destination.kind === 'queue') queues.push(destination);
      else asked.push(destination);
    }
  }
  return queues;
}
