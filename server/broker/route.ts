/**
 * @hot Where messages with one exchange and routing key go, remembered.
 *
 * A route holds for one version of the vhost's topology. It is found by the bytes of the envelope
 * (exchange and routing key as they stand in the publish), so a hit decodes no string: first against
 * the route of the channel's last publish, then in a table of the vhost. Where headers decide too, the envelope leads to a
 * route with all that it decides, and the headers to the queues (last-headers.ts). Bench: micro/route.
 */
import { type ByteArea, equalBytes } from '../base/byte-area.ts';
import { RouteSet } from '../storage/route-set.ts';
import type { ReplySink } from './direct-reply.ts';
import type { Exchange } from './exchange.ts';
import type { Queue } from './queue.ts';

/** Slots of a vhost's table; a power of two. */
const TABLE_SLOTS = 4096;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A routing result. */
export class Route {
  /** The topology that it holds for; 0 for none: the next message with these keys may go elsewhere. */
  readonly version: number;
  readonly exchange: Exchange;
  readonly queues: readonly Queue[];
  /** Who consumes answers under the routing key; null: nobody. */
  readonly replies: readonly ReplySink[] | null;
  readonly set: RouteSet;
  /**
   * The routing key, in a list of its own, where the headers decide too: with others a message may go to other queues.
   * Null where they do not.
   */
  readonly keysBesideHeaders: readonly string[] | null;
  private readonly envelope: ByteArea;

  constructor(
    version: number,
    envelope: ByteArea,
    exchange: Exchange,
    queues: readonly Queue[],
    replies: readonly ReplySink[] | null,
    keysBesideHeaders: readonly string[] | null = null,
  ) {
    this.version = version;
    this.exchange = exchange;
    this.queues = queues;
    this.replies = replies;
    this.set = setOf(queues);
    this.keysBesideHeaders = keysBesideHeaders;
    this.envelope = envelope;
  }

  /** Where a message with the same envelope and other headers goes. */
  withQueues(queues: readonly Queue[]): Route {
    const { version, envelope, exchange, keysBesideHeaders } = this;
    return new Route(version, envelope, exchange, queues, null, keysBesideHeaders);
  }

  /** HOT per publish. Whether the envelope at `at` is this route's. */
  matches(area: ByteArea, at: number, size: number): boolean {
    const { envelope } = this;
    return size === envelope.buf.length && equalBytes(envelope, 0, area, at, size);
  }
}

/**
 * Many keys lead to the same queue, and a batch names each set once: one for each queue alone is shared. Others are as
 * many as there are routes.
 */
function setOf(queues: readonly Queue[]): RouteSet {
  if (queues.length === 1) {
    const queue = queues[0]!;
    queue.routeSet ??= new RouteSet([queue.index]);
    return queue.routeSet;
  }
  return new RouteSet(queues.map((queue) => queue.index));
}

/** The routes used last in a vhost: two for each pair of slots, so that few keys push each other out. */
export class RouteTable {
  private readonly slots: (Route | null)[];

  constructor() {
    this.slots = new Array<Route | null>(TABLE_SLOTS).fill(null);
  }

  /** The route for this envelope under this topology, or null. */
  find(version: number, area: ByteArea, at: number, size: number): Route | null {
    const slot = slotOf(area, at, size);
    const route = this.slots[slot]!;
    if (route !== null && route.version === version && route.matches(area, at, size)) return route;
    const other = this.slots[slot + 1]!;
    return other !== null && other.version === version && other.matches(area, at, size)
      ? other
      : null;
  }

  /** Remembers a route that {@link find} does not find, beside the last one of its pair. */
  remember(route: Route, area: ByteArea, at: number, size: number): void {
    const slot = slotOf(area, at, size);
    this.slots[slot + 1] = this.slots[slot]!;
    this.slots[slot] = route;
  }
}

/** The first slot of the pair. */
function slotOf(area: ByteArea, at: number, size: number): number {
  const view = area.view;
  let hash = FNV_OFFSET;
  for (let i = 0; i < size; i++) hash = Math.imul(hash ^ view.getUint8(at + i), FNV_PRIME);
  return (hash ^ (hash >>> 15)) & (TABLE_SLOTS - 2);
}
