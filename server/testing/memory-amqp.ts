/**
 * A broker with its AMQP connections in one process, without sockets: clients and server take turns that a test
 * counts. Nothing here waits for time.
 */
import type { AnyMethod } from '../../generated/index.ts';
import { Connection } from '../amqp/connection.ts';
import { UserStore } from '../auth/user-store.ts';
import { Broker } from '../broker/broker.ts';
import type { Vhost } from '../broker/vhost.ts';
import { VhostStore } from '../broker/vhost-store.ts';
import { createConfig } from '../config/config.ts';
import { createSilentLogger } from '../telemetry/logger.ts';
import { MemoryClient } from './crash/memory-client.ts';
import { memoryServices } from './memory-services.ts';
import { SimulatedFs } from './simulated-fs.ts';
import type { Teardown } from './temporary-directory.ts';

const DIRECTORY = '/data';
const FRAME_MAX = 131_072;
/** Turns that a test may take for anything. */
const TURNS_MAX = 20_000;

/** What a client has heard, in order. */
export interface HeardMethod {
  readonly name: AnyMethod['name'];
  readonly method: AnyMethod;
  readonly body: Buffer;
}

/** A client, its connection, and what it has heard. */
export interface MemorySession {
  readonly client: MemoryClient;
  readonly connection: Connection;
  readonly heard: HeardMethod[];
  /** Those of one kind. */
  of(name: AnyMethod['name']): HeardMethod[];
}

/** The broker and its loop. */
export interface MemoryAmqp {
  readonly vhost: Vhost;
  /** A new connection to the vhost `/`, open; `heartbeat` in seconds. */
  connect(options?: { readonly heartbeat?: number }): Promise<MemorySession>;
  /** Lets the loop turn so often. */
  turns(count: number): Promise<void>;
  /** Lets it turn until something is so; the number of turns. @throws Error when that never comes */
  until(isDone: () => boolean): Promise<number>;
}

/** Opens an empty broker; it ends with the test. */
export async function openMemoryAmqp(t: Teardown): Promise<MemoryAmqp> {
  const fs = new SimulatedFs();
  fs.makeDirectory(DIRECTORY);
  const config = createConfig({ dataDir: DIRECTORY });
  const users = await UserStore.load(fs, DIRECTORY, config);
  const logger = createSilentLogger();
  const broker = new Broker(fs, await VhostStore.load(fs, DIRECTORY), logger);
  const services = memoryServices({ config, users, broker });
  const sessions: MemorySession[] = [];
  t.teardown(async () => {
    for (const { client } of sessions) client.drop();
    await turns(1);
    await broker.close();
  });
  const until = async (isDone: () => boolean): Promise<number> => {
    for (let count = 0; count < TURNS_MAX; count++) {
      if (isDone()) return count;
      await turns(1);
    }
    throw new Error(`it did not come in ${TURNS_MAX} turns`);
  };
  return {
    vhost: broker.vhosts.get('/')!,
    turns,
    until,
    async connect({ heartbeat = 0 } = {}) {
      const heard: HeardMethod[] = [];
      const client = new MemoryClient({
        method: (_channel, method, body) => heard.push({ name: method.name, method, body }),
        closed: () => {},
      });
      const events = { closed: () => {} };
      const connection = new Connection(client.socket.asTransport, services, events, logger);
      const of = (name: AnyMethod['name']) => heard.filter((each) => each.name === name);
      const session = { client, connection, heard, of };
      sessions.push(session);
      client.open(FRAME_MAX, heartbeat);
      await until(() => of('connection.open-ok').length > 0);
      return session;
    },
  };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
