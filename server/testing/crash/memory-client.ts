/**
 * An AMQP client inside the broker's process: sends the frames it is given, and hands every method that comes, with
 * its content, to one listener within the broker's write. The listener must not send.
 */
import {
  type AnyMethod,
  ByteReader,
  contentHeaderBodySize,
  decodeMethod,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  PROTOCOL_HEADER,
} from '../../../generated/index.ts';
import { connectionOpen, connectionStartOk, connectionTuneOk } from '../client-frames.ts';
import { type MemoryPeer, MemorySocket } from '../memory-socket.ts';

const NOTHING = Buffer.alloc(0);
const PAYLOAD_MAX = 2 ** 28;

/** What a client hears. */
export interface MemoryClientListener {
  method(channel: number, method: AnyMethod, body: Buffer): void;
  /** The connection is over. */
  closed(): void;
}

interface Incomplete {
  readonly method: AnyMethod;
  readonly pieces: Buffer[];
  left: number;
}

/** One connection. */
export class MemoryClient implements FrameSink, MemoryPeer {
  readonly socket: MemorySocket;
  isClosed: boolean;
  heartbeatCount: number;
  private readonly listener: MemoryClientListener;
  private readonly scanner: FrameScanner;
  private readonly incomplete: Map<number, Incomplete>;

  /** Whoever makes it gives the socket to a server, and says hello with {@link open}. */
  constructor(listener: MemoryClientListener) {
    this.socket = new MemorySocket(this);
    this.isClosed = false;
    this.heartbeatCount = 0;
    this.listener = listener;
    this.scanner = new FrameScanner(this, PAYLOAD_MAX);
    this.incomplete = new Map();
  }

  /** Sends all of the handshake at once: nothing in it depends on the answers. */
  open(frameMax: number, heartbeat: number = 0): void {
    this.send(
      PROTOCOL_HEADER,
      connectionStartOk(),
      connectionTuneOk({ frameMax, heartbeat }),
      connectionOpen(),
    );
  }

  /** Sends frames side by side; true when the server has read all of them. */
  send(...frames: readonly Buffer[]): boolean {
    return this.socket.send(Buffer.concat(frames));
  }

  /** Ends the socket as a client does that crashes. */
  drop(): void {
    this.socket.destroy();
  }

  receive(bytes: Buffer): void {
    // The scanner keeps pieces of frames: the server uses its buffer again.
    const own = Buffer.from(bytes);
    this.scanner.scan(own, 0, own.length);
  }

  closed(): void {
    this.isClosed = true;
    this.listener.closed();
  }

  onFrame(type: number, channel: number, buf: Buffer, start: number, end: number): number {
    if (type === FRAME_METHOD) this.methodFrame(channel, buf, start, end);
    else if (type === FRAME_HEADER) this.headerFrame(channel, buf, start);
    else if (type === FRAME_HEARTBEAT) this.heartbeatCount++;
    else if (end > start) this.onBodyPiece(channel, buf, start, end, 0);
    return end + 1;
  }

  onBodyPiece(channel: number, buf: Buffer, start: number, end: number, _left: number): void {
    const message = this.incomplete.get(channel);
    if (message === undefined) throw new Error(`a body on channel ${channel} without a method`);
    message.pieces.push(Buffer.from(buf.subarray(start, end)));
    message.left -= end - start;
    this.completeIfWhole(channel, message);
  }

  private methodFrame(channel: number, buf: Buffer, start: number, end: number): void {
    const id = buf.readUInt32BE(start);
    const method = decodeMethod(id, new ByteReader(buf, start + 4, end));
    if (method === null) throw new Error(`unknown method ${id}`);
    const { name } = method;
    if (name === 'basic.deliver' || name === 'basic.get-ok' || name === 'basic.return') {
      this.incomplete.set(channel, { method, pieces: [], left: 0 });
    } else {
      this.listener.method(channel, method, NOTHING);
    }
  }

  private headerFrame(channel: number, buf: Buffer, start: number): void {
    const message = this.incomplete.get(channel);
    if (message === undefined) throw new Error(`a header on channel ${channel} without a method`);
    message.left = contentHeaderBodySize(buf, start);
    this.completeIfWhole(channel, message);
  }

  private completeIfWhole(channel: number, { method, pieces, left }: Incomplete): void {
    if (left > 0) return;
    this.incomplete.delete(channel);
    this.listener.method(channel, method, Buffer.concat(pieces));
  }
}
