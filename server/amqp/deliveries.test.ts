/** Deliveries and what becomes of them: prefetch, requeue to the old place, channels and connections that end. */
import t from 'tap';
import {
  anyFrame,
  basicAck,
  basicConsume,
  basicGet,
  basicNack,
  basicQos,
  bodyFrames,
  channelClose,
  channelCloseOk,
  channelOpen,
  connectionClose,
  contentHeader,
  publish,
  publishMethod,
  queueDeclare,
  queueDelete,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

const FRAME_HEADER = 2;

async function setUp(t: Teardown, gated = new GatedFileSystem()) {
  const server = await startAmqp(t, { fs: gated.fs });
  const openClient = async () => {
    const client = await RawClient.open(t, server.port);
    client.write(channelOpen(1), channelOpen(2));
    await client.expect(1, 'channel.open-ok');
    await client.expect(2, 'channel.open-ok');
    return client;
  };
  const client = await openClient();
  client.write(queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'queue.declare-ok');
  const queue = server.vhost.queue('q');
  return { gated, server, client, openClient, queue };
}

async function consume(client: RawClient, channel: number, tag: string): Promise<void> {
  client.write(basicConsume(channel, { queue: 'q', consumerTag: tag }));
  await client.expect(channel, 'basic.consume-ok');
}

const bodiesOf = (deliveries: readonly { readonly body: string }[]) =>
  deliveries.map(({ body }) => body);

t.test('prefetch bounds what is unacked, and every ack or nack lets one more go', async (t) => {
  const { client } = await setUp(t);
  client.write(basicQos(1, 2));
  await client.expect(1, 'basic.qos-ok');
  await consume(client, 1, 'c');
  client.write(...['a', 'b', 'c', 'd'].map((body) => publish(2, 'q', body)));
  t.same(bodiesOf(await client.expectDeliveries(1, 2)), ['a', 'b']);
  await client.expectNothing(2);
  client.write(basicAck(1, 2));
  t.match(await client.expectDeliveries(1, 1), [{ body: 'c', redelivered: false }]);
  client.write(basicNack(1, { deliveryTag: 1 }));
  t.match(await client.expectDeliveries(1, 1), [{ body: 'a', tag: 4, redelivered: true }]);
  await client.expectNothing(2);
  client.write(basicAck(1, 0, true));
  t.match(await client.expectDeliveries(1, 1), [{ body: 'd', redelivered: false }]);
});

t.test(
  'acks that come together count one by one, whatever their order and what is between',
  async (t) => {
    const { client, queue } = await setUp(t);
    await consume(client, 1, 'c');
    client.write(...Array.from({ length: 12 }, (_, i) => publish(2, 'q', `m${i + 1}`)));
    await client.expectDeliveries(1, 12);
    const acks = [2, 3, 4, 1, 8, 7, 10].map((tag) => basicAck(1, tag));
    client.write(
      Buffer.concat([...acks, publish(2, 'q', 'more'), basicAck(1, 11), basicAck(1, 12)]),
    );
    t.match(await client.expectDeliveries(1, 1), [{ body: 'more', tag: 13 }]);
    t.match([queue.index.unackedCount, queue.index.readyCount], [4, 0]);
    // What is acked cannot go back, nor be acked again.
    client.write(Buffer.concat([basicAck(1, 5), basicNack(1, { deliveryTag: 9, multiple: true })]));
    const back = await client.expectDeliveries(1, 2);
    t.same(bodiesOf(back), ['m6', 'm9']);
    client.write(Buffer.concat([basicAck(1, 14), basicAck(1, 14)]));
    const { args } = await client.expect(1, 'channel.close');
    t.match(args, { replyCode: 406, replyText: /unknown delivery tag 14/ });
    await consume(client, 2, 'after');
    t.same(bodiesOf(await client.expectDeliveries(2, 2)), ['m9', 'more']);
  },
);

t.test('acks of several channels in one read are carried out on each', async (t) => {
  const { client, queue } = await setUp(t);
  client.write(basicQos(1, 3), basicQos(2, 3));
  await client.expect(1, 'basic.qos-ok');
  await client.expect(2, 'basic.qos-ok');
  await consume(client, 1, 'one');
  await consume(client, 2, 'two');
  client.write(...Array.from({ length: 6 }, (_, i) => publish(1, 'q', `m${i}`)));
  for (let i = 0; i < 3; i++) {
    await client.expectDeliveries(1, 1);
    await client.expectDeliveries(2, 1);
  }
  const acks = [1, 2, 3].flatMap((tag) => [basicAck(1, tag), basicAck(2, tag)]);
  client.write(Buffer.concat([...acks, publish(1, 'q', 'last')]));
  await client.expectDeliveries(1, 1);
  t.match([queue.index.unackedCount, queue.index.readyCount], [1, 0]);
});

t.test('the limit of a channel counts its consumers, not what it got', async (t) => {
  const { client } = await setUp(t);
  client.write(basicQos(1, 1, true), publish(1, 'q', 'got'), basicGet(1, 'q'));
  await client.expect(1, 'basic.qos-ok');
  t.match(await client.expectGot(1), { body: 'got' });
  await consume(client, 1, 'c');
  client.write(publish(2, 'q', 'a'), publish(2, 'q', 'b'));
  t.match(await client.expectDeliveries(1, 1), [{ body: 'a', tag: 2 }]);
  await client.expectNothing(2);
  client.write(basicAck(1, 1));
  await client.expectNothing(2);
  client.write(basicAck(1, 2));
  t.match(await client.expectDeliveries(1, 1), [{ body: 'b' }]);
});

t.test('what a closed channel had not acked returns to its place', async (t) => {
  const { client, queue } = await setUp(t);
  client.write(basicQos(1, 4));
  await client.expect(1, 'basic.qos-ok');
  await consume(client, 1, 'c');
  client.write(...['a', 'b', 'c', 'd', 'e', 'f'].map((body) => publish(2, 'q', body)));
  await client.expectDeliveries(1, 4);
  client.write(basicAck(1, 2), channelClose(1));
  await client.expect(1, 'channel.close-ok');
  t.equal(queue.index.readyCount, 5);
  t.equal(queue.index.unackedCount, 0);
  await consume(client, 2, 'c');
  t.same(
    (await client.expectDeliveries(2, 5)).map(({ body, redelivered }) => [body, redelivered]),
    [
      ['a', true],
      ['c', true],
      ['d', true],
      ['e', false],
      ['f', false],
    ],
  );
});

t.test('an error of a channel returns what it had not acked', async (t) => {
  const { client, queue } = await setUp(t);
  await consume(client, 1, 'c');
  client.write(publish(2, 'q', 'a'));
  await client.expectDeliveries(1, 1);
  client.write(basicAck(1, 99));
  t.match((await client.expect(1, 'channel.close')).args, {
    replyCode: 406,
    replyText: 'PRECONDITION_FAILED - unknown delivery tag 99',
  });
  t.equal(queue.index.readyCount, 1);
  // What was on the way is dropped until the answer, and then the number is free.
  client.write(basicAck(1, 1), publish(1, 'q', 'too late'), channelCloseOk(1), channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  t.equal(queue.index.readyCount, 1);
});

t.test('a lost connection returns what it had not acked', async (t) => {
  const { client, openClient, queue } = await setUp(t);
  await consume(client, 1, 'c');
  client.write(...['a', 'b', 'c'].map((body) => publish(2, 'q', body)));
  await client.expectDeliveries(1, 3);
  client.write(basicAck(1, 1));
  await client.expectNothing(2);
  client.destroy();
  const other = await openClient();
  await eventually(() => {
    if (queue.index.readyCount < 2) throw new Error('not back');
  });
  await consume(other, 1, 'c');
  t.match(await other.expectDeliveries(1, 2), [
    { body: 'b', tag: 1, redelivered: true },
    { body: 'c', tag: 2, redelivered: true },
  ]);
});

t.test('acks just before the close of a connection count', async (t) => {
  const { client, queue } = await setUp(t);
  await consume(client, 1, 'c');
  client.write(publish(2, 'q', 'a'), publish(2, 'q', 'b'));
  await client.expectDeliveries(1, 2);
  client.write(basicAck(1, 2), connectionClose());
  await client.expect(0, 'connection.close-ok');
  t.equal(queue.index.readyCount, 1);
  t.equal(queue.index.unackedCount, 0);
});

t.test('an exclusive queue is gone before its connection is told that it is closed', async (t) => {
  const { server, client, openClient } = await setUp(t);
  client.write(queueDeclare(1, { queue: 'mine', exclusive: true }));
  await client.expect(1, 'queue.declare-ok');
  const other = await openClient();
  other.write(basicGet(1, 'mine'));
  t.equal((await other.expect(1, 'channel.close')).args.replyCode, 405);
  client.write(connectionClose());
  await client.expect(0, 'connection.close-ok');
  t.notOk(server.vhost.queues.has('mine'));
});

t.test('a connection lets go of exclusive queues that were deleted', async (t) => {
  const { server, client } = await setUp(t);
  client.write(queueDeclare(1, { queue: 'mine', exclusive: true }));
  await client.expect(1, 'queue.declare-ok');
  client.write(queueDelete(1, 'mine'), queueDeclare(1, { queue: 'mine', exclusive: true }));
  await client.expect(1, 'queue.delete-ok');
  await client.expect(1, 'queue.declare-ok');
  const { owner } = server.vhost.queue('mine');
  const queues = Reflect.get(owner ?? {}, 'exclusiveQueues') as ReadonlySet<unknown>;
  t.equal(queues.size, 1);
});

t.test('an ack for a queue that was deleted does nothing, a requeue neither', async (t) => {
  const { client } = await setUp(t);
  await consume(client, 1, 'c');
  client.write(publish(2, 'q', 'a'), publish(2, 'q', 'b'));
  await client.expectDeliveries(1, 2);
  client.write(queueDelete(2, 'q'));
  t.equal((await client.expect(1, 'basic.cancel')).args.consumerTag, 'c');
  t.equal((await client.expect(2, 'queue.delete-ok')).args.messageCount, 0);
  client.write(basicAck(1, 1), basicNack(1, { deliveryTag: 2 }));
  await client.expectNothing(1);
});

t.test('large bodies of interleaved channels, cut into many pieces, come out whole', async (t) => {
  const { client } = await setUp(t);
  const bodies = [1, 2].map((value) => Buffer.alloc(400_000 + value, value));
  const frames = bodies.map((body, i) => {
    const channel = i + 1;
    const pieces = [
      publishMethod(channel, { routingKey: 'q' }),
      contentHeader(channel, body.length),
    ];
    for (let at = 0; at < body.length; at += 50_000) {
      pieces.push(bodyFrames(channel, body.subarray(at, at + 50_000)));
    }
    return pieces;
  });
  const stream = Buffer.concat(
    frames[0]!.flatMap((frame, i) => [frame, frames[1]![i] ?? Buffer.alloc(0)]),
  );
  for (let at = 0; at < stream.length; at += 7919)
    await client.writeAll(stream.subarray(at, at + 7919));
  client.write(basicConsume(1, { queue: 'q', noAck: true }));
  await client.expect(1, 'basic.consume-ok');
  for (let i = 0; i < bodies.length; i++) {
    const { body } = await client.expect(1, 'basic.deliver');
    t.ok(bodies.some((sent) => sent.equals(body)));
  }
});

t.test('properties that are not what their flags say never reach a consumer', async (t) => {
  const { openClient, queue } = await setUp(t);
  const malformed = [
    [],
    [0],
    [0x80, 0],
    [0, 1],
    [0, 0, 0],
    [0x80, 0, 5, 65],
    [0x20, 0, 0, 0, 0, 9],
  ] as const;
  for (const properties of malformed) {
    const header = contentHeader(1, 1, Buffer.from(properties));
    const whole = Buffer.concat([
      publishMethod(1, { routingKey: 'q' }),
      header,
      bodyFrames(1, Buffer.from('x')),
    ]);
    for (const size of [whole.length, 5]) {
      const client = await openClient();
      for (let at = 0; at < whole.length; at += size) {
        await client.writeAll(whole.subarray(at, at + size));
      }
      t.match(
        await client.expect(0, 'connection.close'),
        { args: { replyCode: 501 } },
        `flags and values ${properties.join()}, in pieces of ${size}`,
      );
      t.equal(queue.index.readyCount, 0);
    }
  }
});

t.test('short frames while a connection closes do no harm', async (t) => {
  const { client } = await setUp(t);
  client.write(anyFrame(9, 1, Buffer.alloc(3)));
  await client.expect(0, 'connection.close');
  client.write(anyFrame(1, 0, Buffer.alloc(0)), anyFrame(FRAME_HEADER, 1, Buffer.alloc(1)));
  client.write(connectionClose());
  await client.expect(0, 'connection.close-ok');
});

t.test('clients that leave after the disk has failed do not take the server along', async (t) => {
  const { gated, server, client, openClient } = await setUp(t);
  client.write(queueDeclare(1, { queue: 'durable', durable: true }));
  await client.expect(1, 'queue.declare-ok');
  const count = 6000;
  for (let i = 0; i < count; i++) client.write(publish(2, 'durable', 'x'));
  client.write(basicConsume(1, { queue: 'durable' }));
  await client.expect(1, 'basic.consume-ok');
  await client.expectDeliveries(1, count);
  client.write(queueDeclare(1, { queue: 'passing', durable: true, autoDelete: true }));
  client.write(basicConsume(1, { queue: 'passing' }));
  await client.expect(1, 'queue.declare-ok');
  await client.expect(1, 'basic.consume-ok');
  await consume(client, 2, 'c');
  client.write(publish(2, 'q', 'a'));
  await client.expectDeliveries(2, 1);
  const other = await openClient();
  gated.failsSyncs = true;
  other.write(queueDeclare(1, { queue: 'never', durable: true }));
  await eventually(() => {
    if (server.broker.health().ok) throw new Error('the disk still works');
  });
  client.destroy();
  other.write(basicConsume(2, { queue: 'q' }));
  await other.expect(2, 'basic.consume-ok');
  t.match(await other.expectDeliveries(2, 1), [{ body: 'a', redelivered: true }]);
});
