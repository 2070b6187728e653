/**
 * The server's end of a connection that never leaves the process: what the client sends is handed to whoever
 * reads within the call, what the server writes is handed to the client within the write.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Transport } from '../amqp/transport.ts';

/** Told what the server does with its socket. */
export interface MemoryPeer {
  /** Bytes from the server, borrowed: they are the server's own buffer. */
  receive(bytes: Buffer): void;
  /** The server has ended or dropped the connection. */
  closed(): void;
}

/** A socket without a network. */
export class MemorySocket extends Duplex {
  private readonly peer: MemoryPeer;
  /** The client takes nothing: what the server writes waits, as in full buffers of the kernel. */
  private isStuck: boolean;
  /** What waits. */
  private held: (() => void) | null;

  constructor(peer: MemoryPeer) {
    super({ allowHalfOpen: false });
    this.peer = peer;
    this.isStuck = false;
    this.held = null;
    this.once('close', () => peer.closed());
  }

  /** What the server's code takes: of a socket it uses the stream. */
  get asTransport(): Transport {
    return {
      socket: this as unknown as Socket,
      description: '127.0.0.1:1 -> 127.0.0.1:2',
      isLoopback: true,
      acceptedMs: performance.now(),
      early: null,
      identity: null,
    };
  }

  /** The client sends. True when the server has taken all of it. */
  send(bytes: Buffer): boolean {
    if (this.destroyed) return false;
    this.push(bytes);
    return this.isRead;
  }

  /** Whether the server has taken all that was sent, and takes more. */
  get isRead(): boolean {
    return this.readableLength === 0 && !this.isPaused();
  }

  /** The client ends its side. */
  finish(): void {
    this.push(null);
  }

  /** The client stops reading. */
  stick(): void {
    this.isStuck = true;
  }

  /** ... and reads again. */
  unstick(): void {
    this.isStuck = false;
    const { held } = this;
    this.held = null;
    held?.();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const take = (): void => {
      this.peer.receive(chunk);
      done();
    };
    if (this.isStuck) this.held = take;
    else take();
  }
}
