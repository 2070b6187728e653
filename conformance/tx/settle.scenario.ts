import { eventually } from '../support/deadline.ts';
import { scenario } from '../support/scenario.ts';
import { commit, enqueue, openTransactional, rollback, takeAll } from './transaction.ts';

scenario(
  'an ack counts once it is committed; without that the message comes back [tx.commit/acks]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    await enqueue(raw, queue, 'committed', 'not committed');
    raw.send(1, 'basic.ack', { deliveryTag: (await raw.get(1, queue)).deliveryTag });
    await commit(raw);
    raw.send(1, 'basic.ack', { deliveryTag: (await raw.get(1, queue)).deliveryTag });
    await raw.closeChannel(1);
    const { body, redelivered } = await raw.get(2, queue);
    t.equal(body.toString(), 'not committed');
    t.equal(redelivered, true);
    await raw.getEmpty(2, queue);
  },
);

scenario(
  'after a rollback what was acked is unacked and can be acked again [tx.rollback/acks]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    await enqueue(raw, queue, 'one', 'two', 'three');
    for (let n = 0; n < 3; n += 1) await raw.get(1, queue);
    raw.send(1, 'basic.ack', { deliveryTag: 2 });
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    await rollback(raw);
    t.same(await takeAll(raw, queue), [], 'nothing is requeued');
    raw.send(1, 'basic.ack', { deliveryTag: 2, multiple: true });
    await commit(raw);
    await raw.closeChannel(1);
    t.same(await takeAll(raw, queue), ['three']);
  },
);

scenario(
  'a second ack of a delivery in a transaction is an error, and nothing is settled [tx.commit/ack-twice]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    await enqueue(raw, queue, 'one');
    await raw.get(1, queue);
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    t.same(await raw.expectChannelClose(1), {
      code: 406,
      text: 'PRECONDITION_FAILED - unknown delivery tag 1',
      method: 'basic.ack',
    });
    await eventually('requeue', async () => {
      raw.send(2, 'queue.declare', { queue, passive: true });
      return (await raw.expect(2, 'queue.declare-ok')).messageCount === 1;
    });
    t.same(await takeAll(raw, queue), ['one']);
  },
);

scenario(
  'rejects and requeues take effect with the commit [tx.commit/rejects]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    await enqueue(raw, queue, 'acked', 'dropped', 'requeued', 'requeued too', 'kept');
    for (let n = 0; n < 5; n += 1) await raw.get(1, queue);
    raw.send(1, 'basic.nack', { deliveryTag: 4, requeue: true });
    raw.send(1, 'basic.nack', { deliveryTag: 2, requeue: false });
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    raw.send(1, 'basic.nack', { deliveryTag: 3, requeue: true });
    t.same(await takeAll(raw, queue), []);
    await commit(raw);
    t.same(await takeAll(raw, queue), ['requeued', 'requeued too']);
    await raw.closeChannel(1);
    t.same(await takeAll(raw, queue), ['kept']);
  },
);

scenario(
  'an ack that is not committed still counts against the prefetch [tx.commit/prefetch]',
  async (t, broker) => {
    for (const global of [false, true]) {
      const raw = await openTransactional(broker);
      const queue = await raw.declareQueue(2);
      await enqueue(raw, queue, 'one', 'two');
      raw.send(1, 'basic.qos', { prefetchCount: 1, global });
      await raw.expect(1, 'basic.qos-ok');
      raw.send(1, 'basic.consume', { queue });
      await raw.expect(1, 'basic.consume-ok');
      const { deliveryTag } = await raw.expect(1, 'basic.deliver');
      await raw.expectHeader(1);
      await raw.expectBody(1);
      raw.send(1, 'basic.ack', { deliveryTag });
      // Answered with nothing before it: no delivery came of the ack.
      raw.send(1, 'channel.flow', { active: true });
      await raw.expect(1, 'channel.flow-ok');
      raw.send(1, 'tx.commit');
      const names = new Set<string>();
      while (names.size < 2) {
        const frame = await raw.nextFrame();
        if (frame.type !== 1) continue;
        names.add(frame.payload.readUInt16BE(0) === 90 ? 'commit-ok' : 'deliver');
      }
      t.same([...names].sort(), ['commit-ok', 'deliver']);
    }
  },
);

scenario(
  'recover requeues what the transaction has not acked, and leaves its acks [tx.commit/recover]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(2);
    await enqueue(raw, queue, 'acked', 'recovered');
    await raw.get(1, queue);
    await raw.get(1, queue);
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    raw.send(1, 'basic.recover', { requeue: true });
    await raw.expect(1, 'basic.recover-ok');
    t.same(await takeAll(raw, queue), ['recovered']);
    await commit(raw);
    await raw.closeChannel(1);
    t.same(await takeAll(raw, queue), []);
  },
);
