/**
 * Opens many connections in the same instant and takes the time until each is served: connection.open-ok. Each is one
 * socket and one scanner, so that the generator costs little beside the broker.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import {
  ByteReader,
  CONNECTION_CLOSE_ID,
  CONNECTION_OPEN_OK_ID,
  CONNECTION_START_ID,
  CONNECTION_TUNE_ID,
  type ConnectionTune,
  decodeConnectionClose,
  decodeConnectionTune,
  EMPTY_TABLE,
  encodeConnectionOpen,
  encodeConnectionStartOk,
  encodeConnectionTuneOk,
  encodePlain,
  FRAME_METHOD,
  FrameScanner,
  type FrameSink,
  PROTOCOL_HEADER,
  sizeOfConnectionOpen,
  sizeOfConnectionStartOk,
  sizeOfConnectionTuneOk,
} from '../../generated/index.ts';
import type { AmqpUri } from '../amqp/amqp-uri.ts';

const PAYLOAD_MAX = 131_072;
/** One address has some 28,000 ports to connect from; others of loopback have as many again. */
const CONNECTIONS_PER_SOURCE = 10_000;

/** What is to be opened. */
export interface OpenAtOnceOptions {
  readonly uri: AmqpUri;
  readonly count: number;
  /** Those that are not served by then have failed, in milliseconds. */
  readonly limitMs: number;
  /** Speaks TLS, with a server that may show any certificate. */
  readonly isTls?: boolean;
  /** What each sends when it is open: it is served when the last of it is answered. */
  readonly afterOpen?: AfterOpen;
}

/** Requests behind connection.open. */
export interface AfterOpen {
  readonly frames: Buffer;
  /** Class and method of the answer to the last one. */
  readonly answerId: number;
}

/** What came of it. */
export interface OpenAtOnceResult {
  /** From the first connect to each open-ok, ascending, in milliseconds. */
  readonly servedMs: readonly number[];
  /** Why others were not served. */
  readonly failures: readonly string[];
  /** Ends all sockets. */
  close(): Promise<void>;
}

/** Opens them; resolves when each is served or has failed. */
export async function openAtOnce({
  uri,
  count,
  limitMs,
  isTls = false,
  afterOpen,
}: OpenAtOnceOptions): Promise<OpenAtOnceResult> {
  const client: Client = {
    answers: handshakeAnswers(uri),
    secureContext: isTls ? createSecureContext() : null,
    afterOpen: afterOpen ?? null,
  };
  const openings: Opening[] = [];
  const servedMs: number[] = [];
  const failures: string[] = [];
  const fromMs = performance.now();
  await new Promise<void>((resolve) => {
    const settle = (failure: string | null): void => {
      if (failure === null) servedMs.push(performance.now() - fromMs);
      else failures.push(failure);
      if (servedMs.length + failures.length < count) return;
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      for (const opening of openings) opening.giveUp(`not served within ${limitMs} ms`);
    }, limitMs);
    for (let i = 0; i < count; i++) openings.push(new Opening(uri, i, client, settle));
  });
  const close = async (): Promise<void> => {
    await Promise.all(openings.map((opening) => opening.close()));
  };
  return { servedMs, failures, close };
}

/** What every client answers, laid out once. */
interface HandshakeAnswers {
  readonly startOk: Buffer;
  /** tune-ok, which takes what is offered, and open behind it. */
  tuneOkAndOpen(offer: ConnectionTune): Buffer;
}

/** What all connections have in common. */
interface Client {
  readonly answers: HandshakeAnswers;
  /** Null: without TLS. */
  readonly secureContext: SecureContext | null;
  readonly afterOpen: AfterOpen | null;
}

function handshakeAnswers({ username, password, vhost }: AmqpUri): HandshakeAnswers {
  const start = {
    clientProperties: EMPTY_TABLE,
    mechanism: 'PLAIN',
    response: encodePlain(username, password),
    locale: 'en_US',
  };
  const startOk = Buffer.alloc(sizeOfConnectionStartOk(start));
  encodeConnectionStartOk(startOk, 0, 0, start);
  return {
    startOk,
    tuneOkAndOpen: ({ channelMax, frameMax }) => {
      const tune = { channelMax, frameMax, heartbeat: 0 };
      const open = { virtualHost: vhost };
      const tuneOkSize = sizeOfConnectionTuneOk(tune);
      const frames = Buffer.alloc(tuneOkSize + sizeOfConnectionOpen(open));
      encodeConnectionTuneOk(frames, 0, 0, tune);
      encodeConnectionOpen(frames, tuneOkSize, 0, open);
      return frames;
    },
  };
}

/** One connection on its way. */
class Opening implements FrameSink {
  private readonly socket: Socket;
  private readonly client: Client;
  private readonly settle: (failure: string | null) => void;
  private readonly reader = new ByteReader();
  private isSettled = false;

  constructor(
    { host, port }: AmqpUri,
    index: number,
    client: Client,
    settle: (failure: string | null) => void,
  ) {
    this.client = client;
    this.settle = settle;
    const source = Math.floor(index / CONNECTIONS_PER_SOURCE);
    const isLoopback = host.startsWith('127.');
    const options = {
      host,
      port,
      noDelay: true,
      ...(isLoopback && source > 0 ? { localAddress: `127.0.0.${1 + source}` } : {}),
    };
    const { secureContext } = client;
    this.socket =
      secureContext === null
        ? connect(options)
        : connectTls({ ...options, secureContext, rejectUnauthorized: false });
    const scanner = new FrameScanner(this, PAYLOAD_MAX);
    this.socket.on(secureContext === null ? 'connect' : 'secureConnect', () =>
      this.socket.write(PROTOCOL_HEADER),
    );
    this.socket.on('data', (chunk: Buffer) => scanner.scan(chunk, 0, chunk.length));
    this.socket.on('error', (error) => this.end(error.message));
    this.socket.on('close', () => this.end('the broker closed the socket'));
  }

  onFrame(type: number, _channel: number, buf: Buffer, start: number, end: number): number {
    if (type === FRAME_METHOD) this.method(this.reader.reset(buf, start, end));
    return end + 1;
  }

  onBodyPiece(): void {
    this.end('a body comes before the connection is open');
  }

  /** Fails unless it is served already. */
  giveUp(reason: string): void {
    if (this.isSettled) return;
    this.end(reason);
    this.socket.destroy();
  }

  /** Resolves when the socket is closed. */
  close(): Promise<void> {
    const { socket } = this;
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
  }

  private method(reader: ByteReader): void {
    const id = reader.u32();
    const { afterOpen } = this.client;
    if (id === afterOpen?.answerId) {
      this.end(null);
      return;
    }
    switch (id) {
      case CONNECTION_START_ID:
        this.socket.write(this.client.answers.startOk);
        return;
      case CONNECTION_TUNE_ID:
        this.socket.write(this.client.answers.tuneOkAndOpen(decodeConnectionTune(reader)));
        return;
      case CONNECTION_OPEN_OK_ID:
        if (afterOpen === null) this.end(null);
        else this.socket.write(afterOpen.frames);
        return;
      case CONNECTION_CLOSE_ID:
        this.end(decodeConnectionClose(reader).replyText);
    }
  }

  private end(failure: string | null): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.settle(failure);
  }
}
