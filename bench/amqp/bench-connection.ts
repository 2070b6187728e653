/**
 * One connection of the load generator: socket, handshake, one call at a time, and a fast way past both
 * for the traffic that is measured.
 *
 * Invariants
 * - One read buffer, filled by the socket again and again, of the connection alone or shared by many; what a
 *   TrafficSink sees of it is borrowed until its function returns.
 * - What a paused connection has read and not handed on stays in the buffer, so such a one has its own.
 * - A close by the broker, a refused login or malformed bytes end the connection with one Error, which
 *   every later call rejects with, and `whenFailed` resolves with.
 *
 * It knows no heartbeats (it asks for none), and at most one call in flight.
 */
import type { Socket } from 'node:net';
import {
  type ByteReader,
  CHANNEL_CLOSE_ID,
  CHANNEL_CLOSE_OK_ID,
  CHANNEL_OPEN_OK_ID,
  CONNECTION_CLOSE_ID,
  CONNECTION_CLOSE_OK_ID,
  CONNECTION_OPEN_OK_ID,
  CONNECTION_START_ID,
  CONNECTION_TUNE_ID,
  type ConnectionStart,
  decodeChannelClose,
  decodeConnectionClose,
  decodeConnectionStart,
  decodeConnectionTune,
  encodeChannelClose,
  encodeChannelCloseOk,
  encodeChannelOpen,
  encodeConnectionClose,
  encodeConnectionCloseOk,
  encodeConnectionOpen,
  encodeConnectionStartOk,
  encodeConnectionTuneOk,
  encodePlain,
  REPLY_SUCCESS,
  sizeOfChannelClose,
  sizeOfChannelCloseOk,
  sizeOfChannelOpen,
  sizeOfConnectionClose,
  sizeOfConnectionCloseOk,
  sizeOfConnectionOpen,
  sizeOfConnectionStartOk,
  sizeOfConnectionTuneOk,
  toFieldTable,
  toPlainTable,
} from '../../generated/index.ts';
import type { AmqpUri } from './amqp-uri.ts';
import { openSocket, type SocketOptions } from './open-socket.ts';
import {
  BENCH_CHANNEL,
  type TrafficConnection,
  TrafficScanner,
  type TrafficSink,
} from './traffic-scanner.ts';

const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
/** The read buffer: some thousand small messages per system call, and still in the second-level cache. */
const READ_BUFFER_BYTES = 256 * 1024;
const NO_METHOD = { classId: 0, methodId: 0 };

/** A read buffer as connections have it that are given none. */
export function createReadBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
}

interface PendingCall {
  readonly replyId: number;
  readonly resolve: (reader: ByteReader) => void;
  readonly reject: (error: Error) => void;
}

/** What a pause has left unread of a read. */
interface HeldBytes {
  readonly buffer: Buffer;
  readonly at: number;
  readonly size: number;
}

/** A connection with one open channel. */
export class BenchConnection implements TrafficConnection {
  /** Largest frame negotiated, in octets with its frame header and end; 0: no limit. */
  frameMax: number;
  /** Product and version as the broker names them. */
  broker: string;
  readonly whenFailed: Promise<Error>;
  private readonly socket: Socket;
  private readonly scanner: TrafficScanner;
  private pending: PendingCall | null;
  private failure: Error | null;
  /** It reads nothing more. */
  private isDeaf: boolean;
  private resolveFailed: (error: Error) => void;
  private wakeWriter: (() => void) | null;
  private readonly afterWrite: (error?: Error | null) => void;
  private isPaused: boolean;
  private held: HeldBytes | null;

  private constructor(uri: AmqpUri, options: SocketOptions) {
    this.frameMax = 0;
    this.broker = '';
    this.scanner = new TrafficScanner((methodId, reader) => this.onReply(methodId, reader));
    this.pending = null;
    this.failure = null;
    this.isDeaf = false;
    this.resolveFailed = () => {};
    this.whenFailed = new Promise((resolve) => {
      this.resolveFailed = resolve;
    });
    this.wakeWriter = null;
    // Not the drain event: it comes after every large write, also one taken at once, and never after a
    // small one.
    this.afterWrite = (error) => {
      if (error) this.fail(error);
      if (this.wakeWriter === null || !this.isWritable) return;
      const wake = this.wakeWriter;
      this.wakeWriter = null;
      wake();
    };
    this.isPaused = false;
    this.held = null;
    this.socket = openSocket(uri, options, (buffer, size) => this.onRead(buffer, 0, size));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the broker closed the socket')));
  }

  /**
   * Connects, logs in with PLAIN and opens the channel.
   *
   * @param options a read buffer that many connections share; the address to connect from
   * @throws Error when the broker cannot be reached or refuses; it carries the broker's reply text.
   */
  static async open(
    uri: AmqpUri,
    connectionName: string,
    options: Partial<SocketOptions> = {},
  ): Promise<BenchConnection> {
    const { readBuffer = createReadBuffer(), localAddress = null } = options;
    const connection = new BenchConnection(uri, { readBuffer, localAddress });
    try {
      await connection.handshake(uri, connectionName);
    } catch (error) {
      connection.socket.destroy();
      throw error;
    }
    return connection;
  }

  /** Never again once the connection has failed, so that producers come to rest. */
  get isWritable(): boolean {
    return this.socket.writableLength === 0 && this.failure === null;
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes, this.afterWrite);
  }

  onceWritable(wake: () => void): void {
    this.wakeWriter = wake;
  }

  setTraffic(traffic: TrafficSink): void {
    this.scanner.traffic = traffic;
  }

  pauseTraffic(): void {
    this.isPaused = true;
    this.scanner.requestStop();
  }

  resumeTraffic(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const held = this.held;
    this.held = null;
    if (held !== null) this.onRead(held.buffer, held.at, held.size);
    if (!this.isPaused) this.socket.resume();
  }

  /**
   * Sends one method frame and waits for its reply, which is decoded where it lies.
   *
   * @throws Error when the broker closes the channel or connection instead.
   */
  call<Reply>(
    frame: Uint8Array,
    replyId: number,
    decode: (reader: ByteReader) => Reply,
  ): Promise<Reply> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.pending = { replyId, resolve: (reader) => resolve(decode(reader)), reject };
      this.socket.write(frame);
    });
  }

  /** What `promise` resolves to, unless the connection fails before: then its error. */
  whileOpen<Result>(promise: Promise<Result>): Promise<Result> {
    return Promise.race([promise, this.whenFailed.then((error) => Promise.reject(error))]);
  }

  /** Resolves when the socket has taken everything written so far. */
  async whenWritable(): Promise<void> {
    if (this.failure !== null) throw this.failure;
    if (this.isWritable) return;
    await this.whileOpen(new Promise<void>((resolve) => this.onceWritable(resolve)));
  }

  /** Opens a channel beside the one that is open already. */
  async openChannel(channel: number): Promise<void> {
    const frame = Buffer.allocUnsafe(sizeOfChannelOpen());
    encodeChannelOpen(frame, 0, channel);
    await this.call(frame, CHANNEL_OPEN_OK_ID, ignoreReply);
  }

  async closeChannel(channel: number = BENCH_CHANNEL): Promise<void> {
    const close = { replyCode: REPLY_SUCCESS, replyText: '', ...NO_METHOD };
    const frame = Buffer.allocUnsafe(sizeOfChannelClose(close));
    encodeChannelClose(frame, 0, channel, close);
    await this.call(frame, CHANNEL_CLOSE_OK_ID, ignoreReply);
  }

  /** Closes the connection; never rejects. */
  async close(): Promise<void> {
    if (this.failure === null && !this.isDeaf) {
      const close = { replyCode: REPLY_SUCCESS, replyText: '', ...NO_METHOD };
      const frame = Buffer.allocUnsafe(sizeOfConnectionClose(close));
      encodeConnectionClose(frame, 0, 0, close);
      const closed = this.call(frame, CONNECTION_CLOSE_OK_ID, ignoreReply);
      await Promise.race([closed.catch(() => {}), this.whenFailed]);
    }
    this.socket.destroy();
  }

  /** Reads nothing more, as a client that hangs; {@link close} then drops the socket without a word. */
  stopReading(): void {
    this.isDeaf = true;
    this.socket.pause();
  }

  /** Returns whether reading goes on. */
  private onRead(buffer: Buffer, from: number, size: number): boolean {
    try {
      const at = this.scanner.scan(buffer, size, from);
      if (at < size) this.held = { buffer, at, size };
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
    return !this.isPaused;
  }

  private onReply(methodId: number, reader: ByteReader): void {
    if (methodId === CONNECTION_CLOSE_ID) {
      const { replyCode, replyText } = decodeConnectionClose(reader);
      const ok = Buffer.allocUnsafe(sizeOfConnectionCloseOk());
      encodeConnectionCloseOk(ok, 0, 0);
      this.socket.write(ok);
      this.fail(new Error(`the broker closed the connection: ${replyCode} ${replyText}`));
    } else if (methodId === CHANNEL_CLOSE_ID) {
      const { replyCode, replyText } = decodeChannelClose(reader);
      const ok = Buffer.allocUnsafe(sizeOfChannelCloseOk());
      encodeChannelCloseOk(ok, 0, BENCH_CHANNEL);
      this.socket.write(ok);
      this.fail(new Error(`the broker closed the channel: ${replyCode} ${replyText}`));
    } else if (this.pending !== null && methodId === this.pending.replyId) {
      this.pending.resolve(reader);
      this.pending = null;
    } else {
      const name = `${methodId >>> 16}.${methodId & 0xffff}`;
      this.fail(new Error(`the broker sent method ${name}, which nobody asked for`));
    }
  }

  private fail(error: Error): void {
    if (this.failure !== null) return;
    this.failure = error;
    this.pending?.reject(error);
    this.pending = null;
    this.resolveFailed(error);
    this.socket.end();
  }

  private async handshake(uri: AmqpUri, connectionName: string): Promise<void> {
    const start = await this.call(PROTOCOL_HEADER, CONNECTION_START_ID, decodeConnectionStart);
    this.broker = nameBroker(start);
    const tune = await this.call(
      encodeStartOk(uri, connectionName),
      CONNECTION_TUNE_ID,
      decodeConnectionTune,
    );
    this.frameMax = tune.frameMax;
    const tuneOk = { channelMax: tune.channelMax, frameMax: tune.frameMax, heartbeat: 0 };
    const open = { virtualHost: uri.vhost };
    const tuneOkAndOpen = Buffer.allocUnsafe(
      sizeOfConnectionTuneOk(tuneOk) + sizeOfConnectionOpen(open),
    );
    const at = encodeConnectionTuneOk(tuneOkAndOpen, 0, 0, tuneOk);
    encodeConnectionOpen(tuneOkAndOpen, at, 0, open);
    await this.call(tuneOkAndOpen, CONNECTION_OPEN_OK_ID, ignoreReply);
    await this.openChannel(BENCH_CHANNEL);
  }
}

/** For replies of which nothing is needed but that they came. */
export function ignoreReply(): void {}

function encodeStartOk(uri: AmqpUri, connectionName: string): Buffer {
  const startOk = {
    clientProperties: toFieldTable({
      product: 'firnmqperf',
      connection_name: connectionName,
      capabilities: {
        authentication_failure_close: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        publisher_confirms: true,
      },
    }),
    mechanism: 'PLAIN',
    response: encodePlain(uri.username, uri.password),
    locale: 'en_US',
  };
  const frame = Buffer.allocUnsafe(sizeOfConnectionStartOk(startOk));
  encodeConnectionStartOk(frame, 0, 0, startOk);
  return frame;
}

function nameBroker(start: ConnectionStart): string {
  const { product, version } = toPlainTable(start.serverProperties);
  return `${typeof product === 'string' ? product : 'unknown'} ${typeof version === 'string' ? version : ''}`.trim();
}
