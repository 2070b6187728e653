/** Publishers while an alarm lasts, and when it ends. */
import t from 'tap';
import {
  basicAck,
  basicConsume,
  basicGet,
  bodyFrames,
  channelOpen,
  confirmSelect,
  connectionCloseOk,
  contentHeader,
  publish,
  publishMethod,
  queueDeclare,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { RawClient, type RawClientOptions } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

const KNOWS_BLOCKED = { 'connection.blocked': true };
const FULL = { behind: false, diskFull: true };
const BEHIND = { behind: true, diskFull: false };
const WELL = { behind: false, diskFull: false };

async function setUp(t: Teardown) {
  const server = await startAmqp(t);
  const { alarms } = server.broker;
  const openClient = async (options: RawClientOptions = { capabilities: KNOWS_BLOCKED }) => {
    const client = await RawClient.open(t, server.port, options);
    client.write(channelOpen(1));
    await client.expect(1, 'channel.open-ok');
    return client;
  };
  const client = await openClient();
  client.write(queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'queue.declare-ok');
  return { server, alarms, client, openClient, queue: server.vhost.queue('q') };
}

/** Lets the server take turns with another client, so that what was sent before has reached it. */
async function turns(other: RawClient): Promise<void> {
  for (let i = 0; i < 20; i++) await other.expectNothing(1);
}

t.test(
  'a publisher is told, waits with its publish, and goes on when the alarm ends',
  async (t) => {
    const { alarms, client, openClient, queue } = await setUp(t);
    const other = await openClient();
    alarms.setLow('memory', true);
    client.write(publish(1, 'q', 'waits'), publish(1, 'q', 'too'));
    const { args } = await client.expect(0, 'connection.blocked');
    t.equal(args.reason, 'low on memory');
    await turns(other);
    t.equal(queue.index.readyCount, 0);
    alarms.setLow('memory', false);
    await client.expect(0, 'connection.unblocked');
    await client.expectNothing(1);
    client.write(basicGet(1, 'q', true), basicGet(1, 'q', true));
    t.match(
      [await client.expectGot(1), await client.expectGot(1)],
      [{ body: 'waits' }, { body: 'too' }],
    );
  },
);

t.test('what came before the publish is carried out, what is behind it waits', async (t) => {
  const { alarms, client, openClient } = await setUp(t);
  const other = await openClient();
  alarms.setLow('disk', true);
  client.write(
    queueDeclare(1, { queue: 'before' }),
    publish(1, 'q', 'one'),
    queueDeclare(1, { queue: 'behind' }),
  );
  await client.expect(1, 'queue.declare-ok');
  t.equal((await client.expect(0, 'connection.blocked')).args.reason, 'low on disk');
  await turns(other);
  alarms.setLow('disk', false);
  await client.expect(0, 'connection.unblocked');
  t.equal((await client.expect(1, 'queue.declare-ok')).args.queue, 'behind');
});

t.test('a client that does not understand blocked is held without a word', async (t) => {
  const { alarms, openClient, queue } = await setUp(t);
  const silent = await openClient({});
  const other = await openClient();
  alarms.setLow('memory', true);
  silent.write(confirmSelect(1), publish(1, 'q', 'one'));
  await silent.expect(1, 'confirm.select-ok');
  await turns(other);
  t.equal(queue.index.readyCount, 0);
  alarms.setLow('memory', false);
  await silent.expect(1, 'basic.ack');
});

t.test('a log that is behind its disk holds publishers without a word', async (t) => {
  const { server, alarms, client, openClient, queue } = await setUp(t);
  const other = await openClient();
  alarms.setLogState('/', BEHIND);
  client.write(confirmSelect(1), publish(1, 'q', 'one'));
  await client.expect(1, 'confirm.select-ok');
  await turns(other);
  t.equal(queue.index.readyCount, 0);
  // Memory runs out as well, and recovers: the client hears of that alone.
  alarms.setLow('memory', true);
  await client.expect(0, 'connection.blocked');
  alarms.setLow('memory', false);
  await client.expect(0, 'connection.unblocked');
  await turns(other);
  t.equal(queue.index.readyCount, 0);
  alarms.setLogState('/', WELL);
  await client.expect(1, 'basic.ack');
  t.equal(server.vhost.queue('q').index.readyCount, 1);
});

t.test('a connection that only consumes goes on, and so do its acks and declares', async (t) => {
  const { alarms, client, openClient, queue } = await setUp(t);
  client.write(publish(1, 'q', 'one'), publish(1, 'q', 'two'));
  await client.expectNothing(1);
  alarms.setLow('memory', true);
  const consumer = await openClient();
  consumer.write(queueDeclare(1, { queue: 'q' }), basicConsume(1, { queue: 'q' }));
  await consumer.expect(1, 'queue.declare-ok');
  await consumer.expect(1, 'basic.consume-ok');
  const deliveries = await consumer.expectDeliveries(1, 2);
  consumer.write(basicAck(1, deliveries[1]!.tag, true));
  await consumer.expectNothing(1);
  t.equal(queue.index.unackedCount, 0);
});

t.test('a body that has begun is read to its end, the next publish waits', async (t) => {
  const { server, alarms, client, queue } = await setUp(t);
  const body = Buffer.alloc(300_000, 7);
  const frames = bodyFrames(1, body);
  client.write(
    publishMethod(1, { routingKey: 'q' }),
    contentHeader(1, body.length),
    frames.subarray(0, 200_000),
  );
  await eventually(() => {
    if (server.listener.outputBytes < 200_000) throw new Error('not begun');
  });
  alarms.setLow('memory', true);
  client.write(frames.subarray(200_000), publish(1, 'q', 'next'));
  await client.expect(0, 'connection.blocked');
  t.equal(queue.index.readyCount, 1);
  t.equal(queue.index.readyBytes, body.length);
});

t.test(
  'a publish waits whole wherever its bytes are cut, and all of them are carried out',
  async (t) => {
    const { alarms, client, openClient, queue } = await setUp(t);
    const other = await openClient();
    const frames = publish(1, 'q', 'in pieces');
    let sent = 0;
    for (let at = 1; at < frames.length; at += 5) {
      alarms.setLow('memory', true);
      await client.writeAll(frames.subarray(0, at));
      await other.expectNothing(1);
      client.write(frames.subarray(at), publish(1, 'q', 'next'));
      await client.expect(0, 'connection.blocked');
      t.equal(queue.index.readyCount, sent, `cut at ${at}`);
      alarms.setLow('memory', false);
      await client.expect(0, 'connection.unblocked');
      await client.expectNothing(1);
      sent += 2;
      t.equal(queue.index.readyCount, sent, `cut at ${at}`);
    }
    for (let i = 0; i < sent; i++) {
      client.write(basicGet(1, 'q', true));
      t.equal((await client.expectGot(1)).body, i % 2 === 0 ? 'in pieces' : 'next');
    }
  },
);

t.test('a flood of publishes stays in the kernel, and nothing of it is lost', async (t) => {
  const { server, alarms, client, openClient, queue } = await setUp(t);
  const other = await openClient();
  alarms.setLow('memory', true);
  const count = 2000;
  const flood = Buffer.concat(
    Array.from({ length: count }, (_, i) => publish(1, 'q', `${i}`.padEnd(20_000))),
  );
  client.write(flood);
  await client.expect(0, 'connection.blocked');
  await turns(other);
  t.ok(client.unsentBytes > 0, 'the socket is not read');
  const held = server.listener.connectionBytes();
  t.ok(held > 0 && held < 512 * 1024, `${held} bytes are held`);
  alarms.setLow('memory', false);
  await client.expect(0, 'connection.unblocked');
  await client.expectNothing(1);
  t.equal(queue.index.readyCount, count);
  for (const n of [0, 1, 2]) {
    client.write(basicGet(1, 'q', true));
    t.equal((await client.expectGot(1)).body.trim(), `${n}`);
  }
});

t.test(
  'a held client that ends its socket is gone at once, and its unread publish with it',
  async (t) => {
    const { server, alarms, client, openClient, queue } = await setUp(t);
    const other = await openClient();
    alarms.setLow('memory', true);
    client.write(publish(1, 'q', 'never read'));
    await client.expect(0, 'connection.blocked');
    client.destroy();
    await eventually(() => {
      if (server.listener.connectionCount !== 1) throw new Error('still there');
    });
    alarms.setLow('memory', false);
    await turns(other);
    t.equal(queue.index.readyCount, 0);
  },
);

t.test("a held client is not judged by its heartbeats and is sent the server's", async (t) => {
  const { alarms, openClient, server } = await setUp(t);
  const client = await openClient({ heartbeat: 1, capabilities: KNOWS_BLOCKED });
  alarms.setLow('memory', true);
  client.write(publish(1, 'q', 'one'));
  await client.expect(0, 'connection.blocked');
  const start = client.heartbeatCount;
  await eventually(() => {
    if (client.heartbeatCount < start + 6) throw new Error('waiting');
  });
  // Six heartbeats are three intervals: a client that was judged would be gone.
  t.equal(server.listener.connectionCount, 2);
  alarms.setLow('memory', false);
  await client.expect(0, 'connection.unblocked');
  await client.expectNothing(1);
});

t.test('a server that stops does not wait for a held client', async (t) => {
  const { server, alarms, client } = await setUp(t);
  alarms.setLow('memory', true);
  client.write(publish(1, 'q', 'one'), publish(1, 'q', 'two'));
  await client.expect(0, 'connection.blocked');
  const stopped = server.stop();
  await client.expect(0, 'connection.close');
  client.write(connectionCloseOk());
  await stopped;
  t.pass();
});

t.test('with a full disk a durable declare waits as a publish does', async (t) => {
  const { server, alarms, client, openClient } = await setUp(t);
  const other = await openClient();
  alarms.setLogState('/', FULL);
  client.write(queueDeclare(1, { queue: 'transient' }));
  await client.expect(1, 'queue.declare-ok');
  client.write(queueDeclare(1, { queue: 'durable', durable: true }), basicGet(1, 'q'));
  await client.expect(0, 'connection.blocked');
  await turns(other);
  t.notOk(server.vhost.queues.has('durable'));
  alarms.setLogState('/', WELL);
  await client.expect(0, 'connection.unblocked');
  t.equal((await client.expect(1, 'queue.declare-ok')).args.queue, 'durable');
  await client.expect(1, 'basic.get-empty');
});

t.test('a declare that arrives in pieces waits whole', async (t) => {
  const { alarms, client, openClient } = await setUp(t);
  const other = await openClient();
  const declare = queueDeclare(1, { queue: 'durable', durable: true });
  alarms.setLogState('/', FULL);
  await client.writeAll(declare.subarray(0, 20));
  await turns(other);
  client.write(declare.subarray(20), basicGet(1, 'q'));
  await client.expect(0, 'connection.blocked');
  alarms.setLogState('/', WELL);
  await client.expect(0, 'connection.unblocked');
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.get-empty');
});

t.test('an alarm that comes back before a client went on holds it again', async (t) => {
  const { alarms, client, queue } = await setUp(t);
  alarms.setLow('memory', true);
  client.write(publish(1, 'q', 'one'));
  await client.expect(0, 'connection.blocked');
  alarms.setLow('memory', false);
  alarms.setLow('disk', true);
  await client.expect(0, 'connection.unblocked');
  t.equal((await client.expect(0, 'connection.blocked')).args.reason, 'low on disk');
  t.equal(queue.index.readyCount, 0);
  alarms.setLow('disk', false);
  await client.expect(0, 'connection.unblocked');
  await client.expectNothing(1);
  t.equal(queue.index.readyCount, 1);
});
