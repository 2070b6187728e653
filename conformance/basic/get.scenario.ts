import { enqueue, expectChannelError, getOne, textOf } from '../support/amqp.ts';
import { lockedQueue, noQueue } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'basic.get';

scenario('an empty queue answers get-empty [basic.get/empty]', async (t, broker) => {
  const raw = await broker.rawChannel();
  const queue = await raw.declareQueue(1);
  raw.send(1, 'basic.get', { queue });
  t.same(await raw.expect(1, 'basic.get-empty'), {});
});

scenario(
  'get answers with the oldest message and how many are ready behind it [basic.get/message-count]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    const first = await getOne(channel, queue);
    t.equal(textOf(first), 'one');
    t.match(first.fields, { deliveryTag: 1, redelivered: false, messageCount: 2 });
    const second = await getOne(channel, queue);
    t.equal(textOf(second), 'two');
    t.match(second.fields, { deliveryTag: 2, redelivered: false, messageCount: 1 });
  },
);

scenario('a message taken with no-ack is gone at once [basic.get/no-ack]', async (t, broker) => {
  const { connection, channel } = await broker.session();
  const { queue } = await channel.assertQueue(broker.queueName('no-ack'));
  await enqueue(channel, queue, 'one');
  await getOne(channel, queue, { noAck: true });
  await connection.close();
  const other = await broker.channel();
  t.equal(await other.get(queue), false);
});

scenario(
  'a message taken with acknowledgement is not given to another get [basic.get/unacked]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    await getOne(channel, queue);
    t.equal(await channel.get(queue), false);
  },
);

scenario(
  'an ack of all there is, sent behind a get without waiting, covers its message [basic.get/pipelined-ack]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    raw.send(1, 'basic.get', { queue });
    raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    raw.send(1, 'basic.recover', { requeue: true });
    raw.send(1, 'basic.get', { queue });
    t.match(await raw.expect(1, 'basic.get-ok'), { deliveryTag: 1 });
    await raw.expectHeader(1);
    await raw.expectBody(1);
    await raw.expect(1, 'basic.recover-ok');
    await raw.expect(1, 'basic.get-empty');
  },
);

scenario('a missing queue closes the channel with 404 [basic.get/missing]', async (t, broker) => {
  const channel = await broker.channel();
  const queue = broker.queueName('missing');
  await expectChannelError(t, channel, noQueue(queue, METHOD), () => channel.get(queue));
});

scenario(
  'an exclusive queue of another connection closes the channel with 405 [basic.get/exclusive-locked]',
  async (t, broker) => {
    const owner = await broker.channel();
    const { queue } = await owner.assertQueue('', { exclusive: true });
    const other = await broker.channel();
    await expectChannelError(t, other, lockedQueue(queue, METHOD), () => other.get(queue));
  },
);
