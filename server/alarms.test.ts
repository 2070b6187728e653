/** The whole server with marks that are reached at once, and a client that everybody uses. */
import { once } from 'node:events';
import { type ConfirmChannel, connect } from 'amqplib';
import t from 'tap';
import type { ConfigOptions } from './config/config.ts';
import { createServer } from './index.ts';
import { type Teardown, temporaryDirectory } from './testing/temporary-directory.ts';

const MIB = 2 ** 20;
/** Small enough that a message lies in a block with others, large enough that few of them reach a mark. */
const BODY_BYTES = 256 * 1024;

async function setUp(t: Teardown, config: Partial<ConfigOptions>) {
  const server = await createServer({
    dataDir: temporaryDirectory(t),
    bindAddresses: ['127.0.0.1'],
    amqpPort: 0,
    httpPort: 0,
    ...config,
  });
  t.teardown(() => server.stop('the test is over'));
  const portOf = (protocol: string) =>
    server.listeners.find((listener) => listener.protocol === protocol)?.port;
  const openSession = async () => {
    const connection = await connect(`amqp://guest:guest@127.0.0.1:${portOf('amqp')}?heartbeat=0`);
    t.teardown(() => connection.close().catch(() => undefined));
    return { connection, channel: await connection.createConfirmChannel() };
  };
  const check = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${portOf('http')}${path}`);
    return [response.status, await response.json()];
  };
  return { openSession, check };
}

/** Takes messages from the queue until it is empty; their number. */
async function drain(channel: ConfirmChannel, queue: string): Promise<number> {
  for (let count = 0; ; count++) {
    if ((await channel.get(queue, { noAck: true })) === false) return count;
  }
}

t.test('messages that nobody takes raise the memory alarm, and consumers end it', async (t) => {
  const { openSession, check } = await setUp(t, { memoryHighWatermark: 6 * MIB });
  const publisher = await openSession();
  const consumer = await openSession();
  await publisher.channel.assertQueue('q', { durable: false });
  t.same(await check('/healthz/alarms'), [200, { status: 'ok' }]);

  const blocked = once(publisher.connection, 'blocked');
  const count = 64;
  const confirms = Array.from(
    { length: count },
    () =>
      new Promise<void>((resolve, reject) => {
        publisher.channel.sendToQueue('q', Buffer.alloc(BODY_BYTES), {}, (error) =>
          error === null ? resolve() : reject(new Error('nacked')),
        );
      }),
  );
  t.same(await blocked, ['low on memory']);
  // Heard from here on: near its mark the alarm may end by itself, and come again.
  const unblocked = once(publisher.connection, 'unblocked');
  t.same(await check('/healthz/alarms'), [503, { status: 'failed', reason: 'low on memory' }]);
  t.same(await check('/healthz'), [200, { status: 'ok', alarm: 'low on memory' }]);

  const { messageCount } = await consumer.channel.checkQueue('q');
  t.ok(messageCount < count / 2, `${messageCount} of ${count} messages fit`);

  let taken = await drain(consumer.channel, 'q');
  await unblocked;
  // The publisher passes the mark again and again: whatever it does, its messages go through.
  const all = Promise.all(confirms);
  let isDone = false;
  void all.then(() => {
    isDone = true;
  });
  while (!isDone) taken += await drain(consumer.channel, 'q');
  await all;
  t.equal(taken + (await drain(consumer.channel, 'q')), count);
});

t.test('too little free space on the disk blocks publishers', async (t) => {
  const { openSession, check } = await setUp(t, { diskFreeLimitBytes: Number.MAX_SAFE_INTEGER });
  const { connection, channel } = await openSession();
  await channel.assertQueue('q', { durable: true });
  const blocked = once(connection, 'blocked');
  channel.sendToQueue('q', Buffer.from('one'));
  t.same(await blocked, ['low on disk']);
  t.same(await check('/healthz/alarms'), [503, { status: 'failed', reason: 'low on disk' }]);
});
