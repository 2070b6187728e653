/**
 * How fast a connection is read: chunks of its socket go to the frame router as long as the connection has a share
 * of the turn left, its peer takes output, and no alarm holds its next publish back.
 */
import type { Socket } from 'node:net';
import { ByteArea } from '../base/byte-area.ts';
import type { Reactor, Yielding } from '../broker/reactor.ts';
import type { FrameRouter } from './frame-router.ts';
import type { HeldInput } from './held-input.ts';

/** Bytes of one connection that a turn parses; what has come beyond waits for another one. */
const PARSE_BYTES_PER_TURN = 512 * 1024;
/** The same while a queue that it publishes to falls behind its consumers. Never zero: acks share it. */
const PARSE_BYTES_PER_TURN_BEHIND = 128 * 1024;
/** An entry of a message into one more queue costs as much as parsing so many bytes. */
const COPY_COST_BYTES = 16;

/** What the input asks its connection. */
export interface ConnectionInputOwner {
  /** Channels may be used. */
  readonly isRunning: boolean;
  /** The socket is gone. */
  readonly isClosed: boolean;
  /** Whether the peer takes no output, or the disk cannot keep up with the large body that it sends. */
  readonly mustWait: boolean;
  /** Nothing wakes the input by itself when {@link mustWait} ends: makes that {@link ConnectionInput.resumeLater}. */
  watchWhatItWaitsFor(): void;
  /** The peer broke the framing: nothing it sends can be read any more. */
  framingLost(error: unknown): void;
}

/** The reading side of one connection. */
export class ConnectionInput implements Yielding {
  private readonly socket: Socket;
  private readonly router: FrameRouter;
  private readonly held: HeldInput;
  private readonly reactor: Reactor;
  private readonly owner: ConnectionInputOwner;
  /** The turn that {@link bytesThisTurn} counts for. */
  private turnNumber: number;
  private bytesThisTurn: number;
  private isPaused: boolean;
  private hasLostFraming: boolean;

  constructor(
    socket: Socket,
    router: FrameRouter,
    held: HeldInput,
    reactor: Reactor,
    owner: ConnectionInputOwner,
  ) {
    this.socket = socket;
    this.router = router;
    this.held = held;
    this.reactor = reactor;
    this.owner = owner;
    this.turnNumber = 0;
    this.bytesThisTurn = 0;
    this.isPaused = false;
    this.hasLostFraming = false;
  }

  /** Whether what the peer sends is taken: only then its silence means something. */
  get isRead(): boolean {
    return !this.isPaused && !this.held.isActive;
  }

  /** HOT per read. Takes what the socket brought, `area.buf[0..size)`: borrowed. */
  received(area: ByteArea, size: number): void {
    if (this.hasLostFraming) return;
    if (this.held.isActive) this.hold(area.buf.subarray(0, size));
    else this.scan(area, size);
  }

  /** HOT per read. Carries out `area.buf[0..size)`; past the turn's share the socket is paused. */
  private scan(area: ByteArea, size: number): void {
    const { router, owner, reactor } = this;
    const copiesBefore = reactor.extraCopies;
    try {
      const end = router.scan(area, size);
      if (this.held.isActive) this.hold(area.buf.subarray(end, size));
    } catch (error) {
      this.hasLostFraming = true;
      owner.framingLost(error);
    }
    const cost = size + COPY_COST_BYTES * (reactor.extraCopies - copiesBefore);
    const isAhead = this.isAhead;
    if (this.isOverShare(cost, isAhead) || owner.mustWait) this.pause(isAhead);
  }

  private get isAhead(): boolean {
    return this.router.lastChannel?.publishesAhead === true;
  }

  get mayGoOn(): boolean {
    return this.owner.isClosed || !this.isAhead;
  }

  /** HOT per read. Counts work, in bytes; true when it was enough for this turn. */
  private isOverShare(cost: number, isAhead: boolean): boolean {
    const { reactor } = this;
    if (this.turnNumber !== reactor.turnNumber) {
      this.turnNumber = reactor.turnNumber;
      this.bytesThisTurn = 0;
    }
    this.bytesThisTurn += cost;
    if (reactor.addParsed(cost)) return true;
    return this.bytesThisTurn >= (isAhead ? PARSE_BYTES_PER_TURN_BEHIND : PARSE_BYTES_PER_TURN);
  }

  private pause(isAhead: boolean): void {
    if (this.isPaused) return;
    const { reactor } = this;
    this.isPaused = true;
    this.socket.pause();
    if (!isAhead) {
      reactor.resumeLater(this);
      return;
    }
    reactor.resumeAfterYield(this, this.bytesThisTurn);
  }

  /** Something it waits for may be over: it looks again in the next turn. */
  resumeLater(): void {
    this.reactor.resumeLater(this);
  }

  /** The same, where it waits at all. */
  resumeIfPaused(): void {
    if (this.isPaused) this.resumeLater();
  }

  /** Its turn has come. */
  resume(): void {
    const { owner, held } = this;
    this.isPaused = false;
    if (owner.isClosed) return;
    if (owner.mustWait) {
      this.isPaused = true;
      owner.watchWhatItWaitsFor();
      return;
    }
    if (held.isActive && (!owner.isRunning || held.mayEnd)) {
      const bytes = held.end(!owner.isRunning);
      this.scan(new ByteArea(bytes), bytes.length);
      if (this.isPaused) return;
    }
    if (!held.isFull) this.socket.resume();
  }

  /** Keeps bytes that an alarm holds back. */
  private hold(bytes: Buffer): void {
    this.held.keep(bytes);
    if (this.held.isFull) this.socket.pause();
  }
}
