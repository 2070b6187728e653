import {
  bodies,
  consume,
  drain,
  enqueue,
  expectChannelError,
  fakeMessage,
  getOne,
} from '../support/amqp.ts';
import { unknownTag } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

const METHOD = 'basic.nack';

scenario(
  'a nacked message returns to its original place, marked redelivered [basic.nack/original-place]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three', 'four');
    await getOne(channel, queue);
    const second = await getOne(channel, queue);
    await getOne(channel, queue);
    channel.nack(second);
    const back = await getOne(channel, queue, { noAck: true });
    t.equal(back.content.toString(), 'two');
    t.equal(back.fields.redelivered, true);
    const next = await getOne(channel, queue, { noAck: true });
    t.equal(next.content.toString(), 'four');
    t.equal(next.fields.redelivered, false);
  },
);

scenario(
  'messages nacked in any order come back in their original order [basic.nack/original-order]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const letters = ['a', 'b', 'c', 'd', 'e', 'f'];
    await enqueue(channel, queue, ...letters);
    const messages = [];
    for (const _letter of letters) messages.push(await getOne(channel, queue));
    for (const index of [4, 0, 5, 2, 1, 3]) {
      const message = messages[index];
      if (message !== undefined) channel.nack(message);
    }
    t.same(await drain(channel, queue), letters);
  },
);

scenario('multiple requeues everything up to the tag [basic.nack/multiple]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await enqueue(channel, queue, 'one', 'two', 'three');
  await getOne(channel, queue);
  const second = await getOne(channel, queue);
  await getOne(channel, queue);
  channel.nack(second, true);
  t.same(await drain(channel, queue), ['one', 'two']);
});

scenario(
  'multiple with tag 0 requeues everything outstanding [basic.nack/multiple-all]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two');
    await getOne(channel, queue);
    await getOne(channel, queue);
    channel.nackAll();
    t.same(await drain(channel, queue), ['one', 'two']);
  },
);

scenario(
  'twenty thousand nacked at once come back before what came behind them [basic.nack/many]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const numbers = Array.from({ length: 20_000 }, (_, i) => `${i}`);
    await enqueue(channel, queue, ...numbers);
    const consumer = await consume(channel, queue);
    const last = (await consumer.deliveries.takeMany(numbers.length)).at(-1)!;
    await channel.cancel(consumer.tag);
    await enqueue(channel, queue, 'behind');
    channel.nack(last, true);
    const first = await getOne(channel, queue);
    t.same([first.content.toString(), first.fields.redelivered], ['0', true]);
    const rest = await consume(channel, queue, { noAck: true });
    t.same(await bodies(rest, numbers.length), [...numbers.slice(1), 'behind']);
  },
);

scenario('without requeue the message is dropped [basic.nack/no-requeue]', async (t, broker) => {
  const channel = await broker.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await enqueue(channel, queue, 'one', 'two', 'three');
  await getOne(channel, queue);
  channel.nack(await getOne(channel, queue), true, false);
  t.same(await drain(channel, queue), ['three']);
});

scenario(
  'a nacked message may be delivered to the same consumer again [basic.nack/same-consumer]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.prefetch(1);
    const consumer = await consume(channel, queue);
    await enqueue(channel, queue, 'one', 'two');
    channel.nack(await consumer.deliveries.take());
    const again = await consumer.deliveries.take();
    t.match(again.fields, { redelivered: true, deliveryTag: 2 });
    t.equal(again.content.toString(), 'one');
    channel.ack(again);
    t.same(await bodies(consumer, 1), ['two']);
  },
);

scenario(
  'a requeued message keeps its body and properties [basic.nack/untouched]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const properties = { messageId: 'm-1', headers: { a: 1 }, contentType: 'text/plain' };
    channel.sendToQueue(queue, Buffer.alloc(10_000, 'x'), properties);
    await channel.waitForConfirms();
    channel.nack(await getOne(channel, queue));
    const back = await getOne(channel, queue);
    t.match(back.properties, properties);
    t.ok(back.content.equals(Buffer.alloc(10_000, 'x')));
  },
);

scenario(
  'an unknown tag closes the channel with 406 [basic.nack/unknown-tag]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, unknownTag(9, METHOD), () => channel.nack(fakeMessage(9)));
  },
);

scenario(
  'tag 0 without multiple closes the channel with 406 [basic.nack/zero]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'basic.nack', { deliveryTag: 0 });
    t.same(await raw.expectChannelClose(1), unknownTag(0, METHOD));
  },
);

scenario('a tag that was nacked cannot be nacked again [basic.nack/double]', async (t, broker) => {
  const raw = await broker.rawChannel();
  const queue = await raw.declareQueue(1);
  raw.publish(1, { routingKey: queue }, Buffer.from('one'));
  const { deliveryTag } = await raw.get(1, queue);
  raw.send(1, 'basic.nack', { deliveryTag, requeue: false });
  raw.send(1, 'basic.nack', { deliveryTag, requeue: false });
  t.same(await raw.expectChannelClose(1), unknownTag(deliveryTag, 'basic.nack'));
});

scenario(
  'multiple up to a tag that is not outstanding closes the channel with 406, and everything comes back [basic.nack/multiple-unknown]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    await raw.get(1, queue);
    raw.send(1, 'basic.nack', { deliveryTag: 2, multiple: true, requeue: false });
    t.same(await raw.expectChannelClose(1), unknownTag(2, 'basic.nack'));
    await raw.openChannel(1);
    t.match(await raw.get(1, queue), { body: Buffer.from('one'), redelivered: true });
  },
);
