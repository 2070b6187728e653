/** Direct reply-to, as far as conformance/basic/direct-reply does not say it: order, large bodies, transactions, limits. */
import t from 'tap';
import { ByteReader, decodeBasicProperties } from '../../generated/index.ts';
import {
  basicCancel,
  basicConsume,
  basicGet,
  channelClose,
  channelOpen,
  confirmSelect,
  publish,
  publishTo,
  publishWith,
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

const PSEUDO_QUEUE = 'amq.rabbitmq.reply-to';
const MIB = 2 ** 20;

/** A requester and a responder, with channels 1 and 2 each, and the queue of requests. */
async function setUp(t: Teardown) {
  const gated = new GatedFileSystem();
  const server = await startAmqp(t, { fs: gated.fs });
  t.teardown(() => gated.syncs.release());
  const openClient = async () => {
    const client = await RawClient.open(t, server.port);
    client.write(channelOpen(1), channelOpen(2));
    await client.expect(1, 'channel.open-ok');
    await client.expect(2, 'channel.open-ok');
    return client;
  };
  const requester = await openClient();
  const responder = await openClient();
  responder.write(queueDeclare(1, { queue: 'requests' }));
  await responder.expect(1, 'queue.declare-ok');
  return { gated, server, requester, responder };
}

const consumeReplies = (consumerTag = 'replies') =>
  basicConsume(1, { queue: PSEUDO_QUEUE, consumerTag, noAck: true });
const request = () => publishWith(1, { routingKey: 'requests' }, { replyTo: PSEUDO_QUEUE }, 'ask');

/** Takes a request; the name that it is to be answered under. */
async function takeRequest(responder: RawClient): Promise<string> {
  responder.write(basicGet(2, 'requests', true));
  const { properties } = await responder.expect(2, 'basic.get-ok');
  return decodeBasicProperties(new ByteReader(properties, 0, properties.length)).replyTo ?? '';
}

/** The requester consumes replies and has sent a request. */
async function setUpRequest(t: Teardown) {
  const set = await setUp(t);
  set.requester.write(consumeReplies(), request());
  await set.requester.expect(1, 'basic.consume-ok');
  await set.requester.expectNothing(1);
  return { ...set, name: await takeRequest(set.responder) };
}

t.test('a reply reaches its requester past every queue and the log', async (t) => {
  const { server, requester, responder, name } = await setUpRequest(t);
  const { vhost } = server;
  t.match(name, /^amq\.rabbitmq\.reply-to\.[A-Za-z0-9_-]{22}$/);
  const { end } = vhost.store.log;
  responder.write(publishWith(1, { routingKey: name }, { correlationId: '7' }, 'answer'));
  const { args, body, properties } = await requester.expect(1, 'basic.deliver');
  t.same(args, {
    consumerTag: 'replies',
    deliveryTag: 1,
    redelivered: false,
    exchange: '',
    routingKey: name,
  });
  t.equal(body.toString(), 'answer');
  t.same(decodeBasicProperties(new ByteReader(properties, 0, properties.length)), {
    correlationId: '7',
  });
  t.same([...vhost.queues.keys()], ['requests']);
  t.equal(vhost.store.log.end, end);
});

t.test('a reply does not overtake the consume-ok that waits for its turn', async (t) => {
  const { gated, requester, responder } = await setUp(t);
  gated.syncs.hold();
  requester.write(queueDeclare(1, { queue: 'd', durable: true }), consumeReplies(), request());
  await requester.expectNothing(2);
  const name = await takeRequest(responder);
  responder.write(publish(1, name, 'early'));
  await responder.expectNothing(1);
  await requester.expectNothing(2);
  gated.syncs.release();
  await requester.expect(1, 'queue.declare-ok');
  await requester.expect(1, 'basic.consume-ok');
  t.match(await requester.expectDeliveries(1, 1), [{ body: 'early' }]);
});

t.test('a large reply is streamed, and its file is gone afterwards', async (t) => {
  const { server, requester, responder, name } = await setUpRequest(t);
  const body = Buffer.alloc(3 * MIB, 'large');
  responder.write(publish(1, name, body), publish(1, name, 'small behind it'));
  const large = await requester.expect(1, 'basic.deliver');
  t.ok(large.body.equals(body));
  t.match(await requester.expectDeliveries(1, 1), [{ body: 'small behind it', tag: 2 }]);
  await eventually(() => {
    if (server.vhost.store.largeFiles.count > 0) throw new Error('the file is still there');
  });
});

t.test('a message may go to a queue and to a requester, small or large', async (t) => {
  const { requester, responder, name } = await setUpRequest(t);
  const list = (key: string) => ({ tag: 'A' as const, value: [{ tag: 'S' as const, value: key }] });
  for (const body of [Buffer.from('small'), Buffer.alloc(2 * MIB, 'x')]) {
    const headers = new Map([['BCC', list(name)]]);
    responder.write(publishWith(1, { routingKey: 'requests' }, { headers }, body));
    t.ok((await requester.expect(1, 'basic.deliver')).body.equals(body));
    responder.write(basicGet(1, 'requests', true));
    t.ok((await responder.expect(1, 'basic.get-ok')).body.equals(body));
  }
});

t.test('a mandatory reply is returned once nobody consumes, and not before', async (t) => {
  const { requester, responder, name } = await setUpRequest(t);
  const mandatory = (body: string | Buffer) =>
    publishTo(1, { routingKey: name, mandatory: true }, body);
  responder.write(confirmSelect(1), mandatory('one'));
  await responder.expect(1, 'confirm.select-ok');
  await responder.expect(1, 'basic.ack');
  requester.write(basicCancel(1, 'replies'));
  t.match(await requester.expectDeliveries(1, 1), [{ body: 'one' }]);
  await requester.expect(1, 'basic.cancel-ok');
  responder.write(mandatory('two'));
  t.equal((await responder.expect(1, 'basic.return')).body.toString(), 'two');
  await responder.expect(1, 'basic.ack');
  responder.write(mandatory(Buffer.alloc(2 * MIB)));
  t.equal((await responder.expect(1, 'basic.return')).body.length, 2 * MIB);
  await responder.expect(1, 'basic.ack');
});

t.test('the end of the channel, or of the connection, ends its name', async (t) => {
  const { server, requester, responder, name } = await setUpRequest(t);
  const { directReplies } = server.vhost;
  requester.write(channelClose(1), channelOpen(1), consumeReplies(), request());
  await requester.expect(1, 'channel.close-ok');
  await requester.expect(1, 'channel.open-ok');
  await requester.expect(1, 'basic.consume-ok');
  const second = await takeRequest(responder);
  t.not(second, name, 'a new one has a new name');
  t.equal(directReplies.find(name), null);
  t.ok(directReplies.find(second));
  requester.destroy();
  await eventually(() => {
    if (directReplies.find(second) !== null) throw new Error('it is still there');
  });
});

t.test('in a transaction a reply leaves with the commit', async (t) => {
  const { requester, responder, name } = await setUpRequest(t);
  responder.write(txSelect(1), publish(1, name, 'dropped'), txRollback(1));
  await responder.expect(1, 'tx.select-ok');
  await responder.expect(1, 'tx.rollback-ok');
  responder.write(publish(1, name, 'one'), publish(1, name, Buffer.alloc(2 * MIB)));
  await responder.expectNothing(2);
  await requester.expectNothing(2);
  responder.write(txCommit(1));
  await responder.expect(1, 'tx.commit-ok');
  t.match(await requester.expectDeliveries(1, 1), [{ body: 'one' }]);
  t.equal((await requester.expect(1, 'basic.deliver')).body.length, 2 * MIB);
  responder.write(publishTo(1, { routingKey: name, mandatory: true }, 'late'));
  await responder.expectNothing(2);
  requester.write(basicCancel(1, 'replies'));
  await requester.expect(1, 'basic.cancel-ok');
  responder.write(txCommit(1));
  t.equal((await responder.expect(1, 'basic.return')).body.toString(), 'late');
  await responder.expect(1, 'tx.commit-ok');
});

t.test('a requester that does not read counts as gone when 64 MiB wait for it', async (t) => {
  const { server, requester, responder, name } = await setUpRequest(t);
  requester.pause();
  const count = 120;
  let sent = 0;
  const body = Buffer.alloc(MIB);
  while (sent < count) {
    responder.write(publishTo(1, { routingKey: name, mandatory: true }, body));
    sent++;
  }
  await responder.expect(1, 'basic.return');
  t.ok(server.listener.outputBytes < 120 * MIB);
});
