/**
 * @hot What a connection is to send: frames of a turn laid side by side in one slab, handed to the socket
 * with one write.
 *
 * - A slab is taken when the first byte comes and goes back when its bytes are written, so an idle connection
 *   owns none. When the socket took everything at once it goes back at once.
 * - `isBlocked` while the socket still holds bytes of an earlier write: deliveries then wait, replies are laid into
 *   the slab that follows it. Over TLS it may hold some without.
 * Bench: scenario throughput.
 */
import type { Socket } from 'node:net';
import { type ByteArea, newByteArea } from '../base/byte-area.ts';
import { PiecePool } from '../base/piece-pool.ts';
import type { Flushable } from '../broker/ports.ts';
import { isEncrypted } from './transport.ts';

/** Size of a slab, in bytes. */
export const SLAB_SIZE: number = 256 * 1024;
/**
 * What a connection begins a turn with, in bytes. Most have one or two replies to send, and thousands may have them in
 * the same turn: with whole slabs ten thousand clients that connect at once would take 2.5 GiB.
 */
export const SMALL_SLAB_SIZE: number = 4096;
/** Size of a slab for a body that comes in pieces, in bytes. */
const BODY_SLAB_SIZE = 64 * 1024;

/**
 * Over TLS no write ends at once, whatever the peer takes: the octets that a turn delivers go into it, or what stays in
 * the queue is written to the log. A plain socket has the kernel's memory for that, which is more.
 */
const TLS_AHEAD_BYTES = 512 * 1024;

/** Slabs shared by all connections of a server. */
export class SlabPool {
  /** Bytes in slabs handed out. */
  usedBytes: number;
  private readonly pieces: PiecePool;
  private readonly bodyPieces: PiecePool;
  private readonly smallPieces: PiecePool;

  /** @param regionBytes see {@link PiecePool} */
  constructor(regionBytes?: number) {
    this.usedBytes = 0;
    this.pieces = new PiecePool(SLAB_SIZE, regionBytes);
    this.bodyPieces = new PiecePool(BODY_SLAB_SIZE, regionBytes);
    this.smallPieces = new PiecePool(SMALL_SLAB_SIZE, regionBytes);
  }

  /** A slab of {@link SMALL_SLAB_SIZE}. */
  acquireSmall(): ByteArea {
    this.usedBytes += SMALL_SLAB_SIZE;
    return this.smallPieces.acquire();
  }

  /** A slab of {@link SLAB_SIZE}, or a larger one where that is too small. */
  acquire(sizeMin: number): ByteArea {
    const slab = sizeMin <= SLAB_SIZE ? this.pieces.acquire() : newByteArea(sizeMin);
    this.usedBytes += slab.buf.length;
    return slab;
  }

  /** A slab of `size` bytes, or of less than twice as many where there is one at hand. */
  acquireFor(size: number): ByteArea {
    if (size <= SMALL_SLAB_SIZE) return this.acquireSmall();
    if (size <= SLAB_SIZE && 2 * size > SLAB_SIZE) return this.acquire(size);
    const isBody = size <= BODY_SLAB_SIZE && 2 * size > BODY_SLAB_SIZE;
    const slab = isBody ? this.bodyPieces.acquire() : newByteArea(size);
    this.usedBytes += slab.buf.length;
    return slab;
  }

  release(slab: ByteArea): void {
    const { length } = slab.buf;
    this.usedBytes -= length;
    if (length === SLAB_SIZE) this.pieces.release(slab);
    else if (length === BODY_SLAB_SIZE) this.bodyPieces.release(slab);
    else if (length === SMALL_SLAB_SIZE) this.smallPieces.release(slab);
  }

  /** Lets go of memory that no slab needs; returns how much, in bytes. Free with the next collection. */
  trim(): number {
    return this.pieces.trim() + this.bodyPieces.trim() + this.smallPieces.trim();
  }
}

/** Told when output is to be flushed at the end of the turn, and when the socket takes more. */
export interface OutputOwner {
  outputMarked(): void;
  outputDrained(): void;
}

/** Takes method frames. */
export interface MethodWriter {
  /** Writes a frame of `size` bytes; `encode` lays it down at the offset given and returns the one behind it. */
  writeMethod(size: number, encode: (buf: Buffer, at: number) => number): void;
}

/** The outbound bytes of one connection. */
export class Output implements Flushable, MethodWriter {
  /** True while the socket holds bytes that it could not pass on. */
  isBlocked: boolean;
  /** Set when something was sent; cleared by whoever looks at it. */
  hasSent: boolean;
  /** Bytes of contents that wait elsewhere for their turn to be written. */
  heldBytes: number;
  /** Replies that wait elsewhere for their turn. */
  owedReplies: number;
  private readonly socket: Socket;
  private readonly pool: SlabPool;
  private readonly owner: OutputOwner;
  /** Bytes that the socket may hold without being blocked. */
  private readonly aheadBytes: number;
  private slab: ByteArea | null;
  private at: number;
  private isMarked: boolean;
  /** Slabs given to the socket, oldest first; null for one that was taken back at once. */
  private readonly inSocket: (ByteArea | null)[];
  private readonly onWritten: () => void;

  constructor(socket: Socket, pool: SlabPool, owner: OutputOwner) {
    this.isBlocked = false;
    this.hasSent = false;
    this.heldBytes = 0;
    this.owedReplies = 0;
    this.socket = socket;
    this.pool = pool;
    this.owner = owner;
    this.aheadBytes = isEncrypted(socket) ? TLS_AHEAD_BYTES : 0;
    this.slab = null;
    this.at = 0;
    this.isMarked = false;
    this.inSocket = [];
    this.onWritten = () => this.written();
  }

  /** Bytes that the peer has not taken: in the slab, in the socket, and what waits behind them. */
  get pendingBytes(): number {
    return this.at + this.socket.writableLength + this.heldBytes;
  }

  /** HOT per frame. Memory with room for `size` bytes from {@link offset} on. */
  reserve(size: number): ByteArea {
    let slab = this.slab;
    if (slab === null || this.at + size > slab.buf.length) slab = this.makeRoom(slab, size);
    if (!this.isMarked) {
      this.isMarked = true;
      this.owner.outputMarked();
    }
    return slab;
  }

  /** The first bytes of a turn go into a small slab, and move to a large one when that is full. */
  private makeRoom(full: ByteArea | null, size: number): ByteArea {
    if (full !== null && full.buf.length === SMALL_SLAB_SIZE) {
      const slab = this.pool.acquire(this.at + size);
      full.buf.copy(slab.buf, 0, 0, this.at);
      this.pool.release(full);
      this.slab = slab;
      return slab;
    }
    if (full !== null) this.flush();
    const slab = size <= SMALL_SLAB_SIZE ? this.pool.acquireSmall() : this.pool.acquire(size);
    this.slab = slab;
    this.at = 0;
    return slab;
  }

  /** Where the next frame begins in the memory that {@link reserve} gave. */
  get offset(): number {
    return this.at;
  }

  /** Frames have been written up to `at`. */
  advance(at: number): void {
    this.at = at;
  }

  writeMethod(size: number, encode: (buf: Buffer, at: number) => number): void {
    const area = this.reserve(size);
    this.at = encode(area.buf, this.at);
  }

  /** Sends bytes that are kept elsewhere and do not change. */
  write(bytes: Buffer): void {
    const area = this.reserve(bytes.length);
    bytes.copy(area.buf, this.at);
    this.at += bytes.length;
  }

  /**
   * End of the turn: what was written leaves. A peer that has not taken the last write gets the next when it has, so
   * that what waits for it takes one slab and not one for each turn in which it was answered.
   */
  endTurn(): void {
    if (!this.isBlocked || this.socket.destroyed) {
      this.flush();
      return;
    }
    this.isMarked = false;
    // For the heartbeats it is sent: another one behind it would tell the peer nothing more.
    if (this.at > 0) this.hasSent = true;
  }

  /** Hands everything to the socket, whether or not it has passed on what it has. */
  flush(): void {
    this.isMarked = false;
    const { slab, socket } = this;
    if (slab === null) return;
    this.slab = null;
    if (this.at === 0 || socket.destroyed) {
      // Until its end is noticed nobody need deliver to a socket that is gone.
      this.isBlocked ||= socket.destroyed;
      this.pool.release(slab);
      this.at = 0;
      return;
    }
    const bytes = slab.buf.subarray(0, this.at);
    this.at = 0;
    this.hasSent = true;
    socket.write(bytes, this.onWritten);
    if (socket.writableLength === 0) {
      this.inSocket.push(null);
      this.pool.release(slab);
    } else {
      this.inSocket.push(slab);
      this.isBlocked = socket.writableLength > this.aheadBytes;
    }
  }

  private written(): void {
    const slab = this.inSocket.shift();
    if (slab !== null && slab !== undefined) this.pool.release(slab);
    const { socket } = this;
    if (!this.isBlocked || socket.writableLength > this.aheadBytes || socket.destroyed) return;
    this.isBlocked = false;
    this.flush();
    if (!this.isBlocked) this.owner.outputDrained();
  }
}
