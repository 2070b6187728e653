/** An empty queue name stands for the queue that was declared last on the channel. */
import { drain } from '../support/amqp.ts';
import type { SendableName } from '../support/methods.ts';
import { scenario } from '../support/scenario.ts';

/** Methods that name a queue; queue.bind has scenarios of its own in bind.scenario.ts. */
const METHODS = [
  'queue.unbind',
  'queue.purge',
  'queue.delete',
  'basic.consume',
  'basic.get',
] as const satisfies readonly SendableName[];

for (const method of METHODS) {
  scenario(
    `${method} with an empty queue name on a channel that declared none closes it with 404 [${method}/none-declared]`,
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, method, { queue: '' });
      const text = 'NOT_FOUND - no previously declared queue';
      t.same(await raw.expectChannelClose(1), { code: 404, text, method });
    },
  );
}

scenario(
  'what another channel declared is not the queue declared last [queue.purge/other-channel]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    await raw.openChannel(2);
    await raw.declareQueue(2);
    raw.send(1, 'queue.purge');
    t.match(await raw.expectChannelClose(1), { code: 404 });
  },
);

scenario(
  'an empty name purges the queue declared last [queue.purge/last-declared]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const kept = await raw.declareQueue(1);
    const purged = await raw.declareQueue(1);
    for (const routingKey of [kept, purged]) raw.publish(1, { routingKey }, Buffer.from('one'));
    raw.send(1, 'queue.purge');
    t.same(await raw.expect(1, 'queue.purge-ok'), { messageCount: 1 });
    t.equal((await raw.get(1, kept)).body.toString(), 'one');
  },
);

scenario(
  'an empty name gets from the queue declared last [basic.get/last-declared]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    t.equal((await raw.get(1, '')).body.toString(), 'one');
  },
);

scenario(
  'an empty name unbinds the queue declared last; with an empty key that too is its name [queue.unbind/last-declared]',
  async (t, broker) => {
    const channel = await broker.channel();
    const raw = await broker.rawChannel();
    const queue = broker.queueName('last');
    raw.send(1, 'queue.declare', { queue });
    await raw.expect(1, 'queue.declare-ok');
    for (const routingKey of [queue, 'other']) {
      raw.send(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey });
      await raw.expect(1, 'queue.bind-ok');
    }
    raw.send(1, 'queue.unbind', { exchange: 'amq.direct' });
    await raw.expect(1, 'queue.unbind-ok');
    for (const routingKey of [queue, 'other']) {
      raw.publish(1, { exchange: 'amq.direct', routingKey }, Buffer.from(routingKey));
    }
    await raw.closeChannel(1);
    t.same(await drain(channel, queue), ['other']);
  },
);
