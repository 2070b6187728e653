/**
 * Where a message goes, asked from exchange to exchange: what a route remembers (route.ts) when it may.
 *
 * Each exchange on the way is asked once, for all routing keys of the message, so cycles end. One that leads nowhere
 * hands on to its alternate exchange. The default exchange leads to the queue of the key's name, or to who consumes
 * answers under it.
 */
import { BasicPropertiesView, EMPTY_TABLE, type FieldTable } from '../../generated/index.ts';
import type { MessageParts } from '../storage/record-format.ts';
import type { Destination } from './binding.ts';
import { REPLY_NAME_PREFIX, type ReplySink } from './direct-reply.ts';
import type { Exchange } from './exchange.ts';
import type { Queue } from './queue.ts';
import type { Vhost } from './vhost.ts';

/** What a search has found. */
export interface FoundRoute {
  readonly queues: readonly Queue[];
  /** Null when no routing key names one who consumes answers: nearly always. */
  readonly replies: readonly ReplySink[] | null;
  /** Whether a message with the same exchange and routing key goes there as well, until the topology changes. */
  readonly isReusable: boolean;
}

/** Finds routes, one after the other. */
export class RouteSearch {
  private readonly vhost: Vhost;
  private readonly properties: BasicPropertiesView;

  constructor(vhost: Vhost) {
    this.vhost = vhost;
    this.properties = new BasicPropertiesView();
  }

  /** All queues that `message` reaches from `exchange` with the keys: its routing key, and those of CC and BCC. */
  find(exchange: Exchange, routingKeys: readonly string[], message: MessageParts): FoundRoute {
    return exchange.name === ''
      ? this.byName(routingKeys)
      : this.byBindings(exchange, routingKeys, new MessageHeaders(this.properties, message));
  }

  private byName(routingKeys: readonly string[]): FoundRoute {
    const { vhost } = this;
    const queues = new Set<Queue>();
    const replies = new Set<ReplySink>();
    let isReusable = true;
    for (const key of routingKeys) {
      if (key.startsWith(REPLY_NAME_PREFIX)) {
        // They come and go without a word to the topology.
        isReusable = false;
        const sink = vhost.directReplies.find(key);
        if (sink !== null) replies.add(sink);
      }
      const queue = vhost.queues.get(key);
      if (queue !== undefined) queues.add(queue);
    }
    return { queues: [...queues], replies: replies.size === 0 ? null : [...replies], isReusable };
  }

  private byBindings(
    first: Exchange,
    routingKeys: readonly string[],
    headers: MessageHeaders,
  ): FoundRoute {
    const queues: Queue[] = [];
    const reached = new Set<Destination>([first]);
    // What is added on the way is visited as well.
    for (const destination of reached) {
      // What is deleted stays in the index for some turns (index-sweep.ts).
      if (destination.isDeleted) continue;
      if (destination.kind === 'queue') queues.push(destination);
      else this.follow(destination, routingKeys, headers, reached);
    }
    return { queues, replies: null, isReusable: !headers.wereRead };
  }

  /** Adds where an exchange leads, or its alternate exchange. */
  private follow(
    exchange: Exchange,
    routingKeys: readonly string[],
    headers: MessageHeaders,
    reached: Set<Destination>,
  ): void {
    const { index, alternate } = exchange;
    const table = exchange.usesHeaders ? headers.read() : EMPTY_TABLE;
    // With an alternate exchange it counts what matched, also where something else has led there before.
    const matched = alternate === null ? reached : new Set<Destination>();
    for (let i = 0; i < routingKeys.length; i++) index.match(routingKeys[i]!, table, matched);
    if (alternate === null) return;
    let isMatched = false;
    for (const destination of matched) {
      if (destination.isDeleted) continue;
      isMatched = true;
      reached.add(destination);
    }
    const next = isMatched ? undefined : this.vhost.exchanges.get(alternate);
    if (next !== undefined) reached.add(next);
  }
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
