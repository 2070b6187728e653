import type { Test } from 'tap';
import type { Broker } from '../support/broker.ts';
import { BoundQueues } from '../support/routing.ts';
import { scenario } from '../support/scenario.ts';

/** Binds one queue per key and checks, for every routing key, which of the binding keys match. */
async function expectMatches(
  t: Test,
  broker: Broker,
  bindingKeys: readonly string[],
  expected: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const bindings = Object.fromEntries(bindingKeys.map((key) => [key, { key }]));
  const bound = await BoundQueues.bind(
    await broker.channel(),
    broker.exchangeName('topic'),
    'topic',
    bindings,
  );
  for (const [routingKey, matching] of Object.entries(expected)) {
    t.same(await bound.reachedBy(routingKey), matching, `routing key '${routingKey}'`);
  }
}

scenario('* stands for exactly one word [exchange.topic/star]', (t, broker) =>
  expectMatches(t, broker, ['*', 'a.*', '*.b', 'a.*.c', '*.*'], {
    a: ['*'],
    'a.b': ['a.*', '*.b', '*.*'],
    'a.b.c': ['a.*.c'],
    'a.c': ['a.*', '*.*'],
    'a.b.b.c': [],
  }),
);

scenario('# stands for any number of words, also none [exchange.topic/hash]', (t, broker) =>
  expectMatches(t, broker, ['#', 'a.#', '#.b', 'a.#.b', '#.x.#', '#.#'], {
    '': ['#', '#.#'],
    a: ['#', 'a.#', '#.#'],
    b: ['#', '#.b', '#.#'],
    'a.b': ['#', 'a.#', '#.b', 'a.#.b', '#.#'],
    'a.x.y.b': ['#', 'a.#', '#.b', 'a.#.b', '#.x.#', '#.#'],
    'c.x': ['#', '#.x.#', '#.#'],
  }),
);

scenario('* and # work together [exchange.topic/mixed]', (t, broker) =>
  expectMatches(t, broker, ['*.#', '#.*', '*.#.*', '#.*.#', 'a.*.#'], {
    a: ['*.#', '#.*', '#.*.#'],
    'a.b': ['*.#', '#.*', '*.#.*', '#.*.#', 'a.*.#'],
    'a.b.c': ['*.#', '#.*', '*.#.*', '#.*.#', 'a.*.#'],
  }),
);

scenario('empty words are words [exchange.topic/empty-words]', (t, broker) =>
  expectMatches(t, broker, ['a.*.b', 'a..b', 'a.b', '.', '*.*', ''], {
    'a..b': ['a.*.b', 'a..b'],
    'a.b': ['a.b', '*.*'],
    '.': ['.', '*.*'],
    '': [''],
  }),
);

scenario(
  '* and # are wildcards only as whole words and only in the binding [exchange.topic/literal]',
  (t, broker) =>
    expectMatches(t, broker, ['a*', 'a#.b', 'plain.word'], {
      'a*': ['a*'],
      ab: [],
      'a#.b': ['a#.b'],
      'ax.b': [],
      'plain.*': [],
      '#': [],
    }),
);

scenario('keys may be Unicode text and 255 octets long [exchange.topic/long-keys]', (t, broker) => {
  const long = `${'слово.'.repeat(20)}конец${'!'.repeat(25)}`;
  const words = Array.from({ length: 128 }, () => 'w').join('.');
  return expectMatches(t, broker, [long, '#.конец.#', words, `${'*.'.repeat(127)}*`], {
    [long]: [long],
    'а.конец.б': ['#.конец.#'],
    [words]: [words, `${'*.'.repeat(127)}*`],
  });
});
