/**
 * A connection with one channel that tells everything in the order in which it comes: what the model hears must be what
 * the broker said, so nothing is buffered by a client library.
 */
import { connect, type Socket } from 'node:net';
import {
  type AnyMethod,
  ByteReader,
  contentHeaderBodySize,
  decodeMethod,
  encodePlain,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
} from '../../generated/index.ts';
import { within } from '../support/deadline.ts';
import type { Environment } from '../support/environment.ts';
import { type ArgumentsOf, methodFrame, type SendableName } from '../support/methods.ts';
import { PROTOCOL_HEADER, rawFrame } from '../support/raw-client.ts';

/** The only channel. */
const CHANNEL = 1;
const PAYLOAD_MAX = 2 ** 24;
const CLOSED = 'the broker closed the socket';

/** Where and as whom to log in. */
export type Login = Pick<Environment, 'hostname' | 'port' | 'username' | 'password'>;

/** A message that came. */
export interface Received {
  readonly deliveryTag: number;
  readonly redelivered: boolean;
  readonly body: string;
}

/** Told what comes, in its order. */
export interface OrderSink {
  delivered(consumerTag: string, message: Received): void;
  /** A basic.get is answered; null: the queue was empty. */
  got(message: Received | null, messageCount: number): void;
  confirmed(deliveryTag: number, multiple: boolean): void;
  /** A recover is answered: what comes from now on was sent after it. */
  recovered(): void;
  /** Anything that a broker says only when something is wrong. */
  failed(what: string): void;
}

interface Pending {
  readonly names: readonly string[];
  readonly resolve: (method: AnyMethod) => void;
  readonly reject: (error: Error) => void;
}

/** One client. */
export class OrderClient implements FrameSink {
  private readonly socket: Socket;
  private readonly sink: OrderSink;
  private readonly scanner = new FrameScanner(this, PAYLOAD_MAX);
  private readonly pending: Pending[] = [];
  private readonly ended: Promise<void>;
  private readonly idle: (() => void)[] = [];
  private content: AnyMethod | null = null;
  private left = 0;
  private body = '';
  private isEnding = false;
  /** The socket is closed: nothing that is asked from now on is answered. */
  private isClosed = false;

  private constructor(socket: Socket, sink: OrderSink) {
    this.socket = socket;
    this.sink = sink;
    this.ended = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => this.scanner.scan(chunk, 0, chunk.length));
    socket.on('error', (error) => this.end(error.message));
    void this.ended.then(() => {
      this.isClosed = true;
      this.end(CLOSED);
    });
  }

  /** Opens connection and channel. */
  static async open(
    { hostname, port, username, password }: Login,
    sink: OrderSink,
  ): Promise<OrderClient> {
    const socket = connect({ host: hostname, port, noDelay: true });
    const client = new OrderClient(socket, sink);
    socket.write(PROTOCOL_HEADER);
    await client.answer('connection.start');
    client.write(
      methodFrame('connection.start-ok', 0, { response: encodePlain(username, password) }),
    );
    await client.answer('connection.tune');
    client.write(methodFrame('connection.tune-ok', 0, {}), methodFrame('connection.open', 0, {}));
    await client.answer('connection.open-ok');
    await client.ask('channel.open', {}, 'channel.open-ok');
    return client;
  }

  /** Sends a method that has no answer. */
  send<N extends SendableName>(name: N, args: Partial<ArgumentsOf<N>>): void {
    this.write(methodFrame(name, CHANNEL, args));
  }

  /** Sends a method and waits for its answer. */
  async ask<N extends SendableName, A extends AnyMethod['name']>(
    name: N,
    args: Partial<ArgumentsOf<N>>,
    expected: A,
  ): Promise<ArgumentsOf<A>> {
    this.send(name, args);
    const { args: answered } = await this.answer(expected);
    return answered as ArgumentsOf<A>; // by its name
  }

  /** The same where there are several answers; the name of the one that came. */
  async askOneOf<N extends SendableName>(
    name: N,
    args: Partial<ArgumentsOf<N>>,
    ...expected: AnyMethod['name'][]
  ): Promise<AnyMethod['name']> {
    this.send(name, args);
    return (await this.answer(...expected)).name;
  }

  publish(exchange: string, routingKey: string, body: string): void {
    const header = Buffer.alloc(14);
    header.writeUInt16BE(60, 0);
    header.writeUInt32BE(body.length, 8);
    this.write(
      methodFrame('basic.publish', CHANNEL, { exchange, routingKey }),
      rawFrame(FRAME_HEADER, CHANNEL, header),
      rawFrame(FRAME_BODY, CHANNEL, Buffer.from(body)),
    );
  }

  /** Closes the channel in order, and opens it again. */
  async reopenChannel(): Promise<void> {
    await this.ask('channel.close', {}, 'channel.close-ok');
    await this.ask('channel.open', {}, 'channel.open-ok');
  }

  /** Resolves when everything that was asked has been answered, or never will be. */
  async answered(): Promise<void> {
    while (this.pending.length > 0) {
      await within(new Promise<void>((resolve) => this.idle.push(resolve)), 'all answers');
    }
  }

  /** Closes the connection in order; everything that came before is told. */
  async close(): Promise<void> {
    this.isEnding = true;
    this.write(methodFrame('connection.close', 0, {}));
    await this.answer('connection.close-ok');
    this.socket.end();
    await this.ended;
  }

  /** Resets the connection. */
  async reset(): Promise<void> {
    this.isEnding = true;
    this.socket.resetAndDestroy();
    await this.ended;
  }

  /** Lets go of the connection, in whatever state it is. */
  abandon(): void {
    this.isEnding = true;
    this.socket.destroy();
  }

  onFrame(type: number, _channel: number, buf: Buffer, start: number, end: number): number {
    if (type === FRAME_METHOD) this.method(buf, start, end);
    else if (type === FRAME_HEADER) {
      this.left = contentHeaderBodySize(buf, start);
      if (this.left === 0) this.complete();
    } else if (type === FRAME_BODY) this.onBodyPiece(0, buf, start, end);
    return end + 1;
  }

  onBodyPiece(_channel: number, buf: Buffer, start: number, end: number): void {
    if (end === start) return;
    this.body += buf.toString('latin1', start, end);
    this.left -= end - start;
    if (this.left === 0) this.complete();
  }

  private write(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  private answer(...names: string[]): Promise<AnyMethod> {
    if (this.isClosed) return Promise.reject(new Error(CLOSED));
    const answered = new Promise<AnyMethod>((resolve, reject) => {
      this.pending.push({ names, resolve, reject });
    });
    return within(answered, names.join(' or '));
  }

  private method(buf: Buffer, start: number, end: number): void {
    const method = decodeMethod(buf.readUInt32BE(start), new ByteReader(buf, start + 4, end));
    if (method === null) {
      this.end('the broker sends an unknown method');
      return;
    }
    switch (method.name) {
      case 'basic.return':
      case 'basic.nack':
      case 'basic.cancel':
      case 'channel.close':
      case 'connection.close':
        this.end(`the broker says ${JSON.stringify(method)}`);
        return;
      case 'basic.deliver':
      case 'basic.get-ok':
        this.content = method;
        this.body = '';
        return;
      case 'basic.ack':
        this.sink.confirmed(method.args.deliveryTag, method.args.multiple);
        return;
      default:
        this.hearAnswer(method);
    }
  }

  private complete(): void {
    const { content, body, sink } = this;
    this.content = null;
    if (content?.name === 'basic.deliver') {
      const { consumerTag, deliveryTag, redelivered } = content.args;
      sink.delivered(consumerTag, { deliveryTag, redelivered, body });
    } else if (content?.name === 'basic.get-ok') {
      const { deliveryTag, redelivered, messageCount } = content.args;
      sink.got({ deliveryTag, redelivered, body }, messageCount);
      this.hearAnswer(content);
    }
  }

  private hearAnswer(method: AnyMethod): void {
    if (method.name === 'basic.get-empty') this.sink.got(null, 0);
    if (method.name === 'basic.recover-ok') this.sink.recovered();
    const first = this.pending.shift();
    if (first?.names.includes(method.name) === true) first.resolve(method);
    else this.end(`${method.name} comes, awaited was ${String(first?.names)}`);
    if (this.pending.length === 0) this.wakeIdle();
  }

  private end(what: string): void {
    if (!this.isEnding) this.sink.failed(what);
    for (const { reject } of this.pending.splice(0)) reject(new Error(what));
    this.wakeIdle();
  }

  private wakeIdle(): void {
    for (const wake of this.idle.splice(0)) wake();
  }
}
