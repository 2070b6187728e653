import { scenario } from '../support/scenario.ts';
import { commit, openTransactional, rollback, takeAll } from './transaction.ts';

scenario(
  'messages are in their queues after the commit, in order, and not before [tx.commit/publishes]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const first = await raw.declareQueue(2);
    const second = await raw.declareQueue(2);
    for (const body of ['one', 'two', 'three']) {
      raw.publish(1, { routingKey: first }, Buffer.from(body));
      raw.publish(1, { routingKey: second }, Buffer.from(body));
    }
    t.same(await takeAll(raw, first), []);
    await commit(raw);
    t.same(await takeAll(raw, first), ['one', 'two', 'three']);
    t.same(await takeAll(raw, second), ['one', 'two', 'three']);
    await commit(raw);
    t.same(await takeAll(raw, first), []);
  },
);

scenario(
  'a large message with properties is committed as it was published [tx.commit/content]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    const body = Buffer.alloc(300_000, 'abc');
    const properties = Buffer.from([0x80, 0, 4, ...Buffer.from('text')]);
    raw.publish(1, { routingKey: queue }, body, properties);
    raw.publish(1, { routingKey: queue }, Buffer.alloc(0));
    await commit(raw);
    const message = await raw.get(2, queue);
    t.ok(message.body.equals(body));
    t.same(message.properties, properties);
    t.equal((await raw.get(2, queue)).body.length, 0);
  },
);

scenario(
  'persistent messages for a durable queue are committed [tx.commit/durable]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = broker.queueName('durable');
    raw.send(2, 'queue.declare', { queue, durable: true });
    await raw.expect(2, 'queue.declare-ok');
    const persistent = Buffer.from([0x10, 0, 2]);
    for (const body of ['one', 'two']) {
      raw.publish(1, { routingKey: queue }, Buffer.from(body), persistent);
    }
    await commit(raw);
    t.same(await takeAll(raw, queue), ['one', 'two']);
  },
);

scenario('a rollback drops what was published [tx.rollback/publishes]', async (t, broker) => {
  const raw = await openTransactional(broker);
  const queue = await raw.declareQueue(2);
  raw.publish(1, { routingKey: queue }, Buffer.from('dropped'));
  await rollback(raw);
  raw.publish(1, { routingKey: queue }, Buffer.from('kept'));
  await commit(raw);
  t.same(await takeAll(raw, queue), ['kept']);
});

scenario(
  'the close of the channel drops what was not committed [tx.commit/channel-closed]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    raw.publish(1, { routingKey: queue }, Buffer.from('dropped'));
    await raw.closeChannel(1);
    t.same(await takeAll(raw, queue), []);
  },
);

scenario(
  'a missing exchange is an error at the publish, and nothing is committed [tx.commit/no-exchange]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    raw.publish(1, { routingKey: queue }, Buffer.from('dropped'));
    raw.publish(1, { exchange: 'no such exchange' }, Buffer.from('wrong'));
    t.match(await raw.expectChannelClose(1), { code: 404, method: 'basic.publish' });
    t.same(await takeAll(raw, queue), []);
  },
);

scenario(
  'a mandatory message without a queue is returned with the commit [tx.commit/returns]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    raw.publish(1, { routingKey: 'nowhere', mandatory: true }, Buffer.from('back'));
    raw.publish(1, { routingKey: 'nowhere' }, Buffer.from('gone'));
    raw.send(1, 'basic.qos');
    await raw.expect(1, 'basic.qos-ok');
    raw.send(1, 'tx.commit');
    t.match(await raw.expect(1, 'basic.return'), { replyCode: 312, routingKey: 'nowhere' });
    await raw.expectHeader(1);
    t.equal((await raw.expectBody(1)).toString(), 'back');
    await raw.expect(1, 'tx.commit-ok');
  },
);

scenario(
  'messages go where they were routed when they were published [tx.commit/routed-at-publish]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const early = await raw.declareQueue(2);
    const late = await raw.declareQueue(2);
    const exchange = broker.exchangeName('fan');
    raw.send(2, 'exchange.declare', { exchange, type: 'fanout' });
    await raw.expect(2, 'exchange.declare-ok');
    raw.send(2, 'queue.bind', { queue: early, exchange });
    await raw.expect(2, 'queue.bind-ok');
    raw.publish(1, { exchange }, Buffer.from('one'));
    raw.send(1, 'basic.qos');
    await raw.expect(1, 'basic.qos-ok');
    raw.send(2, 'queue.bind', { queue: late, exchange });
    await raw.expect(2, 'queue.bind-ok');
    await commit(raw);
    t.same(await takeAll(raw, early), ['one']);
    t.same(await takeAll(raw, late), []);
  },
);

scenario(
  'a queue that was deleted before the commit gets nothing, one made anew does [tx.commit/queue-gone]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const anew = broker.queueName('anew');
    for (const queue of [anew, broker.queueName('gone')]) {
      raw.send(2, 'queue.declare', { queue });
      await raw.expect(2, 'queue.declare-ok');
      raw.publish(1, { routingKey: queue, mandatory: true }, Buffer.from('one'));
      raw.send(1, 'basic.qos');
      await raw.expect(1, 'basic.qos-ok');
      raw.send(2, 'queue.delete', { queue });
      await raw.expect(2, 'queue.delete-ok');
    }
    raw.send(2, 'queue.declare', { queue: anew });
    await raw.expect(2, 'queue.declare-ok');
    raw.send(1, 'tx.commit');
    t.match(await raw.expect(1, 'basic.return'), { replyCode: 312 });
    await raw.expectHeader(1);
    await raw.expectBody(1);
    await raw.expect(1, 'tx.commit-ok');
    t.same(await takeAll(raw, anew), ['one']);
  },
);
