/** Transactions, as far as conformance/tx does not say it: durability, limits, what remains after an error. */
import t from 'tap';
import {
  basicAck,
  basicGet,
  basicNack,
  channelCloseOk,
  channelOpen,
  contentHeader,
  publish,
  publishMethod,
  publishTo,
  queueDeclare,
  txCommit,
  txRollback,
  txSelect,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

const MIB = 2 ** 20;

/** A client with channel 1 in tx mode and channel 2 beside it, and two queues, one of them durable. */
async function setUp(t: Teardown) {
  const disk = new GatedFileSystem();
  const server = await startAmqp(t, { fs: disk.fs });
  const client = await RawClient.open(t, server.port);
  for (const channel of [1, 2]) {
    client.write(channelOpen(channel));
    await client.expect(channel, 'channel.open-ok');
  }
  client.write(
    queueDeclare(2, { queue: 'durable', durable: true }),
    queueDeclare(2, { queue: 'transient' }),
  );
  await client.expect(2, 'queue.declare-ok');
  await client.expect(2, 'queue.declare-ok');
  client.write(txSelect(1));
  await client.expect(1, 'tx.select-ok');
  const { vhost, listener } = server;
  const ready = () => ['durable', 'transient'].map((name) => vhost.queue(name).index.readyCount);
  return { disk, server, vhost, listener, client, ready };
}

t.test('commit-ok waits for the disk where something durable is in it', async (t) => {
  const { disk, client, ready } = await setUp(t);
  disk.syncs.hold();
  client.write(publish(1, 'durable', 'one'), txCommit(1));
  await client.expectNothing(2);
  t.same(ready(), [1, 0], 'consumers may have it at once');
  disk.syncs.release();
  await client.expect(1, 'tx.commit-ok');
});

t.test('a commit of transient messages alone is answered at once', async (t) => {
  const { disk, client, ready } = await setUp(t);
  disk.syncs.hold();
  client.write(publish(1, 'transient', 'one'), txCommit(1), txCommit(1));
  await client.expect(1, 'tx.commit-ok');
  await client.expect(1, 'tx.commit-ok');
  t.same(ready(), [0, 1]);
  disk.syncs.release();
});

t.test('acks of durable messages alone make the commit wait as well', async (t) => {
  const { disk, client } = await setUp(t);
  client.write(publish(2, 'durable', 'one'), basicGet(1, 'durable'));
  const { tag } = await client.expectGot(1);
  disk.syncs.hold();
  client.write(basicAck(1, tag), txCommit(1));
  await client.expectNothing(2);
  disk.syncs.release();
  await client.expect(1, 'tx.commit-ok');
});

t.test('what follows a commit is carried out, and answered behind it', async (t) => {
  const { disk, client, ready } = await setUp(t);
  disk.syncs.hold();
  client.write(
    publish(1, 'durable', 'one'),
    txCommit(1),
    publish(1, 'transient', 'two'),
    txCommit(1),
  );
  await client.expectNothing(2);
  t.same(ready(), [1, 1]);
  disk.syncs.release();
  await client.expect(1, 'tx.commit-ok');
  await client.expect(1, 'tx.commit-ok');
});

t.test('a committed transaction survives a crash whole', async (t) => {
  const { server, client } = await setUp(t);
  client.write(publish(2, 'durable', 'old'), basicGet(1, 'durable'));
  const { tag } = await client.expectGot(1);
  client.write(basicAck(1, tag));
  for (let i = 0; i < 100; i++) client.write(publish(1, 'durable', `${i}`.padEnd(5000)));
  client.write(txCommit(1));
  await client.expect(1, 'tx.commit-ok');
  await server.stop();
  const again = await startAmqp(t, { config: { dataDir: server.dataDir } });
  t.equal(again.vhost.queue('durable').index.readyCount, 100);
});

t.test('a transaction larger than a block of memory is one commit', async (t) => {
  const { client, listener, ready } = await setUp(t);
  const body = Buffer.alloc(MIB, 1);
  for (let i = 0; i < 8; i++) await client.writeAll(publish(1, 'durable', body));
  await client.expectNothing(1);
  t.ok(listener.connectionBytes() >= 8 * MIB, 'its memory is accounted');
  client.write(txCommit(1));
  await client.expect(1, 'tx.commit-ok');
  t.same(ready(), [8, 0]);
  t.ok(listener.connectionBytes() < MIB, 'and given back');
});

t.test('a transaction that is too large is an error, and nothing of it remains', async (t) => {
  const { client, ready, listener } = await setUp(t);
  const table = Buffer.alloc(100_000, 'x');
  const head = Buffer.from([0x20, 0, 0, 0, 0, 0, 1, 0x6b, 0x53, 0, 0, 0, 0]); // a table: k, a text
  head.writeUInt32BE(table.length + 7, 2);
  head.writeUInt32BE(table.length, 9);
  const message = Buffer.concat([
    publishMethod(1, { routingKey: 'durable' }),
    contentHeader(1, 0, Buffer.concat([head, table])),
  ]);
  for (let i = 0; i < 231; i++) client.write(message);
  const { args } = await client.expect(1, 'channel.close');
  t.match(args, { replyCode: 406, replyText: /^PRECONDITION_FAILED - transaction is larger/ });
  client.write(channelCloseOk(1));
  await client.expectNothing(2);
  t.same(ready(), [0, 0]);
  t.ok(listener.connectionBytes() < MIB);
});

t.test('an error in a transaction leaves nothing of it', async (t) => {
  const { client, ready, vhost } = await setUp(t);
  client.write(publish(2, 'durable', 'one'), publish(2, 'durable', 'two'));
  client.write(basicGet(1, 'durable'), basicGet(1, 'durable'));
  await client.expectGot(1);
  const { tag } = await client.expectGot(1);
  client.write(basicAck(1, tag), publish(1, 'durable', 'new'), publishTo(1, { exchange: 'none' }));
  t.match((await client.expect(1, 'channel.close')).args, { replyCode: 404 });
  t.same(ready(), [2, 0]);
  t.equal(vhost.queue('durable').index.unackedCount, 0);
});

t.test('a client that goes leaves nothing of its transaction', async (t) => {
  const { server, client, ready } = await setUp(t);
  client.write(publish(2, 'durable', 'one'), basicGet(1, 'durable'));
  const { tag } = await client.expectGot(1);
  client.write(basicAck(1, tag), publish(1, 'transient', 'new'), txRollback(1), basicAck(1, tag));
  await client.expect(1, 'tx.rollback-ok');
  client.destroy();
  await eventually(() => {
    if (server.listener.connectionCount > 0) throw new Error('still there');
  });
  t.same(ready(), [1, 0]);
});

t.test('many different routing keys to one queue are one set of queues', async (t) => {
  const { client, vhost, ready } = await setUp(t);
  const { bind } = await import('../broker/bindings.ts');
  const { testActor } = await import('../testing/open-broker.ts');
  const { EMPTY_TABLE } = await import('../../generated/index.ts');
  bind(vhost, testActor(), {
    source: 'amq.topic',
    kind: 'queue',
    destination: 'durable',
    bindingKey: '#',
    args: EMPTY_TABLE,
  });
  const count = 70_000;
  const frames: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    frames.push(publishTo(1, { exchange: 'amq.topic', routingKey: `${i}` }));
  }
  await client.writeAll(Buffer.concat(frames));
  client.write(txCommit(1));
  await client.expect(1, 'tx.commit-ok');
  t.same(ready(), [count, 0]);
});

t.test('settlements of several kinds and queues are committed together', async (t) => {
  const { client, vhost, ready } = await setUp(t);
  for (const queue of ['durable', 'transient']) {
    for (let i = 0; i < 4; i++) client.write(publish(2, queue, `${i}`), basicGet(1, queue));
    for (let i = 0; i < 4; i++) await client.expectGot(1);
  }
  // Tags 1 to 4 are of the durable queue, 5 to 8 of the other.
  client.write(
    basicAck(1, 1),
    basicNack(1, { deliveryTag: 2, requeue: true }),
    basicNack(1, { deliveryTag: 6, requeue: true }),
    basicNack(1, { deliveryTag: 3, requeue: false }),
    basicAck(1, 8),
    txCommit(1),
  );
  await client.expect(1, 'tx.commit-ok');
  t.same(ready(), [1, 1]);
  const unacked = ['durable', 'transient'].map((name) => vhost.queue(name).index.unackedCount);
  t.same(unacked, [1, 2]);
});
