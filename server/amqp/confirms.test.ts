/** Confirms: in publishing order, never before what they promise. */
import t from 'tap';
import {
  channelOpen,
  confirmSelect,
  publish,
  publishTo,
  queueBind,
  queueDeclare,
} from '../testing/client-frames.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

/** A confirming channel 1 and a plain channel 2; queues `durable` and `transient`, both bound to amq.fanout. */
async function setUp(t: Teardown) {
  const gated = new GatedFileSystem();
  const server = await startAmqp(t, { fs: gated.fs });
  t.teardown(() => gated.syncs.release());
  const client = await RawClient.open(t, server.port);
  client.write(channelOpen(1), channelOpen(2), confirmSelect(1));
  client.write(queueDeclare(2, { queue: 'durable', durable: true }));
  client.write(queueDeclare(2, { queue: 'transient' }));
  client.write(queueBind(2, { queue: 'durable', exchange: 'amq.fanout' }));
  client.write(queueBind(2, { queue: 'transient', exchange: 'amq.fanout' }));
  for (let replies = 0; replies < 7; replies++) await client.next();
  return { gated, client };
}

t.test('a durable message is confirmed once it is synced', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(publish(1, 'durable'));
  await client.expectNothing(2);
  gated.syncs.release();
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 1, multiple: false });
});

t.test('what needs no disk is confirmed while a sync is held', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(publish(1, 'transient'));
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 1, multiple: false });
  client.write(publish(1, 'nowhere'));
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 2, multiple: false });
});

t.test('a transient or unroutable message waits for the durable one before it', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(
    publish(1, 'transient'),
    publish(1, 'durable'),
    publish(1, 'transient'),
    publish(1, 'nowhere'),
  );
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 1, multiple: false });
  await client.expectNothing(2);
  gated.syncs.release();
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 4, multiple: true });
});

t.test('a confirm of several never covers what a later sync is for', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(publish(1, 'durable', 'first'));
  await client.expectNothing(2);
  // The sync for the first is under way: it does not count for the second.
  client.write(publish(1, 'durable', 'second'));
  await client.expectNothing(2);
  gated.syncs.release();
  gated.syncs.hold();
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 1, multiple: false });
  await client.expectNothing(2);
  gated.syncs.release();
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 2, multiple: false });
});

t.test('a message for a durable and a transient queue waits for the disk', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(publishTo(1, { exchange: 'amq.fanout' }, 'both'));
  await client.expectNothing(2);
  gated.syncs.release();
  await client.expect(1, 'basic.ack');
});

t.test('a mandatory message that found no queue is returned before its confirm', async (t) => {
  const { client } = await setUp(t);
  client.write(
    publishTo(1, { routingKey: 'nowhere', mandatory: true }, 'back'),
    publish(1, 'transient'),
  );
  t.match((await client.expect(1, 'basic.return')).args, {
    replyCode: 312,
    replyText: 'NO_ROUTE',
    routingKey: 'nowhere',
  });
  t.same((await client.expect(1, 'basic.ack')).args, { deliveryTag: 2, multiple: true });
});

t.test('a large mixed burst is confirmed to its last message, ascending', async (t) => {
  const { client } = await setUp(t);
  const queues = ['durable', 'transient', 'nowhere'] as const;
  const count = 3000;
  for (let i = 0; i < count; i++) client.write(publish(1, queues[i % 3]!, `message ${i}`));
  let last = 0;
  while (last < count) {
    const { deliveryTag, multiple } = (await client.expect(1, 'basic.ack')).args;
    t.equal(multiple, deliveryTag - last > 1) || t.bailout();
    last = deliveryTag;
  }
  t.equal(last, count);
});

t.test('a sync that fails confirms nothing until the disk takes it elsewhere', async (t) => {
  const { gated, client } = await setUp(t);
  gated.failsSyncs = true;
  client.write(publish(1, 'durable'));
  await client.expectNothing(2);
  client.write(publish(1, 'transient'));
  await client.expectNothing(2);
  gated.failsSyncs = false;
  let last = 0;
  while (last < 2) last = (await client.expect(1, 'basic.ack')).args.deliveryTag;
});

t.test('confirms of a channel that was closed do not come', async (t) => {
  const { gated, client } = await setUp(t);
  gated.syncs.hold();
  client.write(publish(1, 'durable'), queueDeclare(1, { queue: 'missing', passive: true }));
  await client.expect(1, 'channel.close');
  gated.syncs.release();
  await client.expectNothing(2);
});
