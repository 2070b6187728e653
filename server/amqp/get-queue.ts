/**
 * The basic.gets of a channel that wait to be carried out, one after the other, and the recovers among them: what a
 * recover gives back is all that leaves before its answer, so no get behind it may begin before.
 *
 * A get begins when the one before it has its message and the peer has taken most of what it was sent. So a
 * client that asks a thousand times and reads no answer finds its messages still in the queue, and costs a
 * bounded amount of memory.
 */
import type { Reactor } from '../broker/reactor.ts';
import type { Output } from './output.ts';

/** No get begins while more bytes of output than this wait for the peer, or of answers for their turn. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** Told when a channel has carried out all its gets and recovers. */
export interface GetQueueOwner {
  getsEnded(): void;
}

/** Made for a channel with its first get. */
export class GetQueue {
  /** Bytes of answers that are laid out and wait for replies before them. */
  heldBytes: number;
  /** An answer with a large body, which lies in its file, is not yet with the peer. */
  owesLarge: boolean;
  private readonly output: Output;
  private readonly reactor: Reactor;
  private readonly owner: GetQueueOwner;
  private readonly waiting: (() => void)[];
  /** A get or recover has begun, and has no answer yet. */
  private isBusy: boolean;
  private isStarting: boolean;

  constructor(output: Output, reactor: Reactor, owner: GetQueueOwner) {
    this.heldBytes = 0;
    this.owesLarge = false;
    this.output = output;
    this.reactor = reactor;
    this.owner = owner;
    this.waiting = [];
    this.isBusy = false;
    this.isStarting = false;
  }

  /** Whether there are some that have no answer yet. */
  get isWaiting(): boolean {
    return this.isBusy || this.waiting.length > 0;
  }

  /** Calls `begin` now or later; it leads to {@link ended}, at once or when what it waits for has come. */
  add(begin: () => void): void {
    this.waiting.push(begin);
    this.resume();
  }

  /** What had begun has its answer. */
  ended(): void {
    this.isBusy = false;
  }

  /** Something has changed that may let the next get begin. */
  resume(): void {
    if (this.isStarting) return;
    this.isStarting = true;
    try {
      while (this.waiting.length > 0 && this.canBegin()) {
        this.isBusy = true;
        this.waiting.shift()!();
      }
    } finally {
      this.isStarting = false;
    }
    if (!this.isWaiting) this.owner.getsEnded();
  }

  /** The channel closes: what has not begun never will. */
  clear(): void {
    this.waiting.length = 0;
    this.owner.getsEnded();
  }

  private canBegin(): boolean {
    if (this.isBusy || this.owesLarge || this.heldBytes > WAITING_BYTES_MAX) return false;
    if (this.output.pendingBytes <= WAITING_BYTES_MAX) return true;
    // A blocked output tells when it has drained; one that is only not flushed yet does not.
    if (!this.output.isBlocked) this.reactor.resumeLater(this);
    return false;
  }
}
