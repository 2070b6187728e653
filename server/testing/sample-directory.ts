/**
 * A small data directory with something of everything in it, as a server leaves it: for the tests of the tools, and
 * for the fixtures that later versions must be able to read (make-fixtures.ts).
 */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as amqp from '../../generated/index.ts';
import { hashPassword } from '../auth/password-hash.ts';
import { Permissions } from '../auth/permissions.ts';
import { encodeUsers, USERS_FILE } from '../auth/user-document.ts';
import { encodeVhosts, VHOSTS_FILE } from '../broker/vhost-document.ts';
import { INLINE_BODY_SIZE_MAX } from '../storage/large-files.ts';
import * as frames from './client-frames.ts';
import { RawClient } from './raw-client.ts';
import { startAmqp } from './start-amqp.ts';
import { type Teardown, temporaryDirectory } from './temporary-directory.ts';

/** How the server ended: in order, or in the middle of work. */
export type SampleEnding = 'stopped' | 'killed';

/** One message that must be there afterwards. */
export interface SampleMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly properties: amqp.BasicProperties;
  /** Whether it had been with a consumer. */
  readonly wasDelivered: boolean;
}

/** What a start must find: the durable queues of each vhost with their messages. */
export type SampleContent = Readonly<
  Record<string, Readonly<Record<string, readonly SampleMessage[]>>>
>;

const ALL = new Permissions({ configure: '.*', write: '.*', read: '.*' });
const VHOSTS = ['/', 'other'];

const PROPERTIES: amqp.BasicProperties = {
  contentType: 'text/plain',
  contentEncoding: 'utf-8',
  headers: amqp.toFieldTable({
    text: 'ünï',
    number: 42,
    large: 2n ** 60n,
    half: 0.5,
    yes: true,
    nothing: null,
    bytes: Buffer.from([0, 0xff]),
    when: new Date(1_700_000_000_000),
    list: ['a', { deep: 1 }],
  }),
  deliveryMode: 2,
  priority: 3,
  correlationId: 'correlation',
  replyTo: 'reply',
  expiration: '86400000',
  messageId: 'id-1',
  timestamp: 1_700_000_000,
  type: 'sample',
  userId: 'guest',
  appId: 'test',
};

const NOT_TEXT = Buffer.from([0xff, 0x00, 0x80, 0x0a]);
const LONG = Buffer.alloc(300, 'long ');
/** Too large for its record: it lies in a file of its own. */
export const SAMPLE_LARGE_BODY: Buffer = Buffer.alloc(INLINE_BODY_SIZE_MAX + 3, 'large body ');

function message(
  exchange: string,
  routingKey: string,
  body: string | Buffer,
  properties: amqp.BasicProperties = {},
  wasDelivered: boolean = false,
): SampleMessage {
  return { exchange, routingKey, body: Buffer.from(body), properties, wasDelivered };
}

const TASK = message('logs', 'task.1', 'first task', PROPERTIES);
const BINARY = message('logs', 'task.2', NOT_TEXT);
const EMPTY = message('logs', 'other.ü', '');
const FANNED = message('inner', '', 'to all by another exchange', { deliveryMode: 1 });
const LATE = message('logs', 'task.late', LONG);

/** What is in the directory, whatever the ending. */
export const SAMPLE_CONTENT: SampleContent = {
  '/': {
    tasks: [TASK, BINARY, LATE],
    everything: [TASK, BINARY, EMPTY, FANNED, LATE],
    held: [
      message('', 'held', 'm1 came back', {}, true),
      message('', 'held', 'm2 with a consumer', {}, true),
      message('', 'held', 'm3'),
    ],
    purged: [
      message('', 'purged', 'with a consumer', {}, true),
      message('', 'purged', 'after the purge'),
    ],
    large: [
      message('', 'large', SAMPLE_LARGE_BODY, { messageId: 'large' }),
      message('', 'large', 'behind the large one'),
    ],
    'no messages': [],
  },
  other: { 'second vhost': [message('', 'second vhost', 'elsewhere')] },
};

/** Fills `directory`, which must be empty or missing. The server that did it has ended. */
export async function writeSampleDirectory(
  t: Teardown,
  directory: string,
  ending: SampleEnding,
): Promise<void> {
  const workDirectory = temporaryDirectory(t);
  writeDocuments(workDirectory);
  const server = await startAmqp(t, {
    config: { dataDir: workDirectory },
    // Zeros behind the log, but few: fixtures are small.
    tuning: { limits: { layOutBytes: 4096 } },
  });
  const client = await SampleClient.open(t, server.port, '/');
  await client.declareTopology();
  await client.publishFirst();
  await client.emptyQueues();
  const { vhost } = server;
  await vhost.store.checkpoint(vhost, false);
  await client.consume();
  // Confirmed, so all that was acked and given back before is on the disk as well.
  await client.publish(LATE, message('', 'transient', 'not kept'));
  const other = await SampleClient.open(t, server.port, 'other');
  await other.call(
    'queue.declare-ok',
    frames.queueDeclare(1, { queue: 'second vhost', durable: true }),
  );
  await other.publish(message('', 'second vhost', 'elsewhere'));
  if (ending === 'stopped') await server.stop();
  // All was confirmed or answered, and nothing moves: the files are as a kill would leave them.
  cpSync(workDirectory, directory, { recursive: true });
  await server.stop();
}

/** A sample directory of its own for a test. */
export async function sampleDirectory(t: Teardown, ending: SampleEnding): Promise<string> {
  const directory = temporaryDirectory(t);
  await writeSampleDirectory(t, directory, ending);
  return directory;
}

function writeDocuments(directory: string): void {
  const guest = {
    name: 'guest',
    passwordHash: hashPassword('guest'),
    tags: ['administrator'],
    permissions: new Map(VHOSTS.map((vhost) => [vhost, ALL])),
  };
  const nobody = { name: 'nobody', passwordHash: '', tags: [], permissions: new Map() };
  const write = (name: string, content: unknown) =>
    writeFileSync(join(directory, name), `${JSON.stringify(content, null, 2)}\n`);
  write(USERS_FILE, encodeUsers([guest, nobody]));
  write(VHOSTS_FILE, encodeVhosts(VHOSTS));
}

function methodFrame(method: amqp.AnyMethod): Buffer {
  const buf = Buffer.alloc(amqp.sizeOfMethod(method));
  amqp.encodeMethod(buf, 0, 1, method);
  return buf;
}

const BIND_DEFAULTS = { noWait: false, arguments: amqp.EMPTY_TABLE };

class SampleClient {
  private readonly client: RawClient;

  private constructor(client: RawClient) {
    this.client = client;
  }

  static async open(t: Teardown, port: number, vhost: string): Promise<SampleClient> {
    const client = await RawClient.open(t, port, { vhost });
    const sample = new SampleClient(client);
    await sample.call('channel.open-ok', frames.channelOpen(1));
    await sample.call('confirm.select-ok', frames.confirmSelect(1));
    return sample;
  }

  async call<N extends amqp.AnyMethod['name']>(reply: N, request: Buffer): Promise<void> {
    this.client.write(request);
    await this.client.expect(1, reply);
  }

  async publish(...messages: readonly SampleMessage[]): Promise<void> {
    for (const { exchange, routingKey, body, properties } of messages) {
      const encoded = Buffer.alloc(amqp.sizeOfBasicProperties(properties));
      amqp.encodeBasicProperties(encoded, 0, properties);
      this.client.write(
        frames.publishMethod(1, { exchange, routingKey }),
        frames.contentHeader(1, body.length, encoded),
        frames.bodyFrames(1, body),
      );
      await this.client.expect(1, 'basic.ack');
    }
  }

  async declareTopology(): Promise<void> {
    const exchange = (args: Partial<amqp.ExchangeDeclare>) =>
      this.call('exchange.declare-ok', frames.exchangeDeclare(1, args));
    await exchange({ exchange: 'logs', type: 'topic', durable: true });
    await exchange({ exchange: 'inner', type: 'fanout', durable: true });
    await exchange({ exchange: 'by-header', type: 'headers', durable: true, internal: true });
    await exchange({ exchange: 'gone', durable: true });
    await exchange({ exchange: 'passing', type: 'fanout' });
    for (const queue of [...Object.keys(SAMPLE_CONTENT['/']!), 'deleted']) {
      await this.call('queue.declare-ok', frames.queueDeclare(1, { queue, durable: true }));
    }
    const exclusive = frames.queueDeclare(1, { queue: 'mine', durable: true, exclusive: true });
    await this.call('queue.declare-ok', exclusive);
    await this.call('queue.declare-ok', frames.queueDeclare(1, { queue: 'transient' }));
    await this.bindQueues();
  }

  private async bindQueues(): Promise<void> {
    const bind = (args: Partial<amqp.QueueBind>) =>
      this.call('queue.bind-ok', frames.queueBind(1, args));
    await bind({ queue: 'tasks', exchange: 'logs', routingKey: 'task.#' });
    await bind({ queue: 'everything', exchange: 'logs', routingKey: '#' });
    await bind({ queue: 'everything', exchange: 'inner' });
    await bind({ queue: 'held', exchange: 'logs', routingKey: 'unbound' });
    const args = amqp.toFieldTable({ 'x-match': 'any', colour: 'red' });
    await bind({ queue: 'tasks', exchange: 'by-header', arguments: args });
    const [source, destination] = ['logs', 'by-header'];
    const exchangeBind = { source, destination, routingKey: 'red.*', ...BIND_DEFAULTS };
    await this.call(
      'exchange.bind-ok',
      methodFrame({ id: amqp.EXCHANGE_BIND_ID, name: 'exchange.bind', args: exchangeBind }),
    );
    const unbound = { queue: 'held', exchange: 'logs', routingKey: 'unbound' };
    const unbind = { ...unbound, arguments: amqp.EMPTY_TABLE };
    await this.call(
      'queue.unbind-ok',
      methodFrame({ id: amqp.QUEUE_UNBIND_ID, name: 'queue.unbind', args: unbind }),
    );
    const remove = { exchange: 'gone', ifUnused: false, noWait: false };
    await this.call(
      'exchange.delete-ok',
      methodFrame({ id: amqp.EXCHANGE_DELETE_ID, name: 'exchange.delete', args: remove }),
    );
  }

  async publishFirst(): Promise<void> {
    const toQueue = (queue: string, ...bodies: readonly string[]) =>
      this.publish(...bodies.map((body) => message('', queue, body)));
    await this.publish(TASK, BINARY, EMPTY, FANNED, ...SAMPLE_CONTENT['/']!['large']!);
    await toQueue('held', 'm0 acked', 'm1 came back', 'm2 with a consumer', 'm3');
    await toQueue('purged', 'with a consumer', 'purged', 'purged as well');
    await toQueue('deleted', 'gone', 'gone as well');
    await toQueue('mine', 'not kept');
  }

  async emptyQueues(): Promise<void> {
    await this.get('purged');
    await this.call('queue.purge-ok', frames.queuePurge(1, 'purged'));
    await this.publish(message('', 'purged', 'after the purge'));
    await this.call('queue.delete-ok', frames.queueDelete(1, 'deleted'));
  }

  /** Acks one message of `held`, gives one back and keeps one. */
  async consume(): Promise<void> {
    const acked = await this.get('held');
    this.client.write(frames.basicAck(1, acked));
    const returned = await this.get('held');
    const kept = await this.get('held');
    this.client.write(frames.basicNack(1, { deliveryTag: returned }));
    if (kept <= returned) throw new Error('messages came out of order');
  }

  private async get(queue: string): Promise<number> {
    this.client.write(frames.basicGet(1, queue));
    return (await this.client.expectGot(1)).tag;
  }
}
