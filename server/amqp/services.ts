/** What every AMQP connection is given: made once by the listener, from what the launcher built. */
import type { UserStore } from '../auth/user-store.ts';
import type { Broker } from '../broker/broker.ts';
import type { Config } from '../config/config.ts';
import type { MessageRun } from '../storage/message-run.ts';
import type { Greeting } from './greeting.ts';
import type { HandshakeMemory } from './handshake-memory.ts';
import type { OpenConnections } from './open-connections.ts';
import type { SlabPool } from './output.ts';
import type { RunWriter } from './run-writer.ts';
import type { SocketReader } from './socket-reader.ts';

/** Shared by all connections of a server. */
export interface AmqpServices {
  readonly config: Config;
  readonly broker: Broker;
  readonly users: UserStore;
  readonly slabs: SlabPool;
  /** Used during a call alone. */
  readonly run: MessageRun;
  readonly runWriter: RunWriter;
  readonly handshakes: HandshakeMemory;
  readonly reader: SocketReader;
  readonly openConnections: OpenConnections;
  readonly greeting: Greeting;
}

/** What the launcher gives; the rest is made here. */
export interface LaunchedServices extends Pick<AmqpServices, 'config' | 'broker' | 'users'> {
  /** The server's own version, as clients see it. */
  readonly version: string;
}
