/** The headers index against a check of every binding in turn, and the validation of its arguments. */
import fc from 'fast-check';
import t from 'tap';
import type { FieldTable, FieldValue } from '../../codegen/runtime/field-table.ts';
import { bindingId } from './binding-id.ts';
import { validateHeadersArguments } from './headers-arguments.ts';
import { HeadersIndex } from './headers-index.ts';

interface Destination {
  readonly name: string;
}

const DESTINATIONS: readonly Destination[] = [{ name: 'q0' }, { name: 'q1' }, { name: 'q2' }];

function text(value: string): FieldValue {
  return { tag: 'S', value };
}

function table(...pairs: readonly (readonly [string, FieldValue])[]): FieldTable {
  return new Map(pairs);
}

function names(index: HeadersIndex<Destination>, headers: FieldTable): string[] {
  const out = new Set<Destination>();
  index.match('', headers, out);
  return [...out].map((destination) => destination.name).sort();
}

function matches(args: FieldTable, headers: FieldTable): boolean {
  const index = new HeadersIndex<Destination>();
  index.add('', args, DESTINATIONS[0]!);
  return names(index, headers).length > 0;
}

const A: readonly [string, FieldValue] = ['a', text('1')];
const B: readonly [string, FieldValue] = ['b', text('2')];
const X: readonly [string, FieldValue] = ['x-c', text('3')];

function mode(value: string): readonly [string, FieldValue] {
  return ['x-match', text(value)];
}

t.test('all demands every header, any demands one, all being the default', async (t) => {
  t.ok(matches(table(A, B), table(A, B, X)));
  t.notOk(matches(table(A, B), table(A)));
  t.ok(matches(table(mode('all'), A, B), table(B, A)));
  t.notOk(matches(table(mode('all'), A), table(['a', text('2')])));
  t.ok(matches(table(mode('any'), A, B), table(B)));
  t.notOk(matches(table(mode('any'), A, B), table(X)));
});

t.test('x- arguments count only in the with-x modes', async (t) => {
  t.ok(matches(table(mode('all'), A, X), table(A)));
  t.notOk(matches(table(mode('all-with-x'), A, X), table(A)));
  t.ok(matches(table(mode('all-with-x'), A, X), table(A, X)));
  t.notOk(matches(table(mode('any'), A, X), table(X)));
  t.ok(matches(table(mode('any-with-x'), A, X), table(X)));
});

t.test('without criteria all matches everything and any nothing', async (t) => {
  for (const headers of [table(), table(A)]) {
    t.ok(matches(table(), headers));
    t.ok(matches(table(mode('all'), X), headers));
    t.notOk(matches(table(mode('any')), headers));
  }
});

t.test('a void argument asks for the header, whatever its value', async (t) => {
  const present: readonly [string, FieldValue] = ['a', { tag: 'V', value: null }];
  for (const value of [text(''), present[1], { tag: 'I', value: 0 } as const]) {
    t.ok(matches(table(present), table(['a', value])));
    t.ok(matches(table(mode('any'), present), table(['a', value])));
  }
  t.notOk(matches(table(present), table(B)));
  t.notOk(matches(table(A), table(present)));
});

t.test('integers match across widths, timestamps match timestamps', async (t) => {
  const five = table(['n', { tag: 'I', value: 5 }]);
  t.ok(matches(five, table(['n', { tag: 'l', value: 5n }])));
  t.notOk(matches(five, table(['n', { tag: 'd', value: 5 }])));
  t.notOk(matches(five, table(['n', text('5')])));
  const time = table(['n', { tag: 'T', value: 1_700_000_000 }]);
  t.ok(matches(time, time));
});

const NAMES = ['a', 'b', 'x-a'];
const VALUES: readonly FieldValue[] = [
  { tag: 'V', value: null },
  text('1'),
  text('2'),
  { tag: 'I', value: 1 },
  { tag: 'b', value: 1 },
];

const pairs = fc.dictionary(fc.constantFrom(...NAMES), fc.nat(VALUES.length - 1), { maxKeys: 3 });
const headers = pairs.map((plain) =>
  table(...Object.entries(plain).map(([name, i]) => [name, VALUES[i]!] as const)),
);
const args = fc
  .tuple(fc.constantFrom('none', 'all', 'any', 'all-with-x', 'any-with-x'), headers)
  .map(([value, rest]) => (value === 'none' ? rest : table(mode(value), ...rest)));

function equalByDefinition(a: FieldValue, b: FieldValue): boolean {
  const isInteger = (value: FieldValue): boolean => value.tag === 'I' || value.tag === 'b';
  return 'value' in a && a.value === b.value && (a.tag === b.tag || (isInteger(a) && isInteger(b)));
}

function matchesByDefinition(bindingArgs: FieldTable, messageHeaders: FieldTable): boolean {
  const modeText = String(bindingArgs.get('x-match')?.value ?? 'all');
  const criteria = [...bindingArgs].filter(([name]) =>
    modeText.endsWith('-with-x') ? name !== 'x-match' : !name.startsWith('x-'),
  );
  const isMet = ([name, wanted]: readonly [string, FieldValue]): boolean => {
    const value = messageHeaders.get(name);
    return value !== undefined && (wanted.tag === 'V' || equalByDefinition(value, wanted));
  };
  return modeText.startsWith('all') ? criteria.every(isMet) : criteria.some(isMet);
}

t.test('any set of bindings matches as the definition says, while they come and go', async () => {
  const bindings = fc.uniqueArray(fc.tuple(fc.constantFrom('', 'k'), args, fc.nat(2)), {
    selector: ([key, bindingArgs, to]) => `${to} ${bindingId(key, bindingArgs)}`,
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      bindings,
      fc.array(headers, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat(100)),
      (initial, messages, picks) => {
        const bound = [...initial];
        const index = new HeadersIndex<Destination>();
        for (const [key, bindingArgs, to] of bound) index.add(key, bindingArgs, DESTINATIONS[to]!);
        for (;;) {
          if (index.size !== bound.length) return false;
          for (const message of messages) {
            const expected = DESTINATIONS.filter((_, to) =>
              bound.some((b) => b[2] === to && matchesByDefinition(b[1], message)),
            ).map((destination) => destination.name);
            if (String(names(index, message)) !== String(expected)) return false;
          }
          if (bound.length === 0) return true;
          const [gone] = bound.splice(picks.next().value % bound.length, 1);
          index.remove(gone![0], gone![1], DESTINATIONS[gone![2]]!);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

t.test(
  'a removal finds its binding by equal arguments, in any order and number type',
  async (t) => {
    const index = new HeadersIndex<Destination>();
    index.add('', table(['n', { tag: 'I', value: 5 }], A), DESTINATIONS[0]!);
    index.remove('', table(A), DESTINATIONS[0]!);
    t.equal(index.size, 1);
    index.remove('', table(A, ['n', { tag: 'd', value: 5 }]), DESTINATIONS[0]!);
    t.equal(index.size, 0);
    t.same(names(index, table(A, ['n', { tag: 'I', value: 5 }])), []);
  },
);

t.test('an index whose bindings are all removed keeps nothing of them', async (t) => {
  const index = new HeadersIndex<Destination>();
  const sets = [table(), table(A, B), table(mode('any'), A, B), table(['a', VALUES[0]!])];
  for (const each of sets) index.add('', each, DESTINATIONS[0]!);
  for (const each of sets) index.remove('', each, DESTINATIONS[0]!);
  t.same(index, new HeadersIndex());
});

t.test(
  'a thousand bindings that share a header cost the messages of one of them nothing',
  async (t) => {
    // Counts how many header lookups one match makes in the message: the bindings that were considered.
    class CountingHeaders extends Map<string, FieldValue> {
      lookups = 0;
      override get(name: string): FieldValue | undefined {
        this.lookups++;
        return super.get(name);
      }
    }
    const index = new HeadersIndex<Destination>();
    for (let i = 0; i < 1000; i++) {
      const shared: readonly [string, FieldValue] = ['format', text('pdf')];
      index.add('', table(shared, ['report', text(String(i))]), DESTINATIONS[i % 3]!);
    }
    const message = new CountingHeaders([
      ['format', text('pdf')],
      ['report', text('501')],
    ]);
    t.same(names(index, message), ['q0']);
    t.ok(message.lookups <= 4, `${message.lookups} lookups`);
  },
);

t.test('x-match that is not one of the four words is refused in RabbitMQ’s words', async (t) => {
  const explanation = (value: FieldValue): string | null =>
    validateHeadersArguments(table(['x-match', value]));
  for (const word of ['all', 'any', 'all-with-x', 'any-with-x']) {
    t.equal(explanation(text(word)), null);
  }
  t.equal(validateHeadersArguments(table(A)), null);
  const words = 'expected all, any, all-with-x, or any-with-x';
  t.equal(explanation(text('foo')), `Invalid x-match field value <<"foo">>; ${words}`);
  t.equal(explanation(text('a"b')), `Invalid x-match field value <<"a\\"b">>; ${words}`);
  t.equal(explanation(text('')), `Invalid x-match field value <<>>; ${words}`);
  const cases: readonly (readonly [FieldValue, string])[] = [
    [{ tag: 'I', value: 5 }, 'signedint (value 5)'],
    [{ tag: 'l', value: 5_000_000_000 }, 'long (value 5000000000)'],
    [{ tag: 't', value: true }, 'bool (value true)'],
    [{ tag: 'V', value: null }, 'void (value undefined)'],
    [{ tag: 'T', value: 1_577_836_800 }, 'timestamp (value 1577836800)'],
    [{ tag: 'D', scale: 1, value: 15 }, 'decimal (value {1,15})'],
    [
      { tag: 'F', value: table(['a', { tag: 'I', value: 1 }]) },
      'table (value [{<<"a">>,signedint,1}])',
    ],
    [
      { tag: 'A', value: [text('x'), { tag: 'I', value: 1 }] },
      'array (value [{longstr,<<"x">>},{signedint,1}])',
    ],
  ];
  for (const [value, shown] of cases) {
    t.equal(explanation(value), `Invalid x-match field type ${shown}; expected longstr`);
  }
});
