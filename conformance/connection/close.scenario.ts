import { drain, enqueue, expectChannelError, getOne } from '../support/amqp.ts';
import { eventually } from '../support/deadline.ts';
import { noQueue } from '../support/replies.ts';
import { differs, scenario } from '../support/scenario.ts';

scenario(
  'a close of the client is answered with close-ok, then the server ends the socket [connection.close/by-client]',
  differs(
    'rabbitmq',
    'RabbitMQ 3.10 sends close-ok and leaves it to the client to end the socket.',
    'The standard lets either side end it; a client that only waits for the end must not wait for ever.',
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.send(0, 'connection.close');
      t.same(await raw.expect(0, 'connection.close-ok'), {});
    },
  ),
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(0, 'connection.close');
    t.same(await raw.expect(0, 'connection.close-ok'), {});
    await raw.expectEnd();
  },
);

scenario(
  'exclusive queues are gone by the time of close-ok [connection.close/exclusive-queues]',
  async (t, broker) => {
    const other = await broker.channel();
    const raw = await broker.rawChannel();
    const queue = broker.queueName('exclusive');
    raw.send(1, 'queue.declare', { queue, exclusive: true });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(0, 'connection.close');
    await raw.expect(0, 'connection.close-ok');
    await expectChannelError(t, other, noQueue(queue, 'queue.declare'), () =>
      other.checkQueue(queue),
    );
  },
);

scenario(
  'unacked messages are requeued in their order when the connection closes [connection.close/requeues]',
  async (t, broker) => {
    const { connection, channel } = await broker.session();
    const { queue } = await channel.assertQueue(broker.queueName('requeue'));
    await enqueue(channel, queue, 'one', 'two', 'three');
    await getOne(channel, queue);
    await getOne(channel, queue);
    await connection.close();
    t.same(await drain(await broker.channel(), queue), ['one', 'two', 'three']);
  },
);

scenario(
  'a lost socket requeues unacked messages and deletes exclusive queues [connection.close/socket-lost]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('requeue'));
    await enqueue(channel, queue, 'one');
    const raw = await broker.rawChannel();
    const exclusive = broker.queueName('exclusive');
    raw.send(1, 'queue.declare', { queue: exclusive, exclusive: true });
    await raw.expect(1, 'queue.declare-ok');
    await raw.get(1, queue);
    raw.destroy();
    await eventually('requeued', async () => (await channel.get(queue)) !== false);
    await eventually('deleted', async () => {
      // The name is free again as soon as an equal declaration is not refused as locked.
      const another = await broker.channel();
      return another.assertQueue(exclusive).then(
        () => true,
        () => false,
      );
    });
    t.pass('both happened without a word from the client');
  },
);

scenario(
  'after its close the server ignores everything until close-ok, then ends the socket [connection.close/by-server]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('ignored'));
    const raw = await broker.rawChannel();
    raw.send(1, 'channel.open');
    raw.publish(1, { routingKey: queue }, Buffer.from('ignored'));
    t.equal((await raw.expect(0, 'connection.close')).replyCode, 504);
    raw.publish(1, { routingKey: queue }, Buffer.from('ignored, too'));
    raw.send(1, 'queue.declare', { queue, passive: true });
    raw.send(0, 'connection.close-ok');
    await raw.expectEnd();
    t.same(raw.untaken, []);
    t.same(await drain(channel, queue), []);
  },
);

scenario(
  'a close of the client that crosses one of the server is answered [connection.close/crossing]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'channel.open');
    t.equal((await raw.expect(0, 'connection.close')).replyCode, 504);
    raw.send(0, 'connection.close');
    t.same(await raw.expect(0, 'connection.close-ok'), {});
  },
);

scenario(
  'what was sent before a close counts: publishes and acks alike [connection.close/sent-before]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('before'));
    await enqueue(channel, queue, 'acked');
    const raw = await broker.rawChannel();
    const { deliveryTag } = await raw.get(1, queue);
    raw.publish(1, { routingKey: queue }, Buffer.from('published'));
    raw.send(1, 'basic.ack', { deliveryTag });
    raw.send(0, 'connection.close');
    await raw.expect(0, 'connection.close-ok');
    t.same(await drain(channel, queue), ['published']);
  },
);

scenario(
  'exclusive queues are gone by the time the client reads a close of the server [connection.close/by-server-exclusive-queues]',
  async (t, broker) => {
    const other = await broker.channel();
    const raw = await broker.rawChannel();
    const queue = broker.queueName('exclusive');
    raw.send(1, 'queue.declare', { queue, exclusive: true });
    await raw.expect(1, 'queue.declare-ok');
    raw.send(1, 'channel.open');
    t.equal((await raw.expect(0, 'connection.close')).replyCode, 504);
    await expectChannelError(t, other, noQueue(queue, 'queue.declare'), () =>
      other.checkQueue(queue),
    );
  },
);
