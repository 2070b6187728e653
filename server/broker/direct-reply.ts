/**
 * Direct reply-to: answers that go straight to the channel of who asked, past any queue and any disk
 * (https://www.rabbitmq.com/docs/direct-reply-to).
 *
 * A channel that consumes the pseudo-queue gets a name that nobody can guess, and its requests carry that name. Who
 * publishes to it through the default exchange, on any connection of the vhost, reaches the channel as long as it
 * consumes. Bindings, policies and permissions of queues do not apply: to know the name is the permission.
 */
import { randomBytes } from 'node:crypto';
import type { MessageStore } from '../storage/message-store.ts';
import type { MessageParts } from '../storage/record-format.ts';
import { notFound } from './broker-error.ts';

/** The pseudo-queue: what is consumed to get answers, and put into reply-to of requests. */
export const REPLY_QUEUE = 'amq.rabbitmq.reply-to';
/** Names that the pseudo-queue stands for begin so. */
export const REPLY_NAME_PREFIX: string = `${REPLY_QUEUE}.`;
/** More than can be guessed: 128 bits. */
const TOKEN_BYTES = 16;

/** Where answers go: a channel that consumes them. */
export interface ReplySink {
  /** The name that it answers to. */
  readonly name: string;
  /** Whether it is still there, and takes what it is sent. */
  readonly takesReplies: boolean;
  /** Sends the message on; it is borrowed, and a large body of it is kept during the call. */
  deliverReply(message: MessageParts): void;
}

/** The channels of a vhost that consume answers, by name. */
export class DirectReplies {
  private readonly vhostName: string;
  private readonly sinks: Map<string, ReplySink>;

  constructor(vhostName: string) {
    this.vhostName = vhostName;
    this.sinks = new Map();
  }

  /** A name that nobody has had, and nobody can guess. */
  newName(): string {
    return REPLY_NAME_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  }

  open(sink: ReplySink): void {
    this.sinks.set(sink.name, sink);
  }

  close(sink: ReplySink): void {
    this.sinks.delete(sink.name);
  }

  find(name: string): ReplySink | null {
    return this.sinks.get(name) ?? null;
  }

  /**
   * Whether a declare means the pseudo-queue, or one of the names that it stands for: then no queue is asked.
   *
   * @throws BrokerError NOT_FOUND when nobody consumes under the name any more
   */
  isDeclared(name: string): boolean {
    if (name === REPLY_QUEUE || this.sinks.has(name)) return true;
    if (name.startsWith(REPLY_NAME_PREFIX)) throw notFound('queue', name, this.vhostName);
    return false;
  }
}

/**
 * Hands a message to those who take it; true when somebody did. Its large body is given away unless `isStored`, that
 * is when queues have it as well.
 */
export function deliverReplies(
  store: MessageStore,
  replies: readonly ReplySink[],
  message: MessageParts,
  isStored: boolean,
): boolean {
  const takers = replies.filter((reply) => reply.takesReplies);
  if (takers.length === 0) return false;
  const large = isStored ? null : message.large;
  if (large !== null) store.largeFiles.keep(large, false);
  for (const taker of takers) taker.deliverReply(message);
  if (large !== null) store.largeFiles.release(large.file);
  return true;
}
