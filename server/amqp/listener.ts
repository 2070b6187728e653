/**
 * Accepts AMQP connections, keeps them, and ticks for all of them: heartbeats and deadlines cost one timer per
 * server.
 */
import type { Server } from 'node:net';
import type { ListenError, ListenerAddress, Listening } from '../base/listen-on-addresses.ts';
import { MessageRun } from '../storage/message-run.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Arrivals } from './arrivals.ts';
import { Connection } from './connection.ts';
import { openDoors } from './doors.ts';
import { Greeting } from './greeting.ts';
import { HandshakeMemory } from './handshake-memory.ts';
import { OpenConnections } from './open-connections.ts';
import { SlabPool } from './output.ts';
import { ProxyTrust } from './proxy-trust.ts';
import { RunWriter } from './run-writer.ts';
import type { AmqpServices, LaunchedServices } from './services.ts';
import { SocketReader } from './socket-reader.ts';
import { TlsAcceptor } from './tls-acceptor.ts';
import type { Transport } from './transport.ts';

/** How often heartbeats and deadlines are looked at. */
const TICK_MS = 250;
/** Garbage that a connection leaves, about, in bytes: its socket, a channel, a consumer; and over TLS what OpenSSL has. */
const CONNECTION_GARBAGE = 7000;
const TLS_CONNECTION_GARBAGE = 35_000;
/** How long clients may take to answer the close of a stopping server. */
const STOP_TIMEOUT_MS = 5000;

/** What a listener holds together. */
interface Parts {
  readonly arrivals: Arrivals;
  /** Null without AMQPS. */
  readonly tls: TlsAcceptor | null;
  readonly connections: Set<Connection>;
  readonly slabs: SlabPool;
  readonly runWriter: RunWriter;
  readonly end: End;
}

/** What has closed, and who waits for the last connection to do so. */
interface End {
  whenEmpty: (() => void) | null;
  /** What those that closed since the last look have left, about, in bytes. */
  garbageBytes: number;
}

/** The AMQP side of a server. */
export class AmqpListener {
  /** Where it listens. */
  readonly addresses: readonly ListenerAddress[];
  /** Addresses that this machine does not have. */
  readonly skipped: readonly ListenError[];
  private readonly servers: readonly Server[];
  private readonly arrivals: Arrivals;
  private readonly tls: TlsAcceptor | null;
  private readonly connections: Set<Connection>;
  private readonly slabs: SlabPool;
  private readonly runWriter: RunWriter;
  private readonly ticker: NodeJS.Timeout;
  private readonly end: End;

  private constructor(
    listening: readonly Listening<Server>[],
    skipped: readonly ListenError[],
    { arrivals, tls, connections, slabs, runWriter, end }: Parts,
  ) {
    this.addresses = listening.map(({ protocol, address, port }) => ({ protocol, address, port }));
    this.skipped = skipped;
    this.servers = listening.map(({ server }) => server);
    this.arrivals = arrivals;
    this.tls = tls;
    this.connections = connections;
    this.slabs = slabs;
    this.runWriter = runWriter;
    this.end = end;
    this.ticker = setInterval(() => this.tick(), TICK_MS);
  }

  /**
   * Listens on all configured addresses.
   *
   * @throws ListenError when it cannot, ConfigError when a certificate cannot be used
   */
  static async start(services: LaunchedServices, logger: Logger): Promise<AmqpListener> {
    const { config } = services;
    const slabs = new SlabPool();
    const runWriter = new RunWriter();
    const reader = new SocketReader(services.broker.reactor);
    const openConnections = new OpenConnections(config.connectionsMax);
    const handshakes = new HandshakeMemory();
    const shared: AmqpServices = {
      ...services,
      slabs,
      run: new MessageRun(),
      runWriter,
      reader,
      openConnections,
      handshakes,
      greeting: new Greeting(services.version),
    };
    const connections = new Set<Connection>();
    // Connections come and go from the first listening socket on, while the others are being opened.
    const end: End = { whenEmpty: null, garbageBytes: 0 };
    const eventsLeaving = (garbageBytes: number) => ({
      closed: (connection: Connection) => {
        connections.delete(connection);
        end.garbageBytes += garbageBytes;
        if (connections.size === 0) end.whenEmpty?.();
      },
    });
    const events = eventsLeaving(CONNECTION_GARBAGE);
    const tlsEvents = eventsLeaving(TLS_CONNECTION_GARBAGE);
    const connect = (transport: Transport) => {
      // Only over TLS there is something to know of a certificate.
      const heard = transport.identity === null ? events : tlsEvents;
      connections.add(new Connection(transport, shared, heard, logger));
    };
    const servesTls = config.tlsCertPath !== null && config.amqpsPort !== null;
    const tls = servesTls ? await TlsAcceptor.load(config, logger) : null;
    const trusted = config.proxyProtocolTrustedSources;
    const arrivals = new Arrivals({
      tls,
      proxyTrust: trusted.length > 0 ? new ProxyTrust(trusted) : null,
      believesCommonName: config.proxyProtocolCommonName,
      handshakeTimeoutMs: config.handshakeTimeoutMs,
      connect,
      logger,
    });
    const { listening, skipped } = await openDoors(config, servesTls, arrivals);
    const parts = { arrivals, tls, connections, slabs, runWriter, end };
    return new AmqpListener(listening, skipped, parts);
  }

  /** Reads certificates and keys again, where there are any; what is connected stays as it is. */
  reloadCertificates(): void {
    this.tls?.reload();
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Memory of unsent output and of bodies that come in pieces, in bytes. */
  get outputBytes(): number {
    return this.slabs.usedBytes;
  }

  /**
   * Lets go of memory that nobody needs at rest; returns how much, and what connections that closed have left, in bytes.
   * Free with the next collection.
   */
  rest(): number {
    let bytes = this.slabs.trim() + this.end.garbageBytes;
    this.end.garbageBytes = 0;
    this.runWriter.rest();
    for (const connection of this.connections) bytes += connection.rest();
    return bytes;
  }

  /** Memory that connections hold besides output, in bytes; asks every one. */
  connectionBytes(): number {
    let bytes = 0;
    for (const connection of this.connections) bytes += connection.memoryBytes;
    return bytes;
  }

  /** Accepts no more, closes all connections politely, and waits until they are gone. */
  async stop(): Promise<void> {
    for (const server of this.servers) server.close();
    this.arrivals.destroyAll();
    const empty = new Promise<void>((resolve) => {
      this.end.whenEmpty = resolve;
    });
    const timeout = setTimeout(() => this.destroyAll(), STOP_TIMEOUT_MS);
    for (const connection of [...this.connections]) connection.shutDown();
    if (this.connections.size > 0) await empty;
    clearTimeout(timeout);
    clearInterval(this.ticker);
  }

  private destroyAll(): void {
    for (const connection of [...this.connections]) connection.destroy();
  }

  private tick(): void {
    const nowMs = performance.now();
    this.arrivals.tick(nowMs);
    for (const connection of this.connections) connection.tick(nowMs);
  }
}
