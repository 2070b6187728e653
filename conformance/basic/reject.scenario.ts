import { drain, enqueue, expectChannelError, fakeMessage, getOne } from '../support/amqp.ts';
import { unknownTag } from '../support/replies.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'a rejected message returns to its original place, marked redelivered [basic.reject/requeue]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two', 'three');
    await getOne(channel, queue);
    channel.reject(await getOne(channel, queue), true);
    const back = await getOne(channel, queue);
    t.equal(back.content.toString(), 'two');
    t.equal(back.fields.redelivered, true);
    t.same(await drain(channel, queue), ['three']);
  },
);

scenario(
  'a message rejected without requeue is dropped [basic.reject/no-requeue]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one', 'two');
    channel.reject(await getOne(channel, queue), false);
    t.same(await drain(channel, queue), ['two']);
  },
);

scenario(
  'an unknown tag closes the channel with 406 [basic.reject/unknown-tag]',
  async (t, broker) => {
    const channel = await broker.channel();
    await expectChannelError(t, channel, unknownTag(3, 'basic.reject'), () =>
      channel.reject(fakeMessage(3)),
    );
  },
);

scenario(
  'a tag that was acked cannot be rejected any more [basic.reject/acked]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await enqueue(channel, queue, 'one');
    const message = await getOne(channel, queue);
    channel.ack(message);
    await expectChannelError(t, channel, unknownTag(1, 'basic.reject'), () =>
      channel.reject(message),
    );
  },
);

scenario('tag 0 closes the channel with 406 [basic.reject/zero]', async (t, broker) => {
  const raw = await broker.rawChannel();
  raw.send(1, 'basic.reject', { deliveryTag: 0 });
  t.same(await raw.expectChannelClose(1), unknownTag(0, 'basic.reject'));
});
