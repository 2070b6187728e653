import { consume, drain, enqueue, getOne } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'recover requeues all unacked messages of the channel in their original order [basic.recover/requeues]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three', 'four');
    await getOne(channel, queue);
    channel.ack(await getOne(channel, queue));
    await getOne(channel, queue);
    t.same(await channel.recover(), {});
    t.same(await drain(channel, queue), ['one', 'three', 'four']);
  },
);

scenario(
  'what was recovered is delivered again under new tags, marked redelivered [basic.recover/redelivered]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two');
    const consumer = await consume(channel, queue);
    await consumer.deliveries.takeMany(2);
    await channel.recover();
    const again = await consumer.deliveries.takeMany(2);
    t.same(
      again.map(({ content, fields }) => [
        content.toString(),
        fields.deliveryTag,
        fields.redelivered,
      ]),
      [
        ['one', 3, true],
        ['two', 4, true],
      ],
    );
  },
);

scenario('recover with nothing unacked is answered [basic.recover/nothing]', async (t, broker) => {
  const channel = await broker.channel();
  t.same(await channel.recover(), {});
});

scenario(
  'recover-async requeues without an answer [basic.recover-async/requeues]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    await raw.get(1, queue);
    raw.send(1, 'basic.recover-async', { requeue: true });
    raw.send(1, 'basic.get', { queue });
    t.match(await raw.expect(1, 'basic.get-ok'), { redelivered: true, deliveryTag: 2 });
  },
);

scenario(
  'recover without requeue closes the connection with 540 [basic.recover/no-requeue]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.recover', { requeue: false });
    t.same(await raw.expectConnectionClose(), {
      code: 540,
      text: 'NOT_IMPLEMENTED - requeue=false',
      method: 'basic.recover',
    });
  },
);

scenario(
  'recover-async without requeue closes the connection with 540 [basic.recover-async/no-requeue]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.recover-async', { requeue: false });
    t.same(await raw.expectConnectionClose(), {
      code: 540,
      text: 'NOT_IMPLEMENTED - requeue=false',
      method: 'basic.recover-async',
    });
  },
);

scenario(
  'recover on one channel leaves the unacked messages of another alone [basic.recover/own-channel]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    await raw.get(1, queue);
    await raw.openChannel(2);
    raw.send(2, 'basic.recover', { requeue: true });
    await raw.expect(2, 'basic.recover-ok');
    await raw.getEmpty(2, queue);
    t.pass('the message is still unacked');
  },
);
