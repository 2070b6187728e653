import { drain, publish } from '../support/amqp.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'select is answered, also when the channel is in confirm mode already [confirm.select/again]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    for (const expectedTag of [1, 2]) {
      raw.send(1, 'confirm.select');
      t.same(await raw.expect(1, 'confirm.select-ok'), {});
      raw.publish(1, { routingKey: queue }, Buffer.from('one'));
      t.match(await raw.expect(1, 'basic.ack'), { deliveryTag: expectedTag });
    }
  },
);

scenario(
  'with no-wait nothing is answered and publishes are confirmed [confirm.select/no-wait]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'confirm.select', { noWait: true });
    raw.publish(1, { exchange: 'amq.fanout' }, Buffer.from('one'));
    t.same(await raw.expect(1, 'basic.ack'), { deliveryTag: 1, multiple: false });
  },
);

scenario(
  'tags count every publish from 1 and each is confirmed once, in order [confirm.select/sequence]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.send(1, 'confirm.select');
    await raw.expect(1, 'confirm.select-ok');
    const total = 200;
    for (let n = 0; n < total; n += 1) {
      // Every third one matches no queue and is confirmed all the same.
      const routingKey = n % 3 === 0 ? `${queue}-missing` : queue;
      raw.publish(1, { routingKey }, Buffer.from(`${n}`));
    }
    const confirmed = new Set<number>();
    while (confirmed.size < total) {
      const { deliveryTag, multiple } = await raw.expect(1, 'basic.ack');
      const first = multiple ? 1 : deliveryTag;
      const before = confirmed.size;
      for (let tag = first; tag <= deliveryTag; tag += 1) confirmed.add(tag);
      t.ok(confirmed.size > before, `tag ${deliveryTag} confirms something new`);
    }
    t.same(
      [...confirmed].sort((a, b) => a - b),
      Array.from({ length: total }, (_, index) => index + 1),
    );
  },
);

scenario('a publish before select is not counted [confirm.select/before]', async (t, broker) => {
  const raw = await broker.rawChannel();
  const queue = await raw.declareQueue(1);
  raw.publish(1, { routingKey: queue }, Buffer.from('before'));
  raw.send(1, 'confirm.select');
  await raw.expect(1, 'confirm.select-ok');
  raw.publish(1, { routingKey: queue }, Buffer.from('after'));
  t.same(await raw.expect(1, 'basic.ack'), { deliveryTag: 1, multiple: false });
});

scenario(
  'the return of an unroutable message comes before its confirm [confirm.select/return-first]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'confirm.select');
    await raw.expect(1, 'confirm.select-ok');
    raw.publish(1, { routingKey: broker.queueName('nobody'), mandatory: true }, Buffer.from('1'));
    t.match(await raw.expect(1, 'basic.return'), { replyCode: 312, replyText: 'NO_ROUTE' });
    await raw.expectHeader(1);
    await raw.expectBody(1);
    t.same(await raw.expect(1, 'basic.ack'), { deliveryTag: 1, multiple: false });
  },
);

scenario(
  'no confirm covers a message whose return is still to come [confirm.select/returns-and-multiple]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const returned = new Set<string>();
    channel.on('return', (message: { content: Buffer }) => {
      returned.add(message.content.toString());
    });
    const total = 100;
    const confirms = Array.from({ length: total }, async (_, n) => {
      const routed = n % 2 === 0;
      const key = routed ? queue : `${queue}-missing`;
      await publish(channel, '', key, `${n}`, { mandatory: true });
      t.equal(returned.has(`${n}`), !routed, `message ${n} at its confirm`);
    });
    await Promise.all(confirms);
    t.equal((await drain(channel, queue)).length, total / 2);
  },
);

scenario(
  'persistent messages in a durable queue are confirmed [confirm.select/durable]',
  async (t, broker) => {
    const channel = await broker.channel();
    const { queue } = await channel.assertQueue(broker.queueName('durable'), { durable: true });
    const bodies = Array.from({ length: 50 }, (_, index) => `${index}`);
    await Promise.all(
      bodies.map((body) => publish(channel, '', queue, body, { persistent: true })),
    );
    t.same(await drain(channel, queue), bodies);
  },
);

scenario(
  'a message for a durable and a transient queue is confirmed once [confirm.select/both-kinds]',
  async (t, broker) => {
    const channel = await broker.channel();
    const exchange = broker.exchangeName('both');
    await channel.assertExchange(exchange, 'fanout');
    const { queue: durable } = await channel.assertQueue(broker.queueName('durable'));
    const { queue: transient } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(durable, exchange, '');
    await channel.bindQueue(transient, exchange, '');
    await publish(channel, exchange, '', 'both', { persistent: true });
    t.same(await drain(channel, durable), ['both']);
    t.same(await drain(channel, transient), ['both']);
  },
);

scenario(
  'a channel without confirm mode gets no confirms [confirm.select/off]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { exchange: 'amq.fanout' }, Buffer.from('one'));
    raw.send(1, 'basic.get', { queue });
    t.same(await raw.expect(1, 'basic.get-empty'), {});
  },
);
