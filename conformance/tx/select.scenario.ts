import { scenario } from '../support/scenario.ts';
import { commit, openTransactional, takeAll } from './transaction.ts';

scenario(
  'select is answered, and a second one changes nothing [tx.select/again]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    const queue = await raw.declareQueue(1);
    raw.publish(1, { routingKey: queue }, Buffer.from('one'));
    raw.send(1, 'tx.select');
    t.same(await raw.expect(1, 'tx.select-ok'), {});
    t.same(await takeAll(raw, queue), []);
    await commit(raw);
    t.same(await takeAll(raw, queue), ['one']);
  },
);

for (const method of ['tx.commit', 'tx.rollback'] as const) {
  scenario(
    `${method} on a channel without select is refused [${method}/not-transactional]`,
    async (t, broker) => {
      const raw = await broker.rawChannel();
      raw.send(1, method);
      t.same(await raw.expectChannelClose(1), {
        code: 406,
        text: 'PRECONDITION_FAILED - channel is not transactional',
        method,
      });
    },
  );
}

scenario(
  'a channel in confirm mode cannot become transactional [tx.select/after-confirm]',
  async (t, broker) => {
    const raw = await broker.rawChannel();
    raw.send(1, 'confirm.select');
    await raw.expect(1, 'confirm.select-ok');
    raw.send(1, 'tx.select');
    t.same(await raw.expectChannelClose(1), {
      code: 406,
      text: 'PRECONDITION_FAILED - cannot switch from confirm to tx mode',
      method: 'tx.select',
    });
  },
);

scenario(
  'a transactional channel cannot go to confirm mode [confirm.select/after-tx]',
  async (t, broker) => {
    const raw = await openTransactional(broker);
    raw.send(1, 'confirm.select');
    t.same(await raw.expectChannelClose(1), {
      code: 406,
      text: 'PRECONDITION_FAILED - cannot switch from tx to confirm mode',
      method: 'confirm.select',
    });
  },
);
