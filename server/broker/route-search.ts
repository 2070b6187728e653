/**
 * Where a message goes, asked from exchange to exchange: what a route remembers (route.ts) when it may.
 *
 * Each exchange on the way is asked once, for all routing keys of the message, so cycles end. One that leads nowhere
 * hands on to its alternate exchange. The default exchange leads to the queue of the key's name, or to who consumes
 * answers under it.
 */
import type { HeadersView } from '../routing/headers-view.ts';
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
  /** Whether it must have the same headers for that. */
  readonly byHeaders: boolean;
}

/** Finds routes, one after the other. */
export class RouteSearch {
  private readonly vhost: Vhost;
  /** Whether an exchange of the search under way has looked at the headers. */
  private byHeaders: boolean;

  constructor(vhost: Vhost) {
    this.vhost = vhost;
    this.byHeaders = false;
  }

  /**
   * All queues that a message with `headers` reaches from `exchange` with the keys: its routing key, and those of CC and
   * BCC.
   */
  find(
    exchange: Exchange,
    routingKeys: readonly string[],
    headers: Readonly<HeadersView>,
  ): FoundRoute {
    return exchange.name === ''
      ? this.byName(routingKeys)
      : this.byBindings(exchange, routingKeys, headers);
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
    return {
      queues: [...queues],
      replies: replies.size === 0 ? null : [...replies],
      isReusable,
      byHeaders: false,
    };
  }

  private byBindings(
    first: Exchange,
    routingKeys: readonly string[],
    headers: Readonly<HeadersView>,
  ): FoundRoute {
    this.byHeaders = false;
    const queues: Queue[] = [];
    const reached = new Set<Destination>([first]);
    // What is added on the way is visited as well.
    for (const destination of reached) {
      // What is deleted stays in the index for some turns (index-sweep.ts).
      if (destination.isDeleted) continue;
      if (destination.kind === 'queue') queues.push(destination);
      else this.follow(destination, routingKeys, headers, reached);
    }
    return { queues, replies: null, isReusable: true, byHeaders: this.byHeaders };
  }

  /** Adds where an exchange leads, or its alternate exchange. */
  private follow(
    exchange: Exchange,
    routingKeys: readonly string[],
    headers: Readonly<HeadersView>,
    reached: Set<Destination>,
  ): void {
    const { index, alternate } = exchange;
    if (exchange.usesHeaders) this.byHeaders = true;
    // With an alternate exchange it counts what matched, also where something else has led there before.
    const matched = alternate === null ? reached : new Set<Destination>();
    for (let i = 0; i < routingKeys.length; i++) index.match(routingKeys[i]!, headers, matched);
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
