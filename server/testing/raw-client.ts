/**
 * A client that says exactly what a test tells it and hears everything in the order in which it comes.
 *
 * Sending never waits. A content-bearing method is heard once its body is complete. A wait ends at once with
 * an answer that is another one than expected, and after some seconds without any.
 */
import { connect, type Socket } from 'node:net';
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
  toFieldTable,
} from '../../generated/index.ts';
import {
  channelFlow,
  connectionOpen,
  connectionStartOk,
  connectionTuneOk,
} from './client-frames.ts';
import type { Teardown } from './temporary-directory.ts';

type MethodName = AnyMethod['name'];
type ArgumentsOf<N extends MethodName> = Extract<AnyMethod, { name: N }>['args'];

/** One method, with its content where it has one. */
export interface Heard<N extends MethodName = MethodName> {
  readonly channel: number;
  readonly name: N;
  readonly args: ArgumentsOf<N>;
  /** Property flags and values; empty where there is no content. */
  readonly properties: Buffer;
  readonly body: Buffer;
}

/** A delivery in short: its body, tag and flag. */
export interface HeardDelivery {
  readonly body: string;
  readonly tag: number;
  readonly redelivered: boolean;
}

/** What a client negotiates. */
export interface RawClientOptions {
  readonly frameMax?: number;
  readonly heartbeat?: number;
  readonly host?: string;
  /** What the client says it understands; `consumer_cancel_notify` alone where none are named. */
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly vhost?: string;
  /** Guest's by default. */
  readonly login?: { readonly mechanism: string; readonly response: Buffer };
}

const NOTHING = Buffer.alloc(0);
const CONTENT_METHODS: readonly MethodName[] = ['basic.deliver', 'basic.return', 'basic.get-ok'];
/** How long a server may take for anything; only a failing test waits for it. */
const PATIENCE_MS = 10_000;
/** Payloads of tests may be larger than what was negotiated. */
const PAYLOAD_MAX = 2 ** 28;

/** A method whose content is on its way. */
interface Incomplete {
  readonly method: AnyMethod;
  properties: Buffer;
  readonly pieces: Buffer[];
  left: number;
}

/** A connection of a test. */
export class RawClient implements FrameSink {
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
  /** Deliveries heard so far. */
  deliveryCount = 0;
  /** False: deliveries are counted and not kept. */
  keepsDeliveries = true;
  /** False: bodies are read and thrown away. */
  keepsBodies = true;
  heartbeatCount = 0;
  private readonly socket: Socket;
  private readonly scanner: FrameScanner;
  private readonly heard: Heard[] = [];
  private readonly incomplete: Map<number, Incomplete> = new Map();
  private listeners: (() => void)[] = [];
  private isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.scanner = new FrameScanner(this, PAYLOAD_MAX);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true;
        this.wake();
        resolve();
      });
    });
    socket.on('error', () => undefined); // a reset is an end, too
    socket.on('data', (chunk: Buffer) => {
      this.scanner.scan(chunk, 0, chunk.length);
      this.wake();
    });
  }

  /** Opens the socket; nothing is sent. It is gone with the test. */
  static connect(t: Teardown, port: number, host = '127.0.0.1'): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      t.teardown(() => socket.destroy());
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  /** Speaks over a socket that the test has opened, by TLS or otherwise. It is gone with the test. */
  static over(t: Teardown, socket: Socket): RawClient {
    t.teardown(() => socket.destroy());
    return new RawClient(socket);
  }

  /** Opens a connection, to the vhost `/` unless told otherwise. */
  static async open(t: Teardown, port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const client = await RawClient.connect(t, port, options.host);
    await client.handshake(options);
    return client;
  }

  /** Logs in and opens a vhost; resolves to what the server offered first. */
  async handshake(options: RawClientOptions = {}): Promise<Heard<'connection.start'>> {
    const { host: _, vhost, capabilities, login = {}, ...tune } = options;
    this.write(PROTOCOL_HEADER);
    const start = await this.expect(0, 'connection.start');
    const clientProperties = capabilities && { clientProperties: toFieldTable({ capabilities }) };
    this.write(connectionStartOk({ ...clientProperties, ...login }));
    await this.expect(0, 'connection.tune');
    this.write(connectionTuneOk(tune), connectionOpen(vhost));
    await this.expect(0, 'connection.open-ok');
    return start;
  }

  /** Sends frames side by side, with one write. */
  write(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Sends frames and ends its side of the socket. */
  end(...frames: readonly Buffer[]): void {
    this.socket.end(Buffer.concat(frames));
  }

  /** Sends bytes and resolves when the kernel has taken them. */
  writeAll(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** Bytes that the server does not take. */
  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  /** Stops reading: the kernel's buffers fill up. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Ends the socket as a client does that crashes. */
  destroy(): void {
    this.socket.destroy();
  }

  /** The next method that arrives. */
  async next(): Promise<Heard> {
    for (;;) {
      const first = this.heard.shift();
      if (first !== undefined) return first;
      if (this.isClosed) throw new Error('the server closed the socket');
      await this.somethingHappens();
    }
  }

  /** The next method, which must be this one. */
  async expect<N extends MethodName>(channel: number, name: N): Promise<Heard<N>> {
    const next = await this.next();
    if (next.channel !== channel || next.name !== name) {
      const { name: other, channel: on, args } = next;
      throw new Error(
        `expected ${name} on channel ${channel}, got ${other} on ${on}: ${JSON.stringify(args)}`,
      );
    }
    return { ...next, name, args: next.args as ArgumentsOf<N> }; // by its name
  }

  /** The next deliveries, which must come one after the other. */
  async expectDeliveries(channel: number, count: number): Promise<HeardDelivery[]> {
    const deliveries: HeardDelivery[] = [];
    while (deliveries.length < count) {
      const { args, body } = await this.expect(channel, 'basic.deliver');
      const { deliveryTag: tag, redelivered } = args;
      deliveries.push({ body: body.toString(), tag, redelivered });
    }
    return deliveries;
  }

  /** The next method, which must be a get-ok. */
  async expectGot(channel: number): Promise<HeardDelivery> {
    const { args, body } = await this.expect(channel, 'basic.get-ok');
    return { body: body.toString(), tag: args.deliveryTag, redelivered: args.redelivered };
  }

  /**
   * Asks something on a channel without waiting replies and gets the answer as the very next thing: all that
   * was sent before has been carried out, and the server had nothing else to say.
   */
  async expectNothing(channel: number): Promise<void> {
    this.write(channelFlow(channel));
    await this.expect(channel, 'channel.flow-ok');
  }

  /** Resolves when so many deliveries have come in all. */
  async deliveriesReach(count: number): Promise<void> {
    while (this.deliveryCount < count) await this.somethingHappens();
  }

  onFrame(type: number, channel: number, buf: Buffer, start: number, end: number): number {
    if (type === FRAME_METHOD) this.methodFrame(channel, Buffer.from(buf.subarray(start, end)));
    else if (type === FRAME_HEADER) this.headerFrame(channel, buf, start, end);
    else if (type === FRAME_HEARTBEAT) this.heartbeatCount++;
    else this.onBodyPiece(channel, buf, start, end, 0);
    return end + 1;
  }

  onBodyPiece(channel: number, buf: Buffer, start: number, end: number, left: number): void {
    const message = this.incomplete.get(channel);
    if (message === undefined) throw new Error(`a body on channel ${channel} without a method`);
    if (this.keepsBodies) message.pieces.push(Buffer.from(buf.subarray(start, end)));
    message.left -= end - start;
    if (left === 0 && message.left === 0) this.complete(channel, message);
  }

  private methodFrame(channel: number, payload: Buffer): void {
    const reader = new ByteReader(payload, 4, payload.length);
    const method = decodeMethod(payload.readUInt32BE(0), reader);
    if (method === null) throw new Error(`unknown method ${payload.readUInt32BE(0)}`);
    if (CONTENT_METHODS.includes(method.name)) {
      this.incomplete.set(channel, { method, properties: NOTHING, pieces: [], left: 0 });
    } else {
      this.hear(channel, method, NOTHING, NOTHING);
    }
  }

  private headerFrame(channel: number, buf: Buffer, start: number, end: number): void {
    const message = this.incomplete.get(channel);
    if (message === undefined) throw new Error(`a header on channel ${channel} without a method`);
    message.properties = Buffer.from(buf.subarray(start + 12, end));
    message.left = contentHeaderBodySize(buf, start);
    if (message.left === 0) this.complete(channel, message);
  }

  private complete(channel: number, { method, properties, pieces }: Incomplete): void {
    this.incomplete.delete(channel);
    this.hear(channel, method, properties, Buffer.concat(pieces));
  }

  private hear(channel: number, method: AnyMethod, properties: Buffer, body: Buffer): void {
    if (method.name === 'basic.deliver') {
      this.deliveryCount++;
      if (!this.keepsDeliveries) return;
    }
    this.heard.push({ channel, name: method.name, args: method.args, properties, body });
  }

  private somethingHappens(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the server says nothing')), PATIENCE_MS);
      this.listeners.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private wake(): void {
    const { listeners } = this;
    this.listeners = [];
    for (const listener of listeners) listener();
  }
}
