/**
 * Clients that connect, open a channel, consume from a queue, and then do nothing. Each is one socket and one scanner;
 * what it asks for goes out in one piece behind tune, and is done when consume-ok has come.
 */
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  BASIC_CONSUME_OK_ID,
  ByteReader,
  CHANNEL_CLOSE_ID,
  CONNECTION_CLOSE_ID,
  CONNECTION_START_ID,
  CONNECTION_TUNE_ID,
  decodeChannelClose,
  decodeConnectionClose,
  decodeConnectionTune,
  EMPTY_TABLE,
  encodeBasicConsume,
  encodeChannelOpen,
  encodeConnectionOpen,
  encodeConnectionStartOk,
  encodeConnectionTuneOk,
  encodePlain,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  PROTOCOL_HEADER,
  sizeOfBasicConsume,
  sizeOfChannelOpen,
  sizeOfConnectionOpen,
  sizeOfConnectionStartOk,
  sizeOfConnectionTuneOk,
} from '../../generated/index.ts';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BENCH_CHANNEL } from '../amqp/traffic-scanner.ts';
import type { TlsListener } from '../targets/target.ts';

const PAYLOAD_MAX = 131_072;
/** That many are on their way at a time, so that no listener's backlog overflows. */
const OPENINGS_AT_ONCE = 64;

/** Where they connect, and what they consume. */
export interface IdleClientsOptions {
  readonly uri: AmqpUri;
  /** Over TLS, on this port; null: in the clear, on that of the URI. */
  readonly tls: TlsListener | null;
  readonly queue: string;
  readonly count: number;
}

/** Opens them; resolves with what closes them, when all consume. @throws Error when one is refused */
export async function openIdleClients(options: IdleClientsOptions): Promise<() => void> {
  const sockets: Socket[] = [];
  const closeAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next++ < options.count) {
      const socket = openSocket(options);
      sockets.push(socket);
      await new Promise<void>(
        (resolve, reject) => new IdleClient(options, socket, resolve, reject),
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: OPENINGS_AT_ONCE }, lane));
  } catch (error) {
    closeAll();
    throw error;
  }
  return closeAll;
}

function openSocket({ uri: { host, port }, tls }: IdleClientsOptions): Socket {
  if (tls === null) return connect({ host, port, noDelay: true });
  const options: ConnectionOptions = { host, port: tls.port, ca: tls.ca, servername: 'localhost' };
  return connectTls(options);
}

class IdleClient implements FrameSink {
  private readonly options: IdleClientsOptions;
  private readonly socket: Socket;
  private readonly resolve: () => void;
  private readonly reject: (error: Error) => void;
  private readonly reader: ByteReader;

  constructor(
    options: IdleClientsOptions,
    socket: Socket,
    resolve: () => void,
    reject: (error: Error) => void,
  ) {
    this.options = options;
    this.socket = socket;
    this.resolve = resolve;
    this.reject = reject;
    this.reader = new ByteReader();
    const scanner = new FrameScanner(this, PAYLOAD_MAX);
    socket.on('data', (chunk: Buffer) => scanner.scan(chunk, 0, chunk.length));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the broker closed the socket')));
    socket.write(PROTOCOL_HEADER);
  }

  onFrame(type: number, _channel: number, buf: Buffer, start: number, end: number): number {
    if (type === FRAME_METHOD) this.onMethod(this.reader.reset(buf, start, end));
    return end + 1;
  }

  onBodyPiece(): void {
    this.reject(new Error('a body comes to a client of an empty queue'));
  }

  private onMethod(reader: ByteReader): void {
    switch (reader.u32()) {
      case CONNECTION_START_ID:
        this.socket.write(encodeStartOk(this.options.uri));
        return;
      case CONNECTION_TUNE_ID: {
        const { channelMax, frameMax } = decodeConnectionTune(reader);
        this.socket.write(encodeWishes(this.options, channelMax, frameMax));
        return;
      }
      case BASIC_CONSUME_OK_ID:
        this.resolve();
        return;
      case CHANNEL_CLOSE_ID:
        this.reject(new Error(decodeChannelClose(reader).replyText));
        return;
      case CONNECTION_CLOSE_ID:
        this.reject(new Error(decodeConnectionClose(reader).replyText));
    }
  }
}

function encodeStartOk({ username, password }: AmqpUri): Buffer {
  const startOk = {
    clientProperties: EMPTY_TABLE,
    mechanism: 'PLAIN',
    response: encodePlain(username, password),
    locale: 'en_US',
  };
  const frame = Buffer.allocUnsafe(sizeOfConnectionStartOk(startOk));
  encodeConnectionStartOk(frame, 0, 0, startOk);
  return frame;
}

/** tune-ok, connection.open, channel.open and basic.consume, one behind the other. */
function encodeWishes(
  { uri, queue }: IdleClientsOptions,
  channelMax: number,
  frameMax: number,
): Buffer {
  const tuneOk = { channelMax, frameMax, heartbeat: 0 };
  const open = { virtualHost: uri.vhost };
  const consume = {
    ...{ queue, consumerTag: 'c', noLocal: false, noAck: false, exclusive: false },
    ...{ noWait: false, arguments: EMPTY_TABLE },
  };
  const frames = Buffer.allocUnsafe(
    sizeOfConnectionTuneOk(tuneOk) +
      sizeOfConnectionOpen(open) +
      sizeOfChannelOpen() +
      sizeOfBasicConsume(consume),
  );
  let at = encodeConnectionTuneOk(frames, 0, 0, tuneOk);
  at = encodeConnectionOpen(frames, at, 0, open);
  at = encodeChannelOpen(frames, at, BENCH_CHANNEL);
  encodeBasicConsume(frames, at, BENCH_CHANNEL, consume);
  return frames;
}
