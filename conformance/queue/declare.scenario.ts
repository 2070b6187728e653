import { enqueue, expectChannelError, getOne, publish } from '../support/amqp.ts';
import { openChannel } from '../support/broker.ts';
import { lockedQueue, noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'declare answers with the name and no messages or consumers [queue.declare/new]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('new');
    t.same(await channel.assertQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
  },
);

scenario(
  'declaring again with the same arguments answers with the counts [queue.declare/again]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('again'));
    await enqueue(channel, queue, 'one', 'two', 'three');
    await getOne(channel, queue);
    const consumer = await broker.channel();
    await consumer.prefetch(1);
    await consumer.consume(queue, () => undefined);
    await publishedToConsumer();
    t.same(await channel.assertQueue(queue), { queue, messageCount: 1, consumerCount: 1 });

    /** One of the three is unacked by the get, one by the consumer. */
    async function publishedToConsumer(): Promise<void> {
      let ready = 2;
      while (ready > 1) ready = (await channel.checkQueue(queue)).messageCount;
    }
  },
);

scenario(
  'passive declare of a queue answers with its counts, whatever the other arguments say [queue.declare/passive]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('passive');
    raw.send(1, 'queue.declare', { queue, durable: false });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'queue.declare', { queue, passive: true, durable: true, autoDelete: true });
    t.same(await raw.expect(1, 'queue.declare-ok'), { queue, messageCount: 0, consumerCount: 0 });
  },
);

scenario(
  'passive declare of a missing queue closes the channel with 404 [queue.declare/passive-missing]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('missing');
    await expectChannelError(t, channel, noQueue(queue, 'queue.declare'), () =>
      channel.checkQueue(queue),
    );
  },
);

scenario(
  'an empty name gets a generated one that starts with amq.gen- [queue.declare/server-named]',
  async (t, broker) => {
    const channel = await broker.channel();
    const first = await channel.assertQueue('', { exclusive: true });
    const second = await channel.assertQueue('', { exclusive: true });
    t.match(first.queue, /^amq\.gen-[A-Za-z0-9_-]{22}$/);
    t.not(first.queue, second.queue);
  },
);

scenario(
  'a new name with the prefix amq. closes the channel with 403 [queue.declare/reserved-prefix]',
  async (t, broker) => {
    const channel = await broker.channel();
    const text = "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'";
    await expectChannelError(t, channel, { code: 403, text, method: 'queue.declare' }, () =>
      channel.assertQueue('amq.mine'),
    );
  },
);

scenario(
  'a queue with a generated name can be declared passively [queue.declare/reserved-passive]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    t.equal((await channel.checkQueue(queue)).queue, queue);
  },
);

scenario(
  'a generated name cannot be declared again by name, not even by its owner [queue.declare/reserved-again]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const text = `ACCESS_REFUSED - queue name '${queue}' contains reserved prefix 'amq.*'`;
    await expectChannelError(t, channel, { code: 403, text, method: 'queue.declare' }, () =>
      channel.assertQueue(queue, { exclusive: true }),
    );
  },
);

scenario(
  'declaring a durable queue as transient closes the channel with 406 [queue.declare/inequivalent-durable]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('durable');
    await channel.assertQueue(queue, { durable: true });
    const text = `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${queue}' in vhost '/': received 'false' but current is 'true'`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.declare' }, () =>
      channel.assertQueue(queue, { durable: false }),
    );
  },
);

scenario(
  'declaring a kept queue as auto-delete closes the channel with 406 [queue.declare/inequivalent-auto-delete]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('kept');
    await channel.assertQueue(queue);
    const text = `PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue '${queue}' in vhost '/': received 'true' but current is 'false'`;
    await expectChannelError(t, channel, { code: 406, text, method: 'queue.declare' }, () =>
      channel.assertQueue(queue, { autoDelete: true }),
    );
  },
);

scenario(
  'declaring a shared queue as exclusive closes the channel with 405 [queue.declare/inequivalent-exclusive]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('shared');
    await channel.assertQueue(queue);
    await expectChannelError(t, channel, lockedQueue(queue, 'queue.declare'), () =>
      channel.assertQueue(queue, { exclusive: true }),
    );
  },
);

scenario(
  'an exclusive queue is locked for other connections with 405, also passively [queue.declare/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const queue = broker.queueName('exclusive');
    await owner.assertQueue(queue, { exclusive: true });
    const other = await broker.connect();
    const locked = lockedQueue(queue, 'queue.declare');
    const declaring = await openChannel(other);
    await expectChannelError(t, declaring, locked, () =>
      declaring.assertQueue(queue, { exclusive: true }),
    );
    const checking = await openChannel(other);
    await expectChannelError(t, checking, locked, () => checking.checkQueue(queue));
  },
);

scenario(
  'another channel of the same connection may use its exclusive queue [queue.declare/exclusive-same-connection]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const queue = broker.queueName('exclusive');
    await channel.assertQueue(queue, { exclusive: true });
    const second = await openChannel(connection);
    await enqueue(second, queue, 'one');
    t.equal((await getOne(second, queue)).content.toString(), 'one');
  },
);

scenario(
  'an exclusive queue is gone when its connection has closed [queue.declare/exclusive-deleted]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const queue = broker.queueName('exclusive');
    await channel.assertQueue(queue, { exclusive: true });
    await connection.close();
    const other = await broker.channel();
    await expectChannelError(t, other, noQueue(queue, 'queue.declare'), () =>
      other.checkQueue(queue),
    );
  },
);

scenario(
  'with no-wait nothing is answered and the queue exists [queue.declare/no-wait]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('no-wait');
    raw.send(1, 'queue.declare', { queue, noWait: true });
    raw.send(1, 'queue.declare', { queue, passive: true });
    t.equal((await raw.expect(1, 'queue.declare-ok')).queue, queue);
    t.same(raw.untaken, []);
  },
);

scenario(
  'an empty name cannot be declared passively [queue.declare/passive-empty-name]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    await raw.declareQueue(1);
    raw.send(1, 'queue.declare', { queue: '', passive: true });
    t.same(await raw.expectChannelClose(1), noQueue('', 'queue.declare'));
  },
);

scenario(
  'names may be any Unicode text up to 255 octets [queue.declare/unicode-name]',
  async (t, broker) => {
    const channel = await broker.channel();
    const prefix = broker.queueName('řada-очередь-队列-🐇-');
    const queue = prefix + 'x'.repeat(255 - Buffer.byteLength(prefix));
    t.teardown(() => channel.deleteQueue(queue));
    t.equal((await channel.assertQueue(queue)).queue, queue);
    await publish(channel, '', queue, 'found');
    t.equal((await getOne(channel, queue)).fields.routingKey, queue);
  },
);

scenario(
  'unknown arguments are accepted and not compared [queue.declare/unknown-argument]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('arguments');
    await channel.assertQueue(queue, { arguments: { 'x-nobody-knows': 1 } });
    t.equal((await channel.assertQueue(queue, { arguments: { other: 'two' } })).queue, queue);
  },
);

scenario(
  'an exclusive queue is not durable whatever is asked for, so both declarations are equal [queue.declare/exclusive-durable]',
  async (t, broker) => {
    const channel = await broker.channel();
    const queue = broker.queueName('exclusive');
    await channel.assertQueue(queue, { exclusive: true, durable: true });
    const again = await channel.assertQueue(queue, { exclusive: true, durable: false });
    t.equal(again.queue, queue);
  },
);

scenario(
  'with no-wait an error is told all the same [queue.declare/no-wait-error]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = broker.queueName('missing');
    raw.send(1, 'queue.declare', { queue, passive: true, noWait: true });
    t.same(await raw.expectChannelClose(1), noQueue(queue, 'queue.declare'));
  },
);
