/** Peers that are too slow, too fast, or silent. */
import t from 'tap';
import {
  basicConsume,
  basicGet,
  channelFlow,
  channelOpen,
  publish,
  publishTo,
  queueDeclare,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

async function setUp(t: Teardown) {
  const server = await startAmqp(t);
  const openClient = async () => {
    const client = await RawClient.open(t, server.port);
    client.write(channelOpen(1));
    await client.expect(1, 'channel.open-ok');
    return client;
  };
  const client = await openClient();
  client.write(queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'queue.declare-ok');
  return { server, client, openClient, queue: server.vhost.queue('q') };
}

t.test(
  'a consumer that does not read is offered little, and all of it once it reads',
  async (t) => {
    const { client, openClient, queue } = await setUp(t);
    const consumer = await openClient();
    consumer.write(basicConsume(1, { queue: 'q', noAck: true }));
    await consumer.expect(1, 'basic.consume-ok');
    consumer.pause();
    const count = 64;
    const body = Buffer.alloc(2 ** 20, 1);
    for (let i = 0; i < count; i++) await client.writeAll(publish(1, 'q', body));
    await client.expectNothing(1);
    // Whatever the kernel's buffers take has left; the rest stays in the queue.
    const offered = count - queue.index.readyCount;
    t.ok(offered < count / 2, `offered ${offered} of ${count}`);
    for (let i = 0; i < 10; i++) await client.expectNothing(1);
    t.equal(count - queue.index.readyCount, offered);
    consumer.resume();
    for (let i = 0; i < count; i++) {
      const delivery = await consumer.expect(1, 'basic.deliver');
      t.equal(delivery.body.length, body.length);
    }
  },
);

t.test('another consumer gets what the one that does not read leaves', async (t) => {
  const { client, openClient, queue } = await setUp(t);
  const slow = await openClient();
  slow.write(basicConsume(1, { queue: 'q', noAck: true }));
  await slow.expect(1, 'basic.consume-ok');
  slow.pause();
  const body = Buffer.alloc(2 ** 20, 1);
  while (queue.index.readyCount === 0) {
    await client.writeAll(publish(1, 'q', body));
    await client.expectNothing(1);
  }
  const quick = await openClient();
  quick.write(basicConsume(1, { queue: 'q', noAck: true }));
  await quick.expect(1, 'basic.consume-ok');
  t.equal((await quick.expect(1, 'basic.deliver')).body.length, body.length);
  client.write(...['a', 'b', 'c'].map((next) => publish(1, 'q', next)));
  t.match(await quick.expectDeliveries(1, 3), [{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
});

t.test('gets of a client that does not read are carried out as it takes them', async (t) => {
  const { client, openClient, queue } = await setUp(t);
  const count = 64;
  const body = Buffer.alloc(2 ** 20, 1);
  for (let i = 0; i < count; i++) await client.writeAll(publish(1, 'q', body));
  await client.expectNothing(1);
  const greedy = await openClient();
  greedy.pause();
  greedy.write(...Array.from({ length: count }, () => basicGet(1, 'q', true)));
  greedy.write(basicGet(1, 'q'), channelFlow(1));
  await eventually(() => {
    if (queue.index.readyCount === count) throw new Error('nothing yet');
  });
  for (let i = 0; i < 50; i++) await client.expectNothing(1);
  t.ok(queue.index.readyCount > count / 2, `${queue.index.readyCount} of ${count} are left`);
  greedy.resume();
  for (let i = 0; i < count; i++) {
    const { args, body: got } = await greedy.expect(1, 'basic.get-ok');
    t.same([args.deliveryTag, args.messageCount, got.length], [i + 1, count - 1 - i, body.length]);
  }
  await greedy.expect(1, 'basic.get-empty');
  await greedy.expect(1, 'channel.flow-ok');
});

t.test('a client that reads no replies is not read itself, until it reads them', async (t) => {
  const { client, openClient, queue } = await setUp(t);
  const rude = await openClient();
  rude.pause();
  const count = 500;
  for (let i = 0; i < count; i++) {
    rude.write(
      publishTo(1, { routingKey: 'nowhere', mandatory: true }, Buffer.alloc(100_000)),
      publish(1, 'q', 'counts how far the server has read'),
    );
  }
  await eventually(async () => {
    const before = queue.index.readyCount;
    for (let i = 0; i < 50; i++) await client.expectNothing(1);
    if (before === 0 || before < queue.index.readyCount) throw new Error('it still reads');
  });
  t.ok(queue.index.readyCount < count / 2, `it has read ${queue.index.readyCount} of ${count}`);
  rude.resume();
  for (let i = 0; i < count; i++) await rude.expect(1, 'basic.return');
  await rude.expectNothing(1);
  t.equal(queue.index.readyCount, count);
});

/** Five thousand small messages. */
const BLOCK_COUNT = 5000;
const BLOCK = Buffer.concat(
  Array.from({ length: BLOCK_COUNT }, () => publish(1, 'q', '0123456789abcdef')),
);

t.test('a publisher at full speed does not keep others waiting', async (t) => {
  const { openClient, queue } = await setUp(t);
  const fast = await openClient();
  const other = await openClient();
  const blocks = 80;
  let isOver = false;
  const flood = (async () => {
    for (let i = 0; i < blocks; i++) await fast.writeAll(BLOCK);
    await fast.expectNothing(1);
    isOver = true;
  })();
  let answers = 0;
  for (; !isOver; answers++) await other.expectNothing(1);
  await flood;
  t.ok(answers >= blocks / 4, `${answers} answers meanwhile`);
  t.equal(queue.index.readyCount, blocks * BLOCK_COUNT);
});

t.test('a queue stays short while its consumer takes what a publisher can send', async (t) => {
  const { openClient, queue } = await setUp(t);
  const consumer = await openClient();
  consumer.keepsDeliveries = false;
  consumer.write(basicConsume(1, { queue: 'q', noAck: true }));
  await consumer.expect(1, 'basic.consume-ok');
  const fast = await openClient();
  const blocks = 40;
  for (let i = 0; i < blocks; i++) fast.write(BLOCK);
  const lengths: number[] = [];
  while (consumer.deliveryCount < blocks * BLOCK_COUNT) {
    await consumer.deliveriesReach(consumer.deliveryCount + 1);
    lengths.push(queue.index.readyCount);
  }
  t.ok(Math.max(...lengths) < (blocks * BLOCK_COUNT) / 2, `up to ${Math.max(...lengths)}`);
  t.equal(queue.index.readyCount, 0);
});

t.test('a client that is silent before it opens is dropped', async (t) => {
  const server = await startAmqp(t, { config: { handshakeTimeoutMs: 1 } });
  const silent = await RawClient.connect(t, server.port);
  await silent.closed;
  await eventually(() => {
    if (server.listener.connectionCount > 0) throw new Error('still there');
  });
});

t.test(
  'a client that misses its heartbeats is dropped, and is sent heartbeats before',
  async (t) => {
    const server = await startAmqp(t);
    const client = await RawClient.open(t, server.port, { heartbeat: 1 });
    client.write(channelOpen(1), queueDeclare(1, { queue: 'q', exclusive: true }));
    await client.expect(1, 'channel.open-ok');
    await client.expect(1, 'queue.declare-ok');
    await client.closed;
    t.ok(client.heartbeatCount >= 1);
    await eventually(() => {
      if (server.vhost.queues.has('q')) throw new Error('its queue is still there');
    });
  },
);

t.test('two servers in one process have nothing in common', async (t) => {
  const servers = [await startAmqp(t), await startAmqp(t)];
  const clients = await Promise.all(servers.map(({ port }) => RawClient.open(t, port)));
  for (const client of clients) {
    client.write(channelOpen(1), queueDeclare(1, { queue: 'q', exclusive: true }));
    await client.expect(1, 'channel.open-ok');
    t.equal((await client.expect(1, 'queue.declare-ok')).args.messageCount, 0);
  }
  clients[0]!.write(publish(1, 'q', 'first'));
  await clients[0]!.expectNothing(1);
  clients[1]!.write(basicGet(1, 'q'));
  await clients[1]!.expect(1, 'basic.get-empty');
  clients[0]!.destroy();
  await servers[0]!.stop();
  clients[1]!.write(channelFlow(1));
  await clients[1]!.expect(1, 'channel.flow-ok');
});
