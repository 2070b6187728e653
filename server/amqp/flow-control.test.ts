/**
 * Peers that are too slow, too fast, or silent. Clients without sockets, and turns that are counted: what a test finds
 * does not depend on what else the machine does.
 */
import t from 'tap';
import {
  basicConsume,
  basicGet,
  channelFlow,
  channelOpen,
  publish,
  publishTo,
  queueBind,
  queueDeclare,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { openMemoryAmqp } from '../testing/memory-amqp.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

/** An open channel 1 on a queue `q`, and a way to more of them. */
async function setUp(t: Teardown) {
  const amqp = await openMemoryAmqp(t);
  const openSession = async () => {
    const session = await amqp.connect();
    session.client.send(channelOpen(1));
    await amqp.until(() => session.of('channel.open-ok').length > 0);
    return session;
  };
  const publisher = await openSession();
  publisher.client.send(queueDeclare(1, { queue: 'q' }));
  await amqp.until(() => publisher.of('queue.declare-ok').length > 0);
  const openConsumer = async () => {
    const consumer = await openSession();
    consumer.client.send(basicConsume(1, { queue: 'q', noAck: true }));
    await amqp.until(() => consumer.of('basic.consume-ok').length > 0);
    return consumer;
  };
  /** Sends, a message at a time, as fast as the server reads. */
  const publishAll = async (bodies: readonly (string | Buffer)[]) => {
    for (const body of bodies) {
      publisher.client.send(publish(1, 'q', body));
      await amqp.until(() => publisher.client.socket.isRead);
    }
  };
  return {
    ...amqp,
    publisher,
    openSession,
    openConsumer,
    publishAll,
    queue: amqp.vhost.queue('q'),
  };
}

const MIB = 2 ** 20;
/** Turns in which anything that could happen would have happened. */
const MANY_TURNS = 50;

t.test(
  'a consumer that does not read is offered little, and all of it once it reads',
  async (t) => {
    const { openConsumer, publishAll, queue, turns, until } = await setUp(t);
    const consumer = await openConsumer();
    consumer.client.socket.stick();
    const count = 16;
    await publishAll(Array.from({ length: count }, () => Buffer.alloc(MIB, 1)));
    await turns(MANY_TURNS);
    const offered = count - queue.index.readyCount;
    t.ok(offered <= 2, `offered ${offered} of ${count}`);
    consumer.client.socket.unstick();
    await until(() => consumer.of('basic.deliver').length === count);
    t.ok(consumer.of('basic.deliver').every(({ body }) => body.length === MIB));
  },
);

t.test('another consumer gets what the one that does not read leaves', async (t) => {
  const { openConsumer, publishAll, queue, turns, until } = await setUp(t);
  const slow = await openConsumer();
  slow.client.socket.stick();
  while (queue.index.readyCount === 0) {
    await publishAll([Buffer.alloc(MIB, 1)]);
    await turns(MANY_TURNS);
  }
  const quick = await openConsumer();
  await publishAll(['a', 'b', 'c']);
  await until(() => quick.of('basic.deliver').length >= 4);
  t.same(
    quick.of('basic.deliver').map(({ body }) => (body.length < 9 ? body.toString() : body.length)),
    [MIB, 'a', 'b', 'c'],
  );
});

t.test('gets of a client that does not read are carried out as it takes them', async (t) => {
  const { openSession, publishAll, queue, turns, until } = await setUp(t);
  const count = 16;
  await publishAll(Array.from({ length: count }, () => Buffer.alloc(MIB, 1)));
  const greedy = await openSession();
  greedy.client.socket.stick();
  const gets = Array.from({ length: count }, () => basicGet(1, 'q', true));
  greedy.client.send(...gets, basicGet(1, 'q'), channelFlow(1));
  await until(() => queue.index.readyCount < count);
  await turns(MANY_TURNS);
  t.ok(queue.index.readyCount > count / 2, `${queue.index.readyCount} of ${count} are left`);
  greedy.client.socket.unstick();
  await until(() => greedy.of('channel.flow-ok').length > 0);
  const got = greedy.of('basic.get-ok');
  t.equal(got.length, count);
  for (const [i, { method, body }] of got.entries()) {
    t.match(method.args, { deliveryTag: i + 1, messageCount: count - 1 - i });
    t.equal(body.length, MIB);
  }
  t.same(
    greedy.heard.slice(-2).map(({ name }) => name),
    ['basic.get-empty', 'channel.flow-ok'],
  );
});

t.test('a client that reads no replies is not read itself, until it reads them', async (t) => {
  const { openSession, queue, turns, until } = await setUp(t);
  const rude = await openSession();
  rude.client.socket.stick();
  const count = 200;
  for (let i = 0; i < count; i++) {
    rude.client.send(
      publishTo(1, { routingKey: 'nowhere', mandatory: true }, Buffer.alloc(100_000)),
      publish(1, 'q', 'counts how far the server has read'),
    );
  }
  await until(() => queue.index.readyCount > 0);
  await turns(MANY_TURNS);
  const read = queue.index.readyCount;
  await turns(MANY_TURNS);
  t.equal(queue.index.readyCount, read, 'it reads no more');
  t.ok(read < count / 2, `it has read ${read} of ${count}`);
  rude.client.socket.unstick();
  await until(() => rude.of('basic.return').length === count && queue.index.readyCount === count);
});

/** Small messages, a hundred of them in four kilobytes. */
const BLOCK_COUNT = 5000;
const BLOCK = Buffer.concat(
  Array.from({ length: BLOCK_COUNT }, () => publish(1, 'q', '0123456789abcdef')),
);

t.test('a publisher at full speed does not keep others waiting', async (t) => {
  const { openSession, queue, until } = await setUp(t);
  const fast = await openSession();
  const other = await openSession();
  const blocks = 20;
  for (let i = 0; i < blocks; i++) fast.client.send(BLOCK);
  let answers = 0;
  let turnsMax = 0;
  while (queue.index.readyCount < blocks * BLOCK_COUNT) {
    other.client.send(channelFlow(1));
    const before = other.of('channel.flow-ok').length;
    turnsMax = Math.max(turnsMax, await until(() => other.of('channel.flow-ok').length > before));
    answers++;
  }
  t.ok(answers >= blocks / 4, `${answers} answers meanwhile`);
  t.ok(turnsMax <= 5, `an answer took ${turnsMax} turns`);
});

t.test('of many publishers at full speed a turn serves some, and each in its time', async (t) => {
  const { openSession, queue, turns } = await setUp(t);
  const sessions = [];
  for (let i = 0; i < 20; i++) sessions.push(await openSession());
  for (const { client } of sessions) client.send(BLOCK, BLOCK);
  await turns(1);
  let longest = 0;
  for (let before = -1; before < queue.index.readyCount; ) {
    before = queue.index.readyCount;
    await turns(1);
    longest = Math.max(longest, queue.index.readyCount - before);
  }
  t.equal(queue.index.readyCount, 2 * sessions.length * BLOCK_COUNT);
  t.ok(longest <= 8 * BLOCK_COUNT, `${longest} in one turn`);
});

t.test('messages to many queues count as the work that they are', async (t) => {
  const { openSession, vhost, turns, until } = await setUp(t);
  const fast = await openSession();
  const queues = Array.from({ length: 100 }, (_, i) => `copy.${i}`);
  fast.client.send(
    ...queues.flatMap((name) => [
      queueDeclare(1, { queue: name }),
      queueBind(1, { queue: name, exchange: 'amq.fanout' }),
    ]),
  );
  await until(() => fast.of('queue.bind-ok').length === queues.length);
  const { index } = vhost.queue('copy.0');
  // 20 KiB on the wire, ten times that in work.
  const chunkCount = 250;
  const messages = Array.from({ length: chunkCount }, () =>
    publishTo(1, { exchange: 'amq.fanout' }, 'x'),
  );
  const chunk = Buffer.concat(messages);
  const chunks = 12;
  for (let i = 0; i < chunks; i++) fast.client.send(chunk);
  let longest = 0;
  while (index.readyCount < chunks * chunkCount) {
    const before = index.readyCount;
    await turns(1);
    longest = Math.max(longest, index.readyCount - before);
  }
  t.ok(longest <= 2 * chunkCount, `${longest} in one turn`);
});

t.test('a queue stays short while its consumer takes what a publisher can send', async (t) => {
  const { openSession, openConsumer, queue, turns } = await setUp(t);
  const consumer = await openConsumer();
  const fast = await openSession();
  const blocks = 20;
  for (let i = 0; i < blocks; i++) fast.client.send(BLOCK);
  let longest = 0;
  const isOver = () => consumer.of('basic.deliver').length === blocks * BLOCK_COUNT;
  for (let turn = 0; turn % 20 !== 0 || !isOver(); turn++) {
    await turns(1);
    longest = Math.max(longest, queue.index.readyCount);
  }
  t.ok(longest < 3 * BLOCK_COUNT, `up to ${longest}`);
  t.equal(queue.index.readyCount, 0);
});

t.test('a publisher is read more slowly as long as its queue falls behind', async (t) => {
  const { openSession, openConsumer, publishAll, queue, turns } = await setUp(t);
  // Goes out in many turns, however willing its consumer is.
  await publishAll(Array.from({ length: 40 }, () => Buffer.alloc(MIB, 1)));
  const fast = await openSession();
  const chunk = publish(1, 'q', Buffer.alloc(4000));
  fast.client.send(chunk);
  await turns(1);
  await openConsumer();
  t.ok(queue.isBehind);
  for (let i = 0; i < 3000; i++) fast.client.send(chunk);
  let [mostBehind, mostAfter, turnsBehind, bytesBehind] = [0, 0, 0, 0];
  for (let isMore = true; isMore; ) {
    const { isBehind } = queue;
    const before = queue.index.nextSequence;
    await turns(1);
    const bytes = (queue.index.nextSequence - before) * chunk.length;
    if (isBehind && queue.isBehind) {
      mostBehind = Math.max(mostBehind, bytes);
      turnsBehind++;
      bytesBehind += bytes;
    } else if (!isBehind) mostAfter = Math.max(mostAfter, bytes);
    isMore = !fast.client.socket.isRead || queue.index.nextSequence <= 3041;
  }
  t.ok(bytesBehind > 0, 'it is not stopped');
  t.ok(turnsBehind > 10, `behind for ${turnsBehind} turns`);
  t.ok(mostBehind < MIB / 4, `${mostBehind} octets in a turn while it is behind`);
  t.ok(mostAfter > MIB / 4, `${mostAfter} octets in a turn afterwards`);
});

t.test(
  'a client that misses its heartbeats is dropped, and is sent heartbeats before',
  async (t) => {
    const amqp = await openMemoryAmqp(t);
    const session = await amqp.connect({ heartbeat: 10 });
    session.client.send(channelOpen(1), queueDeclare(1, { queue: 'q', exclusive: true }));
    await amqp.until(() => session.of('queue.declare-ok').length > 0);
    const openedMs = performance.now();
    for (let seconds = 1; !session.client.isClosed && seconds < 60; seconds++) {
      session.connection.tick(openedMs + 1000 * seconds);
      await amqp.turns(2);
      if (seconds === 19) {
        t.notOk(session.client.isClosed, 'a beat that was missed is forgiven');
        t.ok(session.client.heartbeatCount >= 1);
      }
    }
    t.ok(session.client.isClosed);
    t.notOk(amqp.vhost.queues.has('q'));
  },
);

t.test('a client that ends its side is dropped with what it does not take', async (t) => {
  const amqp = await openMemoryAmqp(t);
  const { client, connection, of } = await amqp.connect();
  client.send(channelOpen(1), queueDeclare(1, { queue: 'q', exclusive: true }));
  await amqp.until(() => of('queue.declare-ok').length > 0);
  client.socket.stick();
  client.send(channelFlow(1));
  await amqp.turns(2);
  client.socket.finish();
  await amqp.turns(2);
  const endedMs = performance.now();
  connection.tick(endedMs + 2000);
  await amqp.turns(2);
  t.notOk(client.isClosed, 'it has some time to take that');
  connection.tick(endedMs + 3000);
  await amqp.turns(2);
  t.ok(client.isClosed);
  t.notOk(amqp.vhost.queues.has('q'));
});

t.test('a client that is silent before it opens is dropped', async (t) => {
  const server = await startAmqp(t, { config: { handshakeTimeoutMs: 1 } });
  const silent = await RawClient.connect(t, server.port);
  await silent.closed;
  await eventually(() => {
    if (server.listener.connectionCount > 0) throw new Error('still there');
  });
});

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
