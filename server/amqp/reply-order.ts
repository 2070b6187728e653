/**
 * What leaves on a channel in which order: replies in that of their requests, and nothing between the frames of a
 * content.
 *
 * - A reply that tells of something durable waits until the log is; those behind it wait too, while the requests
 *   behind it are already carried out.
 * - A large body is read from its file piece by piece: until it is complete, everything else of the channel waits.
 */
import type { DurabilityWaiter, MessageLog } from '../storage/log.ts';

/** A reply that waits for its turn. */
export interface PendingReply {
  /** Log position behind which it may leave; -1: at once. */
  readonly position: number;
  /** Writes the reply; null until it is known. */
  send: (() => void) | null;
  /** Lets go of what it holds when it will never be sent; null when it holds nothing. */
  discard: (() => void) | null;
}

/** What a connection owes its peer: too much, and it is not read. */
export interface ReplyDebt {
  /** Replies that wait for their turn, over all channels. */
  owedReplies: number;
}

/** The replies of one channel. */
export class ReplyOrder {
  /** A large content is under way: nothing else may leave on this channel until it is complete. */
  isSendingLarge: boolean;
  private readonly log: MessageLog;
  private readonly debt: ReplyDebt;
  /** Told when the log has advanced; it then calls {@link release}. */
  private readonly waiter: DurabilityWaiter;
  private readonly replies: PendingReply[];
  /** What follows the content under way although the channel has closed. */
  private readonly farewells: (() => void)[];

  constructor(log: MessageLog, debt: ReplyDebt, waiter: DurabilityWaiter) {
    this.isSendingLarge = false;
    this.log = log;
    this.debt = debt;
    this.waiter = waiter;
    this.replies = [];
    this.farewells = [];
  }

  /** Whether what comes now would have to wait for something. */
  get isBusy(): boolean {
    return this.replies.length > 0 || this.isSendingLarge;
  }

  /** Whether a reply waits for the log. */
  get waitsForLog(): boolean {
    const { durableUpTo } = this.log;
    return this.replies.some((reply) => reply.position >= durableUpTo);
  }

  /**
   * Sends a reply in its turn, and once the log is durable behind `position` (-1: no need); `discard` is called
   * instead when the channel closes before.
   */
  add(position: number, send: () => void, discard: (() => void) | null): void {
    const { durableUpTo } = this.log;
    if (!this.isBusy && position < durableUpTo) {
      send();
      return;
    }
    this.owe({ position, send, discard });
    if (position >= durableUpTo) this.log.waitForAll(this.waiter);
  }

  /** Keeps a place for a reply that is not known yet; {@link release} once it is. */
  hold(): PendingReply {
    const reply: PendingReply = { position: -1, send: null, discard: null };
    this.owe(reply);
    return reply;
  }

  private owe(reply: PendingReply): void {
    this.replies.push(reply);
    this.debt.owedReplies++;
  }

  /** Sends the replies whose turn has come. */
  release(): void {
    const { replies } = this;
    const { durableUpTo } = this.log;
    while (replies.length > 0 && !this.isSendingLarge) {
      const { position, send } = replies[0]!;
      if (send === null || position >= durableUpTo) break;
      replies.shift();
      this.debt.owedReplies--;
      send();
    }
  }

  /** No reply leaves any more. */
  discardAll(): void {
    this.debt.owedReplies -= this.replies.length;
    for (const { discard } of this.replies.splice(0)) discard?.();
  }

  /** Calls `send` behind the content under way, or at once; also when the channel has closed. */
  afterContent(send: () => void): void {
    if (!this.isSendingLarge) {
      send();
      return;
    }
    this.farewells.push(send);
    this.debt.owedReplies++;
  }

  /** The content under way is over. */
  sendFarewells(): void {
    this.debt.owedReplies -= this.farewells.length;
    for (const send of this.farewells.splice(0)) send();
  }
}
