/**
 * The messages of an open transaction (tx.select), kept until they are committed or dropped.
 *
 * As in RabbitMQ a message is checked and routed when it is published; the commit enters it into those of the
 * queues that still exist, by name. Its bytes are copied, since what a publish lends is gone when it returns.
 *
 *     chunks    [ envelope properties body | envelope properties body | ... ]   4 KiB at first, doubling
 *     messages  chunk, offset, sizes, index of the route     parallel arrays
 *     routes    one for all messages that go to the same queues
 *
 * What one may hold is bounded, so that a commit is one batch of the log: with {@link TRANSACTION_ACKS_MAX} acks
 * it stays below the 128 MiB that such a batch may have.
 */
import { ByteArea, newByteArea } from '../base/byte-area.ts';
import {
  emptyMessageParts,
  type LargeBody,
  MESSAGE_HEAD_SIZE,
  type MessageParts,
} from '../storage/record-format.ts';
import { RouteSet } from '../storage/route-set.ts';
import { preconditionFailed } from './broker-error.ts';
import { deliverReplies, type ReplySink } from './direct-reply.ts';
import { storeMessage } from './publish.ts';
import type { Queue } from './queue.ts';
import type { Route } from './route.ts';
import type { Vhost } from './vhost.ts';

/** Bodies of one transaction, in bytes. */
export const TRANSACTION_BODY_BYTES_MAX: number = 64 * 1024 * 1024;
/** Envelopes, properties and what goes with them, in bytes. */
const HEAD_BYTES_MAX = 22 * 1024 * 1024;
/** Messages that are acked, rejected or requeued in one transaction. */
export const TRANSACTION_ACKS_MAX = 1_000_000;
/** Different sets of queues in one batch. */
const ROUTES_MAX = 65_535;

const CHUNK_SIZE_FIRST = 4 * 1024;
const CHUNK_SIZE_MAX = 256 * 1024;
/** Six numbers in arrays. */
const MESSAGE_ENTRY_BYTES = 48;
const NO_BYTES = new ByteArea(Buffer.alloc(0));

/** Where some of the messages go. */
interface HeldRoute {
  /** The vhost's topology when it was found. */
  readonly version: number;
  readonly queues: readonly Queue[];
  readonly replies: readonly ReplySink[] | null;
  readonly set: RouteSet;
}

/** Told of a mandatory message that no queue takes; the parts are borrowed, but for a large body, which is given. */
export type ReturnListener = (parts: MessageParts) => void;

/** The messages of one channel's open transaction. */
export class Transaction {
  /** Whether a message goes to a durable queue. */
  isDurable: boolean;
  private readonly vhost: Vhost;
  private readonly chunks: ByteArea[];
  private chunkUsed: number;
  private chunkBytes: number;
  private bodyBytes: number;
  private headBytes: number;
  private footerBytesMax: number;

  private readonly chunkOf: number[];
  private readonly offsets: number[];
  private readonly envelopeSizes: number[];
  private readonly propertiesSizes: number[];
  private readonly bodySizes: number[];
  /** Index of the route; its complement where the message is mandatory. */
  private readonly routeOf: number[];

  /** Bodies in files of their own, by message; the records hold references to them. */
  private readonly largeBodies: Map<number, LargeBody>;
  private readonly routes: HeldRoute[];
  private readonly routeByQueues: Map<string, number>;
  private lastRoute: Route | null;
  private lastRouteIndex: number;
  /** Shows one message after the other at the commit. */
  private readonly parts: MessageParts;

  constructor(vhost: Vhost) {
    this.isDurable = false;
    this.vhost = vhost;
    this.chunks = [];
    this.chunkUsed = 0;
    this.chunkBytes = 0;
    this.bodyBytes = 0;
    this.headBytes = 0;
    this.footerBytesMax = 0;
    this.chunkOf = [];
    this.offsets = [];
    this.envelopeSizes = [];
    this.propertiesSizes = [];
    this.bodySizes = [];
    this.routeOf = [];
    this.largeBodies = new Map();
    this.routes = [];
    this.routeByQueues = new Map();
    this.lastRoute = null;
    this.lastRouteIndex = -1;
    this.parts = emptyMessageParts();
  }

  get messageCount(): number {
    return this.offsets.length;
  }

  /** Memory that it holds, in bytes. */
  get memoryBytes(): number {
    return this.chunkBytes + MESSAGE_ENTRY_BYTES * this.offsets.length;
  }

  /** At most so many bytes of records come from a commit. */
  get recordBytes(): number {
    return this.bodyBytes + this.headBytes;
  }

  /** At most so many bytes of footer. */
  get footerBytes(): number {
    return this.footerBytesMax;
  }

  /**
   * Keeps a message until the commit. One that can go nowhere is not kept.
   *
   * @returns whether it is kept: a large body is the transaction's then
   * @throws BrokerError PRECONDITION_FAILED when the transaction would be too large
   */
  add(message: MessageParts, route: Route, isMandatory: boolean): boolean {
    if (route.queues.length === 0 && route.replies === null && !isMandatory) return false;
    const { envelopeSize, propertiesSize, bodySize } = message;
    const headSize = envelopeSize + propertiesSize;
    if (this.bodyBytes + bodySize > TRANSACTION_BODY_BYTES_MAX) {
      throw preconditionFailed(
        `transaction is larger than ${TRANSACTION_BODY_BYTES_MAX} bytes of message bodies`,
      );
    }
    const routeIndex = this.indexOf(route);
    this.headBytes += MESSAGE_HEAD_SIZE + headSize;
    if (this.headBytes + this.footerBytesMax > HEAD_BYTES_MAX) {
      throw preconditionFailed(`transaction is larger than ${HEAD_BYTES_MAX} bytes of headers`);
    }
    this.bodyBytes += bodySize;
    const { buf } = this.reserve(headSize + bodySize);
    const at = this.chunkUsed;
    const { head, envelopeAt, propertiesAt, body, bodyAt } = message;
    head.buf.copy(buf, at, envelopeAt, envelopeAt + envelopeSize);
    head.buf.copy(buf, at + envelopeSize, propertiesAt, propertiesAt + propertiesSize);
    // An empty body's offset may lie behind the end of its chunk.
    if (bodySize > 0) body.buf.copy(buf, at + headSize, bodyAt, bodyAt + bodySize);
    this.chunkUsed += headSize + bodySize;
    this.chunkOf.push(this.chunks.length - 1);
    this.offsets.push(at);
    this.envelopeSizes.push(envelopeSize);
    this.propertiesSizes.push(propertiesSize);
    this.bodySizes.push(bodySize);
    this.routeOf.push(isMandatory ? ~routeIndex : routeIndex);
    if (message.large !== null) this.largeBodies.set(this.offsets.length - 1, message.large);
    return true;
  }

  /** Publishes all messages in their order. Whoever wants them in one batch has asked the log for it. */
  publishAll(onReturn: ReturnListener): void {
    const { store } = this.vhost;
    const routes = this.routes.map((route) => this.current(route));
    for (let i = 0; i < this.offsets.length; i++) {
      const marked = this.routeOf[i]!;
      const isMandatory = marked < 0;
      const { queues, replies, set } = routes[isMandatory ? ~marked : marked]!;
      const parts = this.show(i);
      if (queues.length === 0) {
        if (replies !== null && deliverReplies(store, replies, parts, false)) {
          this.largeBodies.delete(i);
        } else if (isMandatory) {
          this.largeBodies.delete(i);
          onReturn(parts);
        }
        continue;
      }
      storeMessage(store, parts, queues, set);
      if (replies !== null) deliverReplies(store, replies, parts, true);
      this.largeBodies.delete(i);
    }
  }

  /** Forgets all messages, and gives their memory back; large bodies that were not published are deleted. */
  clear(): void {
    this.isDurable = false;
    this.chunks.length = 0;
    this.chunkUsed = 0;
    this.chunkBytes = 0;
    this.bodyBytes = 0;
    this.headBytes = 0;
    this.footerBytesMax = 0;
    this.chunkOf.length = 0;
    this.offsets.length = 0;
    this.envelopeSizes.length = 0;
    this.propertiesSizes.length = 0;
    this.bodySizes.length = 0;
    this.routeOf.length = 0;
    for (const body of this.largeBodies.values()) body.abort();
    this.largeBodies.clear();
    this.routes.length = 0;
    this.routeByQueues.clear();
    this.lastRoute = null;
    this.parts.head = NO_BYTES;
    this.parts.body = NO_BYTES;
    this.parts.large = null;
  }

  /** Messages with different routing keys that go to the same queues share an entry, and a row in the batch. */
  private indexOf(route: Route): number {
    if (route === this.lastRoute) return this.lastRouteIndex;
    const key = JSON.stringify([
      route.queues.map((queue) => queue.name),
      route.replies?.map((reply) => reply.name),
    ]);
    let index = this.routeByQueues.get(key);
    if (index === undefined) {
      index = this.routes.length;
      if (index === ROUTES_MAX) {
        throw preconditionFailed(`transaction goes to more than ${ROUTES_MAX} sets of queues`);
      }
      const { queues, replies, set } = route;
      this.routes.push({ version: this.vhost.topologyVersion, queues, replies, set });
      this.routeByQueues.set(key, index);
      this.footerBytesMax += set.footerSizeMax;
      if (set.durable.length > 0) this.isDurable = true;
    }
    this.lastRoute = route;
    this.lastRouteIndex = index;
    return index;
  }

  /** The route as it is now: a queue may have gone since, or another one have its name. */
  private current(route: HeldRoute): HeldRoute {
    const { vhost } = this;
    if (route.version === vhost.topologyVersion) return route;
    const queues: Queue[] = [];
    for (const { name } of route.queues) {
      const queue = vhost.queues.get(name);
      if (queue !== undefined) queues.push(queue);
    }
    const set = new RouteSet(queues.map((queue) => queue.index));
    return { version: vhost.topologyVersion, queues, replies: route.replies, set };
  }

  /** Makes the last chunk have room for `size` bytes. */
  private reserve(size: number): ByteArea {
    const last = this.chunks.at(-1);
    if (last !== undefined && this.chunkUsed + size <= last.buf.length) return last;
    const wanted = Math.min(CHUNK_SIZE_MAX, Math.max(CHUNK_SIZE_FIRST, this.chunkBytes));
    const chunk = newByteArea(Math.max(wanted, size));
    this.chunks.push(chunk);
    this.chunkBytes += chunk.buf.length;
    this.chunkUsed = 0;
    return chunk;
  }

  private show(message: number): MessageParts {
    const { parts } = this;
    const area = this.chunks[this.chunkOf[message]!]!;
    parts.head = area;
    parts.envelopeAt = this.offsets[message]!;
    parts.envelopeSize = this.envelopeSizes[message]!;
    parts.propertiesAt = parts.envelopeAt + parts.envelopeSize;
    parts.propertiesSize = this.propertiesSizes[message]!;
    parts.body = area;
    parts.bodyAt = parts.propertiesAt + parts.propertiesSize;
    parts.bodySize = this.bodySizes[message]!;
    parts.large = this.largeBodies.get(message) ?? null;
    return parts;
  }
}
