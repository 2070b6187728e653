/**
 * Accepts AMQP connections, keeps them, and ticks for all of them: heartbeats and deadlines cost one timer per
 * server.
 */
import { createServer, type Server } from 'node:net';
import {
  type ListenError,
  type ListenerAddress,
  type Listening,
  listenOnAddresses,
} from '../base/listen-on-addresses.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Connection } from './connection.ts';
import { OpenConnections } from './open-connections.ts';
import { SlabPool } from './output.ts';
import type { AmqpServices } from './services.ts';
import { SocketReader } from './socket-reader.ts';

/** How often heartbeats and deadlines are looked at. */
const TICK_MS = 250;
/** How long clients may take to answer the close of a stopping server. */
const STOP_TIMEOUT_MS = 5000;

/** The AMQP side of a server. */
export class AmqpListener {
  /** Where it listens. */
  readonly addresses: readonly ListenerAddress[];
  /** Addresses that this machine does not have. */
  readonly skipped: readonly ListenError[];
  private readonly servers: readonly Server[];
  private readonly connections: Set<Connection>;
  private readonly slabs: SlabPool;
  private readonly ticker: NodeJS.Timeout;
  private whenEmpty: (() => void) | null;

  private constructor(
    listening: readonly Listening<Server>[],
    skipped: readonly ListenError[],
    connections: Set<Connection>,
    slabs: SlabPool,
  ) {
    this.addresses = listening.map(({ protocol, address, port }) => ({ protocol, address, port }));
    this.skipped = skipped;
    this.servers = listening.map(({ server }) => server);
    this.connections = connections;
    this.slabs = slabs;
    this.whenEmpty = null;
    this.ticker = setInterval(() => this.tick(), TICK_MS);
  }

  /**
   * Listens on all configured addresses.
   *
   * @throws ListenError when it cannot
   */
  static async start(
    services: Omit<AmqpServices, 'slabs' | 'reader' | 'openConnections'>,
    logger: Logger,
  ): Promise<AmqpListener> {
    const { config } = services;
    const slabs = new SlabPool();
    const reader = new SocketReader();
    const openConnections = new OpenConnections(config.connectionsMax);
    const shared: AmqpServices = { ...services, slabs, reader, openConnections };
    const connections = new Set<Connection>();
    const events = {
      closed: (connection: Connection) => {
        connections.delete(connection);
        if (connections.size === 0) started.whenEmpty?.();
      },
    };
    const accept = () =>
      createServer((socket) => connections.add(new Connection(socket, shared, events, logger)));
    const { listening, skipped } = await listenOnAddresses(
      'amqp',
      config.amqpBindAddresses ?? config.bindAddresses,
      config.amqpPort,
      accept,
    );
    const started = new AmqpListener(listening, skipped, connections, slabs);
    return started;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Memory of unsent output, in bytes. */
  get outputBytes(): number {
    return this.slabs.usedBytes;
  }

  /** Lets go of output memory that nobody uses; returns how much, in bytes. Free with the next collection. */
  rest(): number {
    return this.slabs.trim();
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
    const empty = new Promise<void>((resolve) => {
      this.whenEmpty = resolve;
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
    for (const connection of this.connections) connection.tick(nowMs);
  }
}
