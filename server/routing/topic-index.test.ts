/** The topic index against a matcher that follows the definition of `*` and `#` by recursion. */
import fc from 'fast-check';
import t from 'tap';
import { EMPTY_TABLE, type FieldTable } from '../../codegen/runtime/field-table.ts';
import { NO_HEADERS } from './headers-view.ts';
import { TopicIndex } from './topic-index.ts';

interface Destination {
  readonly name: string;
}

const DESTINATIONS: readonly Destination[] = [{ name: 'q0' }, { name: 'q1' }, { name: 'q2' }];

function matchesByDefinition(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...patternRest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === '#' && matchesByDefinition(patternRest, words)) return true;
  const [word, ...wordsRest] = words;
  if (word === undefined) return false;
  if (first === '#') return matchesByDefinition(pattern, wordsRest);
  return (first === '*' || first === word) && matchesByDefinition(patternRest, wordsRest);
}

function names(index: TopicIndex<Destination>, routingKey: string): string[] {
  const out = new Set<Destination>();
  index.match(routingKey, NO_HEADERS, out);
  return [...out].map((destination) => destination.name).sort();
}

/** The routing keys out of `routingKeys` that one binding key matches. */
function keysMatched(bindingKey: string, routingKeys: readonly string[]): string[] {
  const index = new TopicIndex<Destination>();
  index.add(bindingKey, EMPTY_TABLE, DESTINATIONS[0]!);
  return routingKeys.filter((key) => names(index, key).length > 0);
}

t.test('keys match word by word, an empty word being a word', async (t) => {
  const keys = ['', '.', 'a', 'a.', '.a', 'a.b', 'a..b', 'a.b.c', 'b.a', '*', '#'];
  t.same(keysMatched('', keys), ['']);
  t.same(keysMatched('.', keys), ['.']);
  t.same(keysMatched('#', keys), keys);
  t.same(keysMatched('#.#', keys), keys);
  t.same(keysMatched('*', keys), ['', 'a', '*', '#']);
  t.same(keysMatched('*.*', keys), ['.', 'a.', '.a', 'a.b', 'b.a']);
  t.same(keysMatched('a', keys), ['a']);
  t.same(keysMatched('a.#', keys), ['a', 'a.', 'a.b', 'a..b', 'a.b.c']);
  t.same(keysMatched('#.a', keys), ['a', '.a', 'b.a']);
  t.same(keysMatched('a.*.b', keys), ['a..b']);
  t.same(keysMatched('a.#.b', keys), ['a.b', 'a..b']);
  t.same(keysMatched('#.b.#', keys), ['a.b', 'a..b', 'a.b.c', 'b.a']);
  t.same(keysMatched('*.#', keys), keys);
  t.same(keysMatched('a*', keys), []);
});

const bindingKey = fc
  .array(fc.constantFrom('a', 'b', '', '*', '#'), { minLength: 1, maxLength: 6 })
  .map((words) => words.join('.'));
const routingKey = fc
  .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 6 })
  .map((words) => words.join('.'));

t.test('any set of bindings matches as the definition says, while they come and go', async () => {
  const bindings = fc.uniqueArray(fc.tuple(bindingKey, fc.nat(2)), {
    selector: String,
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      bindings,
      fc.array(routingKey, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat(100)),
      (initial, routingKeys, picks) => {
        const bound = [...initial];
        const index = new TopicIndex<Destination>();
        for (const [key, to] of bound) index.add(key, EMPTY_TABLE, DESTINATIONS[to]!);
        for (;;) {
          if (index.size !== bound.length) return false;
          for (const routed of routingKeys) {
            const expected = DESTINATIONS.filter((_, to) =>
              bound.some(
                (b) => b[1] === to && matchesByDefinition(b[0].split('.'), routed.split('.')),
              ),
            ).map((destination) => destination.name);
            if (String(names(index, routed)) !== String(expected)) return false;
          }
          if (bound.length === 0) return true;
          const [gone] = bound.splice(picks.next().value % bound.length, 1);
          index.remove(gone![0], EMPTY_TABLE, DESTINATIONS[gone![1]]!);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

t.test('one key bound with two sets of arguments matches until both are gone', async (t) => {
  const index = new TopicIndex<Destination>();
  const args: FieldTable = new Map([['version', { tag: 'I', value: 2 }]]);
  index.add('a.*', EMPTY_TABLE, DESTINATIONS[0]!);
  index.add('a.*', args, DESTINATIONS[0]!);
  index.remove('a.*', EMPTY_TABLE, DESTINATIONS[0]!);
  t.same(names(index, 'a.b'), ['q0']);
  index.remove('a.*', args, DESTINATIONS[0]!);
  t.same(names(index, 'a.b'), []);
});

t.test('removing a binding that is not there changes nothing', async (t) => {
  const index = new TopicIndex<Destination>();
  index.add('a.b.c', EMPTY_TABLE, DESTINATIONS[0]!);
  for (const absent of ['a', 'a.b', 'a.b.*', 'a.b.c.d', 'x']) {
    index.remove(absent, EMPTY_TABLE, DESTINATIONS[0]!);
  }
  index.remove('a.b.c', EMPTY_TABLE, DESTINATIONS[1]!);
  t.equal(index.size, 1);
  t.same(names(index, 'a.b.c'), ['q0']);
});

t.test('an index whose bindings are all removed keeps none of their words', async (t) => {
  const index = new TopicIndex<Destination>();
  const keys = ['a.b.c', 'a.b', 'a.*.c', 'a.#', '#.a.#', '*', ''];
  for (const key of keys) index.add(key, EMPTY_TABLE, DESTINATIONS[0]!);
  for (const key of keys) index.remove(key, EMPTY_TABLE, DESTINATIONS[0]!);
  t.same(index, new TopicIndex());
});

t.test('the longest key of one-letter words against as many # as fit ends at once', async (t) => {
  // Trying every split would take longer than the universe has: the trie's nodes bound the work instead.
  const words = 128;
  const index = new TopicIndex<Destination>();
  index.add(
    Array(words / 2)
      .fill('#.a')
      .join('.'),
    EMPTY_TABLE,
    DESTINATIONS[0]!,
  );
  index.add(
    `${Array(words / 2 - 1)
      .fill('#.a')
      .join('.')}.#.b`,
    EMPTY_TABLE,
    DESTINATIONS[1]!,
  );
  index.add(Array(words).fill('#').join('.'), EMPTY_TABLE, DESTINATIONS[2]!);
  t.same(names(index, Array(words).fill('a').join('.')), ['q0', 'q2']);
});
