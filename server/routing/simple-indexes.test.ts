/** Direct and fanout indexes against a list of bindings that is searched from end to end. */
import fc from 'fast-check';
import t from 'tap';
import { EMPTY_TABLE, type FieldTable } from '../../codegen/runtime/field-table.ts';
import type { BindingIndex } from './binding-index.ts';
import { DirectIndex } from './direct-index.ts';
import { FanoutIndex } from './fanout-index.ts';
import { NO_HEADERS } from './headers-view.ts';

interface Destination {
  readonly name: string;
}

const DESTINATIONS: readonly Destination[] = [{ name: 'q0' }, { name: 'q1' }, { name: 'q2' }];
const ARGUMENTS: readonly FieldTable[] = [EMPTY_TABLE, new Map([['n', { tag: 'I', value: 1 }]])];
const KEYS = ['', 'a', 'b', '#'];

/** One distinct binding: indexes into the lists above. */
const binding = fc.tuple(fc.nat(3), fc.nat(1), fc.nat(2));

function matched(index: BindingIndex<Destination>, key: string): Destination[] {
  const out = new Set<Destination>();
  index.match(key, NO_HEADERS, out);
  return [...out].sort((a, b) => a.name.localeCompare(b.name));
}

function agreesWithList(
  createIndex: () => BindingIndex<Destination>,
  routes: (bindingKey: string, routingKey: string) => boolean,
): void {
  fc.assert(
    fc.property(
      fc.uniqueArray(binding, { selector: String, maxLength: 20 }),
      fc.infiniteStream(fc.nat(100)),
      (bindings, picks) => {
        const index = createIndex();
        const bound = [...bindings];
        for (const [key, args, to] of bound) {
          index.add(KEYS[key]!, ARGUMENTS[args]!, DESTINATIONS[to]!);
        }
        for (;;) {
          if (index.size !== bound.length) return false;
          for (const routingKey of KEYS) {
            const expected = DESTINATIONS.filter((_, to) =>
              bound.some((b) => b[2] === to && routes(KEYS[b[0]]!, routingKey)),
            );
            if (
              String(matched(index, routingKey).map((d) => d.name)) !==
              String(expected.map((d) => d.name))
            )
              return false;
          }
          if (bound.length === 0) return true;
          const [gone] = bound.splice(picks.next().value % bound.length, 1);
          index.remove(KEYS[gone![0]]!, ARGUMENTS[gone![1]]!, DESTINATIONS[gone![2]]!);
        }
      },
    ),
  );
}

t.test('a direct index routes to the bindings whose key equals the routing key', async () => {
  agreesWithList(
    () => new DirectIndex(),
    (bindingKey, routingKey) => bindingKey === routingKey,
  );
});

t.test('a fanout index routes to every binding', async () => {
  agreesWithList(
    () => new FanoutIndex(),
    () => true,
  );
});

t.test('removing a binding that is not there changes nothing', async (t) => {
  for (const index of [new DirectIndex<Destination>(), new FanoutIndex<Destination>()]) {
    index.add('a', EMPTY_TABLE, DESTINATIONS[0]!);
    index.remove('a', EMPTY_TABLE, DESTINATIONS[1]!);
    t.equal(index.size, 1);
    t.same(matched(index, 'a'), [DESTINATIONS[0]]);
  }
});
