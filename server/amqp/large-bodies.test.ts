/** Bodies above 1 MiB, on the wire: into files frame by frame, and out of them piece by piece. */
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LARGE_FOLDER, LARGE_HEADER_SIZE } from '../storage/large-file-format.ts';
import { INLINE_BODY_SIZE_MAX } from '../storage/large-files.ts';
import {
  basicAck,
  basicConsume,
  basicGet,
  basicNack,
  basicQos,
  bodyFrames,
  channelClose,
  channelCloseOk,
  channelFlow,
  channelOpen,
  confirmSelect,
  contentHeader,
  exchangeDeclare,
  publish,
  publishMethod,
  publishTo,
  queueBind,
  queueDeclare,
  queueDelete,
  queuePurge,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';

const MIB = 1024 * 1024;

/** A body that says at every word where in which body it lies. */
function testBody(size: number, seed = 1): Buffer {
  const body = Buffer.alloc(size, seed);
  for (let at = 0; at + 4 <= size; at += 4) body.writeInt32LE((at * 31 + seed * 7919) | 0, at);
  return body;
}

async function setUp(t: Teardown, dataDir = temporaryDirectory(t), frameMax = 131_072) {
  const gated = new GatedFileSystem();
  const server = await startAmqp(t, { fs: gated.fs, config: { dataDir } });
  const openClient = async () => {
    const client = await RawClient.open(t, server.port, { frameMax });
    client.write(channelOpen(1), channelOpen(2));
    await client.expect(1, 'channel.open-ok');
    await client.expect(2, 'channel.open-ok');
    return client;
  };
  const client = await openClient();
  client.write(queueDeclare(1, { queue: 'q', durable: true }));
  await client.expect(1, 'queue.declare-ok');
  const [folder] = readdirSync(dataDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.length === 40)
    .map(({ name }) => join(dataDir, name, LARGE_FOLDER));
  const files = () => {
    try {
      return readdirSync(folder!);
    } catch {
      return [];
    }
  };
  const filesBecome = (count: number) =>
    eventually(() => {
      if (files().length !== count) throw new Error(`${files().length} files, not ${count}`);
    });
  return { dataDir, gated, server, client, openClient, folder: folder!, files, filesBecome };
}

/** Resolves when a content is under way whose body is held back. */
async function readingBegins({ reads }: GatedFileSystem): Promise<void> {
  await eventually(() => {
    if (reads.waitingCount === 0) throw new Error('nothing is read yet');
  });
}

/** Publishes with confirms on channel 2. */
async function publishConfirmed(client: RawClient, queue: string, bodies: readonly Buffer[]) {
  client.write(confirmSelect(2));
  await client.expect(2, 'confirm.select-ok');
  for (const [i, body] of bodies.entries()) {
    await client.writeAll(publish(2, queue, body));
    t.equal((await client.expect(2, 'basic.ack')).args.deliveryTag, i + 1);
  }
}

t.test('a large body comes out as it went in, properties and all', async (t) => {
  for (const frameMax of [4096, 131_072]) {
    const { client, files, filesBecome } = await setUp(t, temporaryDirectory(t), frameMax);
    const properties = Buffer.from([0x10, 0, 2]);
    for (const size of [INLINE_BODY_SIZE_MAX, INLINE_BODY_SIZE_MAX + 1, 3 * MIB + 17]) {
      const body = testBody(size, frameMax);
      await client.writeAll(
        Buffer.concat([
          publishMethod(1, { routingKey: 'q' }),
          contentHeader(1, size, properties),
          bodyFrames(1, body, frameMax),
        ]),
      );
      await client.expectNothing(1);
      t.equal(files().length, size > INLINE_BODY_SIZE_MAX ? 1 : 0, `${size} bytes`);
      client.write(basicConsume(1, { queue: 'q', consumerTag: 'c' }));
      await client.expect(1, 'basic.consume-ok');
      const delivery = await client.expect(1, 'basic.deliver');
      t.ok(delivery.body.equals(body), `${size} bytes in frames of ${frameMax}`);
      t.match(delivery.args, { exchange: '', routingKey: 'q', redelivered: false });
      t.ok(delivery.properties.equals(properties));
      client.write(basicAck(1, delivery.args.deliveryTag), channelClose(1), channelOpen(1));
      await client.expect(1, 'channel.close-ok');
      await client.expect(1, 'channel.open-ok');
      await filesBecome(0);
    }
  }
});

t.test('a large body is confirmed, survives a restart, and goes with its ack', async (t) => {
  const dataDir = temporaryDirectory(t);
  const first = await setUp(t, dataDir);
  const body = testBody(2 * MIB);
  await publishConfirmed(first.client, 'q', [body, testBody(5)]);
  first.client.write(basicGet(1, 'q'));
  t.ok((await first.client.expect(1, 'basic.get-ok')).body.equals(body));
  first.client.destroy();
  await first.server.stop();
  const second = await setUp(t, dataDir);
  t.equal(second.server.vhost.queue('q').index.readyBytes, body.length + 5);
  second.client.write(basicGet(1, 'q'));
  const got = await second.client.expect(1, 'basic.get-ok');
  t.ok(got.body.equals(body));
  t.equal(got.args.redelivered, true);
  t.equal(second.files().length, 1);
  second.client.write(basicAck(1, 1));
  await second.filesBecome(0);
});

t.test('other channels go on while a content is under way, its own waits', async (t) => {
  const { gated, client } = await setUp(t);
  await publishConfirmed(client, 'q', [testBody(2 * MIB), testBody(100)]);
  gated.reads.hold();
  client.write(confirmSelect(1), basicConsume(1, { queue: 'q', consumerTag: 'c' }));
  await client.expect(1, 'confirm.select-ok');
  await client.expect(1, 'basic.consume-ok');
  await readingBegins(gated);
  const returned = publishTo(1, { routingKey: 'nowhere', mandatory: true }, 'come back');
  client.write(channelFlow(1), returned, basicGet(1, 'none'));
  // Channel 2 is asked later and answered first: twice, so that a turn has passed.
  await client.expectNothing(2);
  await client.expectNothing(2);
  gated.reads.release();
  t.equal((await client.expect(1, 'basic.deliver')).body.length, 2 * MIB);
  // The close, for a queue that is not there, has waited for the content as well.
  t.equal((await client.expect(1, 'channel.close')).args.replyCode, 404);
});

t.test('what waited behind a content leaves in its order', async (t) => {
  const { gated, client } = await setUp(t);
  await publishConfirmed(client, 'q', [testBody(2 * MIB), testBody(100)]);
  gated.reads.hold();
  client.write(confirmSelect(1), basicConsume(1, { queue: 'q', consumerTag: 'c' }));
  await client.expect(1, 'confirm.select-ok');
  await client.expect(1, 'basic.consume-ok');
  await readingBegins(gated);
  const returned = (text: string | Buffer) =>
    publishTo(1, { routingKey: 'nowhere', mandatory: true }, text);
  await client.writeAll(
    Buffer.concat([channelFlow(1), returned('small'), returned(testBody(3 * MIB, 3))]),
  );
  await client.expectNothing(2);
  gated.reads.release();
  t.equal((await client.expect(1, 'basic.deliver')).body.length, 2 * MIB);
  await client.expect(1, 'channel.flow-ok');
  t.equal((await client.expect(1, 'basic.return')).body.toString(), 'small');
  t.ok((await client.expect(1, 'basic.return')).body.equals(testBody(3 * MIB, 3)));
  const rest = [await client.next(), await client.next()];
  t.same(rest.map(({ name }) => name).sort(), ['basic.ack', 'basic.deliver']);
  t.match(
    rest.find(({ name }) => name === 'basic.ack'),
    { args: { deliveryTag: 2, multiple: true } },
  );
});

t.test('contents of several channels of a connection come out whole, side by side', async (t) => {
  const { client, openClient, filesBecome } = await setUp(t);
  const bodies = [1, 2, 3, 4, 5, 6].map((seed) => testBody(1.5 * MIB + seed, seed));
  await publishConfirmed(client, 'q', bodies);
  const consumer = await openClient();
  for (const channel of [3, 4, 5]) {
    consumer.write(channelOpen(channel));
    await consumer.expect(channel, 'channel.open-ok');
  }
  for (const channel of [1, 2, 3, 4, 5]) {
    consumer.write(basicConsume(channel, { queue: 'q', noAck: true, noWait: true }));
  }
  const found = new Set<number>();
  const channels = new Set<number>();
  for (const _ of bodies) {
    const { name, body, channel } = await consumer.next();
    t.equal(name, 'basic.deliver');
    channels.add(channel);
    found.add(bodies.findIndex((sent) => sent.equals(body)));
  }
  t.same([...found].sort(), [0, 1, 2, 3, 4, 5]);
  t.ok(channels.size > 1, 'more than one channel took part');
  await filesBecome(0);
});

t.test('a publish that ends before its body leaves nothing', async (t) => {
  const { client, openClient, files, filesBecome, server } = await setUp(t);
  const halves = Buffer.concat([
    publishMethod(1, { routingKey: 'q' }),
    contentHeader(1, 3 * MIB),
    bodyFrames(1, testBody(2 * MIB)),
  ]);
  const lost = await openClient();
  await lost.writeAll(halves);
  await eventually(() => {
    if (files().length === 0) throw new Error('not begun');
  });
  lost.destroy();
  await filesBecome(0);
  client.write(halves, channelClose(1));
  t.equal((await client.expect(0, 'connection.close')).args.replyCode, 505);
  await filesBecome(0);
  t.equal(server.vhost.queue('q').index.readyCount, 0);
  t.equal(server.vhost.store.largeFiles.count, 0);
});

t.test('a large body that no queue wants leaves nothing, returned or not', async (t) => {
  const { client, filesBecome, server } = await setUp(t);
  client.write(confirmSelect(1));
  await client.expect(1, 'confirm.select-ok');
  const body = testBody(2 * MIB);
  await client.writeAll(publishTo(1, { routingKey: 'nowhere' }, body));
  t.equal((await client.expect(1, 'basic.ack')).args.deliveryTag, 1);
  await filesBecome(0);
  await client.writeAll(publishTo(1, { routingKey: 'nowhere', mandatory: true }, body));
  const returned = await client.expect(1, 'basic.return');
  t.match(returned.args, { replyCode: 312, replyText: 'NO_ROUTE', routingKey: 'nowhere' });
  t.ok(returned.body.equals(body));
  t.equal((await client.expect(1, 'basic.ack')).args.deliveryTag, 2);
  await filesBecome(0);
  t.equal(server.vhost.store.largeFiles.count, 0);
});

t.test('a large body is gone when its publish is refused', async (t) => {
  const { client, filesBecome } = await setUp(t);
  await client.writeAll(publishTo(1, { exchange: 'missing' }, testBody(2 * MIB)));
  t.equal((await client.expect(1, 'channel.close')).args.replyCode, 404);
  await filesBecome(0);
});

t.test('gets of large bodies come one after the other, with acks and without', async (t) => {
  const { client, openClient, filesBecome, server } = await setUp(t);
  const bodies = [testBody(2 * MIB, 1), testBody(1.5 * MIB, 2), testBody(10, 3)];
  await publishConfirmed(client, 'q', bodies);
  const getter = await openClient();
  getter.write(basicGet(1, 'q'), basicGet(1, 'q', true), basicGet(1, 'q'), basicGet(1, 'q'));
  for (const [i, body] of bodies.entries()) {
    const got = await getter.expect(1, 'basic.get-ok');
    t.ok(got.body.equals(body), `body ${i}`);
    t.equal(got.args.messageCount, bodies.length - i - 1);
  }
  await getter.expect(1, 'basic.get-empty');
  await filesBecome(1);
  getter.write(basicNack(1, { deliveryTag: 1 }), basicGet(1, 'q'));
  const again = await getter.expect(1, 'basic.get-ok');
  t.ok(again.body.equals(bodies[0]!), 'what was requeued comes again');
  t.equal(again.args.redelivered, true);
  getter.write(basicAck(1, 0, true));
  await filesBecome(0);
  t.equal(server.vhost.queue('q').index.unackedCount, 0);
});

t.test('a get whose channel closes before its turn gives the message back', async (t) => {
  const { gated, client, files, server } = await setUp(t);
  await publishConfirmed(client, 'q', [testBody(2 * MIB, 1), testBody(2 * MIB, 2)]);
  client.write(basicGet(1, 'q'));
  await client.expect(1, 'basic.get-ok');
  client.write(basicNack(1, { deliveryTag: 1 }));
  await client.expectNothing(1);
  gated.syncs.hold();
  // The get-ok waits for the answer of the declare, and that for a sync.
  client.write(queueDeclare(1, { queue: 'other', durable: true }), basicGet(1, 'q'));
  client.write(basicAck(1, 99));
  t.equal((await client.expect(1, 'channel.close')).args.replyCode, 406);
  t.equal(server.vhost.queue('q').index.readyCount, 2);
  t.equal(files().length, 2);
  gated.syncs.release();
  client.write(channelCloseOk(1), channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  client.write(basicConsume(1, { queue: 'q', noAck: true }));
  await client.expect(1, 'basic.consume-ok');
  t.ok((await client.expect(1, 'basic.deliver')).body.equals(testBody(2 * MIB, 1)));
  t.ok((await client.expect(1, 'basic.deliver')).body.equals(testBody(2 * MIB, 2)));
});

t.test('one file serves all queues of a fan-out, until the last has let it go', async (t) => {
  const { client, files, filesBecome } = await setUp(t);
  client.write(exchangeDeclare(1, { exchange: 'fan', type: 'fanout' }));
  await client.expect(1, 'exchange.declare-ok');
  for (const [queue, durable] of [
    ['a', true],
    ['b', true],
    ['c', false],
    ['d', true],
    ['e', false],
  ] as const) {
    client.write(queueDeclare(1, { queue, durable }), queueBind(1, { queue, exchange: 'fan' }));
    await client.expect(1, 'queue.declare-ok');
    await client.expect(1, 'queue.bind-ok');
  }
  const body = testBody(2 * MIB);
  await client.writeAll(publishTo(1, { exchange: 'fan' }, body));
  for (const queue of ['a', 'c']) {
    client.write(basicGet(1, queue, true));
    t.ok((await client.expect(1, 'basic.get-ok')).body.equals(body), queue);
  }
  client.write(queuePurge(1, 'b'));
  t.equal((await client.expect(1, 'queue.purge-ok')).args.messageCount, 1);
  client.write(queueDelete(1, 'd'));
  t.equal((await client.expect(1, 'queue.delete-ok')).args.messageCount, 1);
  await client.expectNothing(1);
  t.equal(files().length, 1);
  client.write(basicGet(1, 'e', true));
  t.ok((await client.expect(1, 'basic.get-ok')).body.equals(body));
  await filesBecome(0);
});

t.test('a purge keeps the bodies of what is unacked', async (t) => {
  const { client, files, filesBecome } = await setUp(t);
  await publishConfirmed(
    client,
    'q',
    [1, 2, 3].map((seed) => testBody(1.1 * MIB, seed)),
  );
  client.write(basicGet(1, 'q'));
  await client.expect(1, 'basic.get-ok');
  client.write(queuePurge(1, 'q'));
  t.equal((await client.expect(1, 'queue.purge-ok')).args.messageCount, 2);
  await filesBecome(1);
  client.write(basicNack(1, { deliveryTag: 1 }), basicGet(1, 'q', true));
  t.ok((await client.expect(1, 'basic.get-ok')).body.equals(testBody(1.1 * MIB, 1)));
  await filesBecome(0);
  t.equal(files().length, 0);
});

t.test('a body for transient queues alone does not outlive them', async (t) => {
  const dataDir = temporaryDirectory(t);
  const { client, files, filesBecome, server } = await setUp(t, dataDir);
  client.write(queueDeclare(1, { queue: 'transient' }));
  await client.expect(1, 'queue.declare-ok');
  const body = testBody(2 * MIB);
  await publishConfirmed(client, 'transient', [body, body]);
  client.write(basicGet(1, 'transient', true));
  t.ok((await client.expect(1, 'basic.get-ok')).body.equals(body));
  await filesBecome(1);
  const [name] = files();
  client.destroy();
  await server.stop();
  t.same(files(), [name]);
  const next = await setUp(t, dataDir);
  await publishConfirmed(next.client, 'q', [body]);
  t.equal(next.files().length, 2, 'its number is not given out again');
  await next.server.vhost.store.checkpoint(next.server.vhost, false);
  await next.filesBecome(1);
  t.not(next.files()[0], name, 'a checkpoint later it is gone');
});

t.test('a disk that refuses a body costs the channel, and nothing remains', async (t) => {
  const { gated, client, files, filesBecome, server } = await setUp(t);
  const whole = publish(1, 'q', testBody(2 * MIB));
  await client.writeAll(whole.subarray(0, MIB));
  await eventually(() => {
    if (files().length === 0) throw new Error('not begun');
  });
  gated.fullFor = LARGE_FOLDER;
  await client.writeAll(whole.subarray(MIB));
  t.match((await client.expect(1, 'channel.close')).args, {
    replyCode: 506,
    replyText: 'RESOURCE_ERROR - message body cannot be stored: ENOSPC',
    classId: 60,
    methodId: 40,
  });
  await filesBecome(0);
  client.write(channelCloseOk(1), channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  await client.writeAll(whole);
  t.equal((await client.expect(1, 'channel.close')).args.replyCode, 506);
  await filesBecome(0);
  gated.fullFor = '';
  client.write(channelCloseOk(1), channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  await client.writeAll(whole);
  await client.expectNothing(1);
  t.equal(server.vhost.queue('q').index.readyCount, 1);
});

t.test('a body that cannot be read costs the channel, and the message stays', async (t) => {
  const { client, folder, files, server } = await setUp(t);
  await publishConfirmed(client, 'q', [testBody(2 * MIB)]);
  const path = join(folder, files()[0]!);
  truncateSync(path, 10);
  client.write(basicConsume(1, { queue: 'q' }));
  await client.expect(1, 'basic.consume-ok');
  t.match((await client.expect(1, 'channel.close')).args, {
    replyCode: 541,
    replyText: 'INTERNAL_ERROR - message body cannot be read',
  });
  t.equal(server.vhost.queue('q').index.readyCount, 1);
  writeFileSync(path, Buffer.alloc(100));
  client.write(channelCloseOk(1), channelOpen(1), basicGet(1, 'q'));
  await client.expect(1, 'channel.open-ok');
  t.equal((await client.expect(1, 'channel.close')).args.replyCode, 541);
  t.equal(server.vhost.queue('q').index.readyCount, 1);
});

t.test('a body that fails in the middle, or is not what came, is never completed', async (t) => {
  const { client, openClient, folder, files, server } = await setUp(t);
  await publishConfirmed(client, 'q', [testBody(2 * MIB)]);
  const path = join(folder, files()[0]!);
  const header = readFileSync(path).subarray(0, LARGE_HEADER_SIZE);
  const wrong = testBody(2 * MIB);
  wrong[wrong.length - 1]! ^= 1;
  for (const bytes of [wrong, testBody(MIB)]) {
    writeFileSync(path, Buffer.concat([header, bytes]));
    const victim = await openClient();
    victim.write(basicConsume(1, { queue: 'q' }));
    await victim.expect(1, 'basic.consume-ok');
    t.equal((await victim.expect(0, 'connection.close')).args.replyCode, 541);
    t.equal(server.vhost.queue('q').index.readyCount, 1);
  }
});

t.test('a body above the limit is refused by its header', async (t) => {
  const server = await startAmqp(t, { config: { maxMessageSizeBytes: 2 * MIB } });
  const client = await RawClient.open(t, server.port);
  client.write(channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  client.write(publishMethod(1, { routingKey: 'q' }), contentHeader(1, 2 * MIB + 1));
  t.match((await client.expect(1, 'channel.close')).args, {
    replyCode: 406,
    replyText: `PRECONDITION_FAILED - message size ${2 * MIB + 1} is larger than configured max size ${2 * MIB}`,
  });
  t.equal(server.vhost.store.largeFiles.nextFile, 1);
});

t.test('a closing channel completes its content first', async (t) => {
  const { gated, client, openClient, server } = await setUp(t);
  const body = testBody(2 * MIB);
  await publishConfirmed(client, 'q', [body]);
  for (const closes of [channelClose(1), basicAck(1, 99)]) {
    gated.reads.hold();
    const consumer = await openClient();
    consumer.write(basicConsume(1, { queue: 'q' }));
    await consumer.expect(1, 'basic.consume-ok');
    await readingBegins(gated);
    consumer.write(closes);
    await consumer.expectNothing(2);
    gated.reads.release();
    const delivery = await consumer.expect(1, 'basic.deliver');
    t.ok(delivery.body.equals(body));
    const { name } = await consumer.next();
    t.ok(name === 'channel.close-ok' || name === 'channel.close', name);
    t.equal(server.vhost.queue('q').index.readyCount, 1);
    consumer.destroy();
  }
});

t.test('a connection that is lost in the middle of a content gives it back', async (t) => {
  const { gated, client, openClient, server, filesBecome } = await setUp(t);
  const body = testBody(2 * MIB);
  await publishConfirmed(client, 'q', [body]);
  gated.reads.hold();
  const consumer = await openClient();
  consumer.write(basicConsume(1, { queue: 'q' }));
  await consumer.expect(1, 'basic.consume-ok');
  await readingBegins(gated);
  consumer.destroy();
  await eventually(() => {
    if (server.vhost.queue('q').index.readyCount === 0) throw new Error('not back');
  });
  gated.reads.release();
  client.write(basicGet(1, 'q', true));
  t.ok((await client.expect(1, 'basic.get-ok')).body.equals(body));
  await filesBecome(0);
});

t.test('a consumer that does not read costs a few pieces, whatever it is sent', async (t) => {
  const { client, openClient, server } = await setUp(t);
  const bodies = [1, 2, 3, 4].map((seed) => testBody(12 * MIB, seed));
  await publishConfirmed(client, 'q', bodies);
  const slow = await openClient();
  slow.keepsBodies = false;
  slow.pause();
  slow.write(basicQos(1, 1), basicQos(2, 1));
  slow.write(basicConsume(1, { queue: 'q' }), basicConsume(2, { queue: 'q' }));
  const [connection] = [
    ...(Reflect.get(server.listener, 'connections') as ReadonlySet<{
      readonly output: { readonly isBlocked: boolean; readonly pendingBytes: number };
      readonly largeOutput: object;
    }>),
  ].slice(-1);
  await eventually(() => {
    if (!connection!.output.isBlocked) throw new Error('the socket takes it still');
  });
  await client.expectNothing(1);
  const ready = Reflect.get(connection!.largeOutput, 'ready') as readonly unknown[];
  t.ok(connection!.output.pendingBytes <= 2 * MIB, `${connection!.output.pendingBytes} bytes wait`);
  t.ok(ready.length <= 2);
  slow.resume();
  await slow.expect(1, 'basic.qos-ok');
  await slow.expect(2, 'basic.qos-ok');
  await slow.expect(1, 'basic.consume-ok');
  await slow.expect(2, 'basic.consume-ok');
  const first = [await slow.next(), await slow.next()];
  t.same(first.map(({ channel }) => channel).sort(), [1, 2], 'both channels come to their end');
});

t.test('a body of 64 MiB passes through without being held', async (t) => {
  const { client, openClient, server } = await setUp(t);
  const { listener, broker } = server;
  let peak = 0;
  const measure = () => {
    const held = listener.connectionBytes() + listener.outputBytes + broker.blockBytes;
    peak = Math.max(peak, held);
  };
  const size = 64 * MIB;
  const piece = testBody(MIB);
  client.write(confirmSelect(2));
  await client.expect(2, 'confirm.select-ok');
  client.write(publishMethod(2, { routingKey: 'q' }), contentHeader(2, size));
  for (let at = 0; at < size; at += piece.length) {
    await client.writeAll(bodyFrames(2, piece));
    measure();
  }
  await client.expect(2, 'basic.ack');
  const consumer = await openClient();
  consumer.keepsBodies = false;
  consumer.write(basicConsume(1, { queue: 'q', noAck: true }));
  await consumer.expect(1, 'basic.consume-ok');
  const done = consumer.deliveriesReach(1);
  for (let isDone = false; !isDone; measure()) {
    isDone = await Promise.race([
      done.then(() => true),
      new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
    ]);
  }
  t.ok(peak < 8 * MIB, `${peak} bytes at most`);
});
