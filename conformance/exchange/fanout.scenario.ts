import { BoundQueues } from '../support/routing.ts';
import { scenario } from '../support/scenario.ts';

scenario(
  'fanout routes to every queue whatever the keys are [exchange.fanout/all]',
  async (t, broker) => {
    const bound = await BoundQueues.bind(
      await broker.channel(),
      broker.exchangeName('fanout'),
      'fanout',
      {
        empty: { key: '' },
        key: { key: 'key' },
        other: { key: 'other' },
      },
    );
    t.same(await bound.reachedBy('key'), ['empty', 'key', 'other']);
    t.same(await bound.reachedBy(''), ['empty', 'key', 'other']);
  },
);
