/**
 * The broker under test, as one scenario sees it. Every connection opened here is closed, and every
 * queue and exchange named here is deleted, when the scenario ends.
 */
import { randomBytes } from 'node:crypto';
import { type ChannelModel, type ConfirmChannel, connect, type SocketOptions } from 'amqplib';
import type { Test } from 'tap';
import type { TargetName } from '../targets.ts';
import { within } from './deadline.ts';
import type { Environment } from './environment.ts';
import { RawClient, type SessionOptions } from './raw-client.ts';

/** What a scenario may choose for an amqplib connection. */
export interface ConnectOptions {
  readonly username?: string;
  readonly password?: string;
  readonly heartbeat?: number;
  readonly frameMax?: number;
  readonly channelMax?: number;
  readonly credentials?: SocketOptions['credentials'];
  readonly clientProperties?: Record<string, unknown>;
}

/** A connection and a channel of its own. */
export interface Session {
  readonly connection: ChannelModel;
  readonly channel: ConfirmChannel;
}

const RUN = randomBytes(4).toString('hex');
let namesGiven = 0;

export class Broker {
  readonly environment: Environment;
  private readonly t: Test;
  private readonly queues: string[] = [];
  private readonly exchanges: string[] = [];

  constructor(t: Test, environment: Environment) {
    this.t = t;
    this.environment = environment;
    t.teardown(() => this.deleteNamed());
  }

  get target(): TargetName {
    return this.environment.target;
  }

  /** A new queue name, unique over runs; the queue is deleted after the scenario. */
  queueName(hint: string): string {
    const name = uniqueName(hint);
    this.queues.push(name);
    return name;
  }

  /** A new exchange name, unique over runs; the exchange is deleted after the scenario. */
  exchangeName(hint: string): string {
    const name = uniqueName(hint);
    this.exchanges.push(name);
    return name;
  }

  async connect(options: ConnectOptions = {}): Promise<ChannelModel> {
    const connection = await this.open(options);
    this.t.teardown(() => closeQuietly(connection));
    return connection;
  }

  /** A connection with one channel in confirm mode. */
  async session(options: ConnectOptions = {}): Promise<Session> {
    const connection = await this.connect(options);
    return { connection, channel: await openChannel(connection) };
  }

  /** A channel in confirm mode, on a connection of its own. */
  async channel(options: ConnectOptions = {}): Promise<ConfirmChannel> {
    return (await this.session(options)).channel;
  }

  /** A bare TCP connection that has sent nothing. */
  async raw(): Promise<RawClient> {
    const client = await RawClient.connect(this.environment);
    this.t.teardown(() => client.destroy());
    return client;
  }

  /** A raw connection behind connection.open-ok. */
  async rawConnection(options: SessionOptions = {}): Promise<RawClient> {
    const client = await this.raw();
    await client.openConnection(this.environment, options);
    return client;
  }

  /** A raw connection with channel 1 open. */
  async rawChannel(options: SessionOptions = {}): Promise<RawClient> {
    const client = await this.rawConnection(options);
    await client.openChannel(1);
    return client;
  }

  private open(options: ConnectOptions): Promise<ChannelModel> {
    const { isTls, hostname, port, username, password } = this.environment;
    const { credentials, clientProperties, ...chosen } = options;
    const target = {
      protocol: isTls ? 'amqps' : 'amqp',
      hostname,
      port,
      username,
      password,
      vhost: '/',
      heartbeat: 0,
      ...chosen,
    };
    const socketOptions = {
      noDelay: true,
      ...(isTls ? { servername: hostname } : {}),
      ...(credentials === undefined ? {} : { credentials }),
      ...(clientProperties === undefined ? {} : { clientProperties }),
    };
    const opening = connect(target, socketOptions).then((connection) => {
      connection.on('error', () => undefined); // a scenario that expects one listens itself
      return connection;
    });
    return within(opening, 'connection.open-ok');
  }

  private async deleteNamed(): Promise<void> {
    if (this.queues.length + this.exchanges.length === 0) return;
    const connection = await this.open({});
    const channel = await openChannel(connection);
    for (const queue of this.queues) await channel.deleteQueue(queue);
    for (const exchange of this.exchanges) await channel.deleteExchange(exchange);
    await closeQuietly(connection);
  }
}

/** Another channel in confirm mode, whose errors nobody has to listen for. */
export async function openChannel(connection: ChannelModel): Promise<ConfirmChannel> {
  const channel = await within(connection.createConfirmChannel(), 'channel.open-ok');
  channel.on('error', () => undefined);
  return channel;
}

/** A name that no other scenario and no earlier run uses. */
export function uniqueName(hint: string): string {
  namesGiven += 1;
  return `${hint}-${RUN}-${namesGiven}`;
}

/** Closes a connection that the scenario may have closed or broken already. */
async function closeQuietly(connection: ChannelModel): Promise<void> {
  try {
    await within(connection.close(), 'connection.close-ok');
  } catch {
    // Closed already: what the scenario checks, it checks itself.
  }
}
