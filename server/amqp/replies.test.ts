/** Replies leave in the order of their requests, whatever each of them waits for. */
import t from 'tap';
import {
  basicAck,
  basicCancel,
  basicConsume,
  basicGet,
  basicNack,
  basicRecover,
  basicReject,
  channelClose,
  channelOpen,
  confirmSelect,
  connectionCloseOk,
  publish,
  queueDeclare,
  queueDelete,
  queuePurge,
  txCommit,
  txRollback,
  txSelect,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

/** A client with channels 1 and 2, over a file system whose syncs and reads the test lets go. */
async function setUp(t: Teardown) {
  const gated = new GatedFileSystem();
  const server = await startAmqp(t, { fs: gated.fs });
  t.teardown(() => {
    gated.syncs.release();
    gated.reads.release();
  });
  const client = await RawClient.open(t, server.port);
  client.write(channelOpen(1), channelOpen(2));
  await client.expect(1, 'channel.open-ok');
  await client.expect(2, 'channel.open-ok');
  return { gated, server, client };
}

const DURABLE = { queue: 'q', durable: true };

t.test('a durable declare is answered once it is synced, and all behind it after it', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(
    queueDeclare(1, DURABLE),
    basicConsume(1, { queue: 'q', consumerTag: 'c', noAck: true }),
    publish(1, 'q', 'first'),
    queueDeclare(1, { queue: 'transient' }),
    publish(1, 'transient', 'second'),
    basicGet(1, 'transient', true),
  );
  await client.expectNothing(2);
  gated.syncs.release();
  t.equal((await client.expect(1, 'queue.declare-ok')).args.queue, 'q');
  t.equal((await client.expect(1, 'basic.consume-ok')).args.consumerTag, 'c');
  t.equal((await client.expect(1, 'queue.declare-ok')).args.queue, 'transient');
  t.match(await client.expectGot(1), { body: 'second' });
  t.match(await client.expectDeliveries(1, 1), [{ body: 'first' }]);
});

t.test('a recover that waits for its answer gives back what was delivered before it', async (t) => {
  const { gated, client } = await setUp(t);
  client.write(queueDeclare(1, { queue: 'transient' }));
  client.write(basicConsume(1, { queue: 'transient', consumerTag: 'c' }));
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.consume-ok');
  gated.syncs.hold();
  client.write(queueDeclare(1, DURABLE), basicRecover(1), publish(2, 'transient', 'one'));
  t.match(await client.expectDeliveries(1, 1), [{ body: 'one', tag: 1 }]);
  gated.syncs.release();
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.recover-ok');
  t.match(await client.expectDeliveries(1, 1), [{ body: 'one', tag: 2 }]);
});

t.test('a second consumer with a tag that waits for its consume-ok is refused', async (t) => {
  const { gated, server, client } = await setUp(t);
  gated.syncs.hold();
  client.write(
    queueDeclare(1, DURABLE),
    basicConsume(1, { queue: 'q', consumerTag: 'c' }),
    basicConsume(1, { queue: 'q', consumerTag: 'c' }),
  );
  t.match((await client.expect(0, 'connection.close')).args, {
    replyCode: 530,
    replyText: "NOT_ALLOWED - attempt to reuse consumer tag 'c'",
  });
  t.equal(server.vhost.queue('q').consumers.count, 0);
});

t.test('a second consumer beside an exclusive one that waits is refused', async (t) => {
  const { gated, server, client } = await setUp(t);
  gated.syncs.hold();
  client.write(
    queueDeclare(1, DURABLE),
    basicConsume(1, { queue: 'q', consumerTag: 'a', exclusive: true }),
    basicConsume(2, { queue: 'q', consumerTag: 'b' }),
  );
  t.match((await client.expect(2, 'channel.close')).args, {
    replyCode: 403,
    replyText: "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
  });
  t.equal(server.vhost.queue('q').consumers.count, 1);
});

t.test('a queue deleted before its consume-ok left cancels the consumer after it', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(
    queueDeclare(1, DURABLE),
    basicConsume(1, { queue: 'q', consumerTag: 'c' }),
    queueDelete(1, 'q'),
  );
  await client.expectNothing(2);
  gated.syncs.release();
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.consume-ok');
  t.equal((await client.expect(1, 'basic.cancel')).args.consumerTag, 'c');
  await client.expect(1, 'queue.delete-ok');
});

t.test('a cancel that waits behind its consume ends the consumer', async (t) => {
  const { gated, server, client } = await setUp(t);
  gated.syncs.hold();
  client.write(
    queueDeclare(1, DURABLE),
    basicConsume(1, { queue: 'q', consumerTag: 'c' }),
    basicCancel(1, 'c'),
  );
  await client.expectNothing(2);
  gated.syncs.release();
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.consume-ok');
  await client.expect(1, 'basic.cancel-ok');
  t.equal(server.vhost.queue('q').consumers.count, 0);
});

t.test('a purge that drops durable messages is answered once it is synced', async (t) => {
  const { gated, client } = await setUp(t);
  client.write(confirmSelect(1), queueDeclare(1, DURABLE), publish(1, 'q', 'gone'));
  await client.expect(1, 'confirm.select-ok');
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.ack');
  gated.syncs.hold();
  client.write(queuePurge(1, 'q'), basicGet(1, 'q'));
  await client.expectNothing(2);
  gated.syncs.release();
  t.equal((await client.expect(1, 'queue.purge-ok')).args.messageCount, 1);
  await client.expect(1, 'basic.get-empty');
});

t.test('a channel that closes while replies wait sends its close-ok last', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(queueDeclare(1, DURABLE), channelClose(1));
  await client.expectNothing(2);
  gated.syncs.release();
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'channel.close-ok');
  client.write(channelOpen(1));
  await client.expect(1, 'channel.open-ok');
});

t.test('confirms of a channel do not overtake the select-ok that waits', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(queueDeclare(1, DURABLE), confirmSelect(1), publish(1, 'nowhere', 'dropped'));
  await client.expectNothing(2);
  gated.syncs.release();
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'confirm.select-ok');
  t.match((await client.expect(1, 'basic.ack')).args, { deliveryTag: 1, multiple: false });
});

/** A server that has just started on a directory where the durable queue `q` holds `bodies`; reads wait. */
async function setUpCold(t: Teardown, ...bodies: readonly string[]) {
  const gated = new GatedFileSystem();
  const first = await startAmqp(t, { fs: gated.fs });
  const before = await RawClient.open(t, first.port);
  before.write(channelOpen(1), queueDeclare(1, DURABLE));
  before.write(...bodies.map((body) => publish(1, 'q', body)));
  await before.expect(1, 'channel.open-ok');
  await before.expect(1, 'queue.declare-ok');
  await before.expectNothing(1);
  before.destroy();
  await first.stop();
  const second = await startAmqp(t, { fs: gated.fs, config: { dataDir: first.dataDir } });
  gated.reads.hold();
  t.teardown(() => gated.reads.release());
  const client = await RawClient.open(t, second.port);
  client.write(channelOpen(1), channelOpen(2));
  await client.expect(1, 'channel.open-ok');
  await client.expect(2, 'channel.open-ok');
  return { gated, client, server: second };
}

t.test('a get whose record must be read from disk keeps later replies waiting', async (t) => {
  const { gated, client } = await setUpCold(t, 'one', 'two');
  client.write(basicGet(1, 'q'), queueDeclare(1, { queue: 'other' }), basicGet(1, 'q'));
  await readBegins(gated);
  await client.expectNothing(2);
  gated.reads.release();
  t.match(await client.expectGot(1), { tag: 1, body: 'one' });
  t.equal((await client.expect(1, 'queue.declare-ok')).args.queue, 'other');
  t.match(await client.expectGot(1), { tag: 2, body: 'two' });
});

t.test('a recover gives back what a get before it still waits for', async (t) => {
  const { gated, client } = await setUpCold(t, 'one', 'two');
  client.write(basicGet(1, 'q'), basicRecover(1), basicGet(1, 'q'));
  await readBegins(gated);
  gated.reads.release();
  t.match(await client.expectGot(1), { tag: 1, body: 'one' });
  await client.expect(1, 'basic.recover-ok');
  t.match(await client.expectGot(1), { tag: 2, body: 'one' });
});

t.test('an ack of all there is covers what a get before it still waits for', async (t) => {
  const { gated, client } = await setUpCold(t, 'one', 'two');
  client.write(basicGet(1, 'q'), basicAck(1, 0, true), basicRecover(1), basicGet(1, 'q'));
  await readBegins(gated);
  gated.reads.release();
  t.match(await client.expectGot(1), { tag: 1, body: 'one' });
  await client.expect(1, 'basic.recover-ok');
  t.match(await client.expectGot(1), { tag: 2, body: 'two', redelivered: false });
});

t.test('the tag that a get will bring can be settled before it has', async (t) => {
  const { gated, client } = await setUpCold(t, 'one', 'two', 'three');
  client.write(
    basicGet(1, 'q'),
    basicReject(1, 1, true),
    basicGet(1, 'q'),
    basicNack(1, { deliveryTag: 2, multiple: true, requeue: false }),
    basicGet(1, 'q'),
    basicAck(1, 3),
    basicGet(1, 'q'),
    basicAck(1, 5),
  );
  await readBegins(gated);
  gated.reads.release();
  const found = [await client.expectGot(1), await client.expectGot(1), await client.expectGot(1)];
  t.same(
    found.map(({ body, redelivered }) => [body, redelivered]),
    [
      ['one', false],
      ['one', true],
      ['two', false],
    ],
  );
  t.match(await client.expectGot(1), { tag: 4, body: 'three' });
  const { args } = await client.expect(1, 'channel.close');
  t.match(args, { replyText: 'PRECONDITION_FAILED - unknown delivery tag 5', methodId: 80 });
});

t.test('a settlement that waits for a get is in the transaction that it was sent in', async (t) => {
  const { gated, client } = await setUpCold(t, 'one', 'two');
  client.write(
    txSelect(1),
    basicGet(1, 'q'),
    basicAck(1, 0, true),
    txCommit(1),
    publish(1, 'q', 'three'),
    txRollback(1),
    basicRecover(1),
    basicGet(1, 'q'),
    basicGet(1, 'q'),
  );
  await client.expect(1, 'tx.select-ok');
  await readBegins(gated);
  gated.reads.release();
  t.match(await client.expectGot(1), { body: 'one' });
  await client.expect(1, 'tx.commit-ok');
  await client.expect(1, 'tx.rollback-ok');
  await client.expect(1, 'basic.recover-ok');
  t.match(await client.expectGot(1), { body: 'two' });
  await client.expect(1, 'basic.get-empty');
});

t.test('an ack of what was delivered before does not wait for a get', async (t) => {
  const { gated, client } = await setUpCold(t, 'one');
  client.write(queueDeclare(1, { queue: 'warm' }), publish(1, 'warm', 'w'), basicGet(1, 'warm'));
  await client.expect(1, 'queue.declare-ok');
  t.match(await client.expectGot(1), { tag: 1, body: 'w' });
  client.write(basicGet(1, 'q'), basicAck(1, 1));
  await readBegins(gated);
  await client.expectNothing(2);
  gated.reads.release();
  t.match(await client.expectGot(1), { tag: 2, body: 'one' });
});

t.test('a connection whose ack waits for a get can be closed by the server', async (t) => {
  const { gated, client, server } = await setUpCold(t, 'one');
  client.write(basicGet(1, 'q'), basicAck(1, 0, true));
  await readBegins(gated);
  const stopped = server.stop();
  await client.expect(0, 'connection.close');
  client.write(connectionCloseOk());
  await client.closed;
  gated.reads.release();
  await stopped;
});

t.test('a message read for a get on a channel that has closed since goes back', async (t) => {
  const { gated, client } = await setUpCold(t, 'one');
  client.write(basicGet(1, 'q'));
  await readBegins(gated);
  client.write(queueDeclare(1, { queue: 'missing', passive: true }));
  await client.expect(1, 'channel.close');
  gated.reads.release();
  client.write(basicGet(2, 'q'));
  t.match(await client.expectGot(2), { body: 'one' });
});

/** Resolves when the server waits for a read. */
function readBegins({ reads }: GatedFileSystem): Promise<void> {
  return eventually(() => {
    if (reads.waitingCount === 0) throw new Error('nothing is being read');
  });
}

t.test('a queue purged while its record is read gives the get what came after', async (t) => {
  const { gated, client } = await setUpCold(t, 'one', 'two');
  client.write(basicGet(1, 'q'));
  await readBegins(gated);
  client.write(queuePurge(2, 'q'), publish(2, 'q', 'three'));
  t.equal((await client.expect(2, 'queue.purge-ok')).args.messageCount, 2);
  gated.reads.release();
  t.match(await client.expectGot(1), { body: 'three' });
});

t.test('a queue deleted while its record is read leaves the get empty', async (t) => {
  const { gated, client } = await setUpCold(t, 'one');
  client.write(basicGet(1, 'q'));
  await readBegins(gated);
  client.write(queueDelete(2, 'q'));
  await client.expect(2, 'queue.delete-ok');
  gated.reads.release();
  await client.expect(1, 'basic.get-empty');
});

t.test('answers to gets that wait for their turn are laid out only up to a bound', async (t) => {
  const { gated, server, client } = await setUp(t);
  client.write(queueDeclare(2, { queue: 'many' }));
  await client.expect(2, 'queue.declare-ok');
  const count = 20;
  const body = Buffer.alloc(2 ** 18, 1);
  for (let i = 0; i < count; i++) await client.writeAll(publish(2, 'many', body));
  await client.expectNothing(2);
  gated.syncs.hold();
  client.write(queueDeclare(1, DURABLE));
  client.write(...Array.from({ length: count }, () => basicGet(1, 'many', true)));
  await client.expectNothing(2);
  t.ok(server.vhost.queue('many').index.readyCount > count / 2);
  gated.syncs.release();
  await client.expect(1, 'queue.declare-ok');
  for (let i = 1; i <= count; i++) t.equal((await client.expectGot(1)).tag, i);
  await client.expectNothing(1);
});
