/**
 * A connection for what amqplib cannot say or hear: frames one by one, in either direction.
 *
 * Sending never waits. Expecting takes the next frame, whatever it is, and fails when it is another
 * one than the scenario says; so a scenario reads as the transcript of its connection.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  type AnyMethod,
  BASIC_PUBLISH_ID,
  type BasicGetOk,
  type BasicPublish,
  encodePlain,
  type FieldTable,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  toFieldTable,
} from '../../generated/index.ts';
import { methodName, type ServerClose } from './amqp.ts';
import { PATIENCE_MS, within } from './deadline.ts';
import type { Environment } from './environment.ts';
import { Inbox } from './inbox.ts';
import { type ArgumentsOf, methodFrame, readMethod, type SendableName } from './methods.ts';

/** One frame as it came. */
export interface RawFrame {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
}

/** A message that basic.get found. */
export interface RawMessage extends BasicGetOk {
  /** Property flags and values, octet by octet. */
  readonly properties: Buffer;
  readonly body: Buffer;
}

/** What a raw session negotiates; the rest is as the broker offers it, without heartbeats. */
export interface SessionOptions {
  readonly frameMax?: number;
  readonly channelMax?: number;
  readonly heartbeat?: number;
}

/** What the client says about itself: it wants a close frame even where the login fails. */
export const POLITE_PROPERTIES: FieldTable = toFieldTable({
  product: 'conformance',
  capabilities: { authentication_failure_close: true, consumer_cancel_notify: true },
});

export const PROTOCOL_HEADER: Buffer = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
const EMPTY_PROPERTIES = Buffer.from([0, 0]);
const BASIC_CLASS = BASIC_PUBLISH_ID >>> 16;
const HEADER_BYTES = 7;

export class RawClient {
  private readonly socket: Socket;
  private readonly frames = new Inbox<RawFrame>('frame');
  private readonly ended: Promise<void>;
  private unread: Buffer = Buffer.alloc(0);
  /** Largest body frame payload sent, in octets. */
  private bodySizeMax = 4096 - 8;
  /** Bytes are kept as they come instead of being cut into frames. */
  private keepsBytes = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => undefined); // a reset is an end, too
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.frames.fail(new Error('the broker closed the socket'));
        resolve();
      });
    });
  }

  /** Opens the TCP connection, and TLS on it where the broker is asked for that; nothing of AMQP is sent. */
  static connect({ isTls, hostname, port }: Environment): Promise<RawClient> {
    const opening = new Promise<RawClient>((resolve, reject) => {
      const address = { host: hostname, port, noDelay: true };
      const socket = isTls ? connectTls({ ...address, servername: hostname }) : connect(address);
      socket.once('error', reject);
      socket.once(isTls ? 'secureConnect' : 'connect', () => resolve(new RawClient(socket)));
    });
    return within(opening, 'TCP connection');
  }

  /** How many frames arrived and were not taken. */
  get framesWaiting(): number {
    return this.frames.count;
  }

  /** The frames that arrived and were not taken, in words. */
  get untaken(): string[] {
    return this.frames.untaken.map(describe);
  }

  // --- sending -----------------------------------------------------------------------------------

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** Sends a method; arguments not given have the defaults of methods.ts. */
  send<N extends SendableName>(channel: number, name: N, args: Partial<ArgumentsOf<N>> = {}): void {
    this.write(methodFrame(name, channel, args));
  }

  /** Sends a frame with any payload, well-formed or not. */
  sendFrame(type: number, channel: number, payload: Buffer): void {
    this.write(rawFrame(type, channel, payload));
  }

  sendHeartbeat(): void {
    this.sendFrame(FRAME_HEARTBEAT, 0, Buffer.alloc(0));
  }

  /** Sends a content header for class basic, or another one. */
  sendHeader(
    channel: number,
    bodySize: number,
    properties: Buffer = EMPTY_PROPERTIES,
    classId: number = BASIC_CLASS,
  ): void {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(classId, 0);
    fixed.writeBigUInt64BE(BigInt(bodySize), 4);
    this.sendFrame(FRAME_HEADER, channel, Buffer.concat([fixed, properties]));
  }

  sendBody(channel: number, piece: Buffer): void {
    this.sendFrame(FRAME_BODY, channel, piece);
  }

  /** Sends basic.publish with header and body. */
  publish(
    channel: number,
    args: Partial<BasicPublish>,
    body: Buffer,
    properties: Buffer = EMPTY_PROPERTIES,
  ): void {
    this.send(channel, 'basic.publish', args);
    this.sendHeader(channel, body.length, properties);
    for (let at = 0; at < body.length; at += this.bodySizeMax) {
      this.sendBody(channel, body.subarray(at, at + this.bodySizeMax));
    }
  }

  // --- expecting ---------------------------------------------------------------------------------

  /** @param expected what is awaited, for the error that tells what came instead */
  async nextFrame(expected = 'a frame'): Promise<RawFrame> {
    try {
      return await this.frames.take();
    } catch (error) {
      throw new Error(`expected ${expected}, got ${String(error)}`);
    }
  }

  /** Takes the next frame, which must be this method on this channel, and answers with its arguments. */
  async expect<N extends AnyMethod['name']>(channel: number, name: N): Promise<ArgumentsOf<N>> {
    const expected = `${name} on channel ${channel}`;
    const frame = await this.nextFrame(expected);
    const method = frame.type === FRAME_METHOD ? readMethod(frame.payload) : null;
    if (method?.name !== name || frame.channel !== channel) throw surprise(expected, frame);
    return method.args as ArgumentsOf<N>; // by its name
  }

  /** Takes the next frame, which must be a content header. */
  async expectHeader(channel: number): Promise<{ bodySize: number; properties: Buffer }> {
    const expected = `a content header on channel ${channel}`;
    const frame = await this.nextFrame(expected);
    if (frame.type !== FRAME_HEADER || frame.channel !== channel) throw surprise(expected, frame);
    const bodySize = Number(frame.payload.readBigUInt64BE(4));
    return { bodySize, properties: frame.payload.subarray(12) };
  }

  /** Takes the next frame, which must be a body frame, and answers with its payload. */
  async expectBody(channel: number): Promise<Buffer> {
    const expected = `a body frame on channel ${channel}`;
    const frame = await this.nextFrame(expected);
    if (frame.type !== FRAME_BODY || frame.channel !== channel) throw surprise(expected, frame);
    return frame.payload;
  }

  /** The server closes the channel; close-ok is sent, so that the number may be opened again. */
  async expectChannelClose(channel: number): Promise<ServerClose> {
    const close = await this.expect(channel, 'channel.close');
    this.send(channel, 'channel.close-ok');
    return toServerClose(close);
  }

  /** The server closes the connection, gets its close-ok and then ends the socket. */
  async expectConnectionClose(): Promise<ServerClose> {
    const close = await this.expect(0, 'connection.close');
    this.send(0, 'connection.close-ok');
    await this.expectEnd();
    return toServerClose(close);
  }

  /** The server ends the socket: after a connection.close, which is answered, or without a word (null). */
  async expectConnectionGone(): Promise<ServerClose | null> {
    const frame = await this.frames.takeOrEnd();
    const close = frame === null ? null : readClose(frame);
    if (close !== null) this.send(0, 'connection.close-ok');
    await this.expectEnd();
    return close;
  }

  /** The server ends the socket. */
  expectEnd(limitMs: number = PATIENCE_MS): Promise<void> {
    return within(this.ended, 'end of the connection', limitMs);
  }

  /** From now on the bytes are not cut into frames; all of them, once the server ends the socket. */
  async expectBytesThenEnd(): Promise<Buffer> {
    this.keepsBytes = true;
    await this.expectEnd();
    return this.unread;
  }

  // --- whole exchanges ---------------------------------------------------------------------------

  /** Sends the protocol header and takes connection.start. */
  async start(): Promise<void> {
    this.write(PROTOCOL_HEADER);
    await this.expect(0, 'connection.start');
  }

  /** Logs in by PLAIN; answers with the server's connection.tune. */
  async login({ username, password }: Environment): Promise<ArgumentsOf<'connection.tune'>> {
    await this.start();
    this.send(0, 'connection.start-ok', {
      clientProperties: POLITE_PROPERTIES,
      response: encodePlain(username, password),
    });
    return this.expect(0, 'connection.tune');
  }

  /** The whole handshake, up to connection.open-ok. */
  async openConnection(environment: Environment, options: SessionOptions): Promise<void> {
    await this.login(environment);
    this.send(0, 'connection.tune-ok', options);
    if (options.frameMax !== undefined) this.bodySizeMax = options.frameMax - 8;
    this.send(0, 'connection.open', { virtualHost: '/' });
    await this.expect(0, 'connection.open-ok');
  }

  async openChannel(channel: number): Promise<void> {
    this.send(channel, 'channel.open');
    await this.expect(channel, 'channel.open-ok');
  }

  async closeChannel(channel: number): Promise<void> {
    this.send(channel, 'channel.close', { replyCode: 200, replyText: 'done' });
    await this.expect(channel, 'channel.close-ok');
  }

  /** Declares an exclusive queue; the broker names it. */
  async declareQueue(channel: number): Promise<string> {
    this.send(channel, 'queue.declare', { exclusive: true });
    return (await this.expect(channel, 'queue.declare-ok')).queue;
  }

  /** A basic.get that must find a message; it stays unacked. */
  async get(channel: number, queue: string): Promise<RawMessage> {
    this.send(channel, 'basic.get', { queue });
    const found = await this.expect(channel, 'basic.get-ok');
    const { bodySize, properties } = await this.expectHeader(channel);
    const pieces: Buffer[] = [];
    for (let left = bodySize; left > 0; left -= pieces.at(-1)?.length ?? 0) {
      pieces.push(await this.expectBody(channel));
    }
    return { ...found, properties, body: Buffer.concat(pieces) };
  }

  /** A basic.get that must find nothing. */
  async getEmpty(channel: number, queue: string): Promise<void> {
    this.send(channel, 'basic.get', { queue });
    await this.expect(channel, 'basic.get-empty');
  }

  /** Ends the socket as a client does that crashes. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Says that nothing more will be sent, and still reads. */
  endWriting(): void {
    this.socket.end();
  }

  private receive(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk]);
    while (!this.keepsBytes && this.unread.length >= HEADER_BYTES) {
      const size = this.unread.readUInt32BE(3);
      const end = HEADER_BYTES + size;
      if (this.unread.length <= end) return;
      if (this.unread[end] !== FRAME_END) {
        this.frames.fail(new Error(`a frame of the broker ends with ${this.unread[end]}`));
        return;
      }
      this.frames.put({
        type: this.unread.readUInt8(0),
        channel: this.unread.readUInt16BE(1),
        payload: this.unread.subarray(HEADER_BYTES, end),
      });
      this.unread = this.unread.subarray(end + 1);
    }
  }
}

/** A complete frame. */
export function rawFrame(type: number, channel: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(type, 0);
  header.writeUInt16BE(channel, 1);
  header.writeUInt32BE(payload.length, 3);
  return Buffer.concat([header, payload, Buffer.from([FRAME_END])]);
}

function toServerClose(close: {
  replyCode: number;
  replyText: string;
  classId: number;
  methodId: number;
}): ServerClose {
  const method = methodName(close.classId, close.methodId);
  return { code: close.replyCode, text: close.replyText, method };
}

/** @throws Error when the frame is anything but a connection.close */
function readClose(frame: RawFrame): ServerClose {
  const method = frame.type === FRAME_METHOD ? readMethod(frame.payload) : null;
  if (method?.name === 'connection.close') return toServerClose(method.args);
  throw surprise('connection.close or the end of the socket', frame);
}

function surprise(expected: string, frame: RawFrame): Error {
  return new Error(`expected ${expected}, got ${describe(frame)}`);
}

function describe({ type, channel, payload }: RawFrame): string {
  if (type !== FRAME_METHOD) return `a frame of type ${type} on channel ${channel}`;
  return `on channel ${channel} ${JSON.stringify(readMethod(payload))}`;
}
