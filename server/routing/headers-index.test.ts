/** The headers index against a check of every binding in turn, and the validation of its arguments. */
import fc from 'fast-check';
import t from 'tap';
import {
  decodeFieldTable,
  encodeFieldTable,
  type FieldTable,
  type FieldValue,
  sizeOfFieldTable,
} from '../../codegen/runtime/field-table.ts';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { anyValue, fieldTables } from '../../codegen/runtime/testing/field-table-arbitrary.ts';
import { bindingId } from './binding-id.ts';
import { canonicalHeader } from './canonical-text.ts';
import {
  type HeaderCriterion,
  parseHeadersArguments,
  validateHeadersArguments,
} from './headers-arguments.ts';
import { HeadersIndex } from './headers-index.ts';
import { HeadersView } from './headers-view.ts';

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

/** The headers of a message as they come: somewhere in a buffer. */
function encoded(...tables: readonly FieldTable[]): HeadersView {
  const margin = 3;
  const octets = tables.map((headers) => {
    const buf = Buffer.alloc(sizeOfFieldTable(headers));
    encodeFieldTable(buf, 0, headers);
    return buf.subarray(4);
  });
  const entries = Buffer.concat(octets);
  const buf = Buffer.concat([Buffer.alloc(margin + 4, 7), entries, Buffer.alloc(margin, 7)]);
  buf.writeUInt32BE(entries.length, margin);
  const view = new HeadersView();
  view.reset(buf, margin);
  return view;
}

function names(index: HeadersIndex<Destination>, headers: FieldTable): string[] {
  const out = new Set<Destination>();
  index.match('', encoded(headers), out);
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

/** As it was done before the index looked at octets: decode the table, compare texts. */
function matchesPlainly(bindingArgs: FieldTable, view: HeadersView): boolean {
  const { needsAll, criteria } = parseHeadersArguments(bindingArgs);
  const decoded = decodeFieldTable(view.buf, view.at - 4, view.end);
  const isMet = ({ name, valueText }: HeaderCriterion): boolean => {
    const value = decoded.get(name);
    return value !== undefined && (valueText === null || canonicalHeader(value) === valueText);
  };
  return needsAll ? criteria.every(isMet) : criteria.some(isMet);
}

/** Values that are equal, or nearly, in different forms on the wire. */
const SIMILAR: readonly FieldValue[] = [
  text('5'),
  { tag: 'x', value: Buffer.from('5') },
  { tag: 'S', value: Buffer.from([0xff]) },
  { tag: 'x', value: Buffer.from([0xff]) },
  text(''),
  text('é'),
  text('a longer text that is a value'),
  { tag: 'b', value: 5 },
  { tag: 'B', value: 5 },
  { tag: 's', value: 5 },
  { tag: 'u', value: 5 },
  { tag: 'I', value: 5 },
  { tag: 'i', value: 5 },
  { tag: 'l', value: 5 },
  { tag: 'L', value: -(2n ** 63n) },
  { tag: 'f', value: 5 },
  { tag: 'd', value: 5 },
  { tag: 'D', scale: 0, value: 5 },
  { tag: 't', value: true },
  { tag: 't', value: false },
  { tag: 'T', value: 5 },
  { tag: 'V', value: null },
  { tag: 'A', value: [{ tag: 'I', value: 5 }] },
  { tag: 'A', value: [{ tag: 'b', value: 5 }] },
  { tag: 'F', value: table(A, B) },
  { tag: 'F', value: table(B, A) },
];

t.test('octets match as the decoded headers would, whatever their types', async (t) => {
  // Few names and like values, so that they meet; some of any kind, so that nothing is left out.
  const name = fc.constantFrom('a', 'b', 'x-a', 'é');
  const value = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...SIMILAR) }, anyValue);
  const someTable = fc
    .array(fc.tuple(name, value), { maxLength: 4 })
    .map((entries): FieldTable => new Map(entries));
  const anyMode = fc.constantFrom('all', 'any', 'all-with-x', 'any-with-x');
  const bindings = fc.uniqueArray(
    fc.tuple(anyMode, someTable).map(([word, rest]) => table(mode(word), ...rest)),
    { selector: (bindingArgs) => bindingId('', bindingArgs), maxLength: 8 },
  );
  // Two tables in one: a name may come twice.
  const message = fc.tuple(someTable, someTable, fieldTables).map((tables) => encoded(...tables));
  checkProperty(
    t,
    fc.property(bindings, fc.array(message, { minLength: 1, maxLength: 8 }), (bound, messages) => {
      const index = new HeadersIndex<FieldTable>();
      for (const bindingArgs of bound) index.add('', bindingArgs, bindingArgs);
      return messages.every((view) => {
        const out = new Set<FieldTable>();
        index.match('', view, out);
        return bound.every((each) => out.has(each) === matchesPlainly(each, view));
      });
    }),
  );
});

t.test('the first of two headers under one name counts', async (t) => {
  const index = new HeadersIndex<Destination>();
  index.add('', table(A), DESTINATIONS[0]!);
  const reached = (...tables: readonly FieldTable[]): number => {
    const out = new Set<Destination>();
    index.match('', encoded(...tables), out);
    return out.size;
  };
  const other = table(['a', text('other')]);
  t.equal(reached(table(A), other), 1);
  t.equal(reached(other, table(A)), 0);
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
    const index = new HeadersIndex<Destination>();
    for (let i = 0; i < 1000; i++) {
      const shared: readonly [string, FieldValue] = ['format', text('pdf')];
      index.add('', table(shared, ['report', text(String(i))]), DESTINATIONS[i % 3]!);
    }
    const message = table(['format', text('pdf')], ['report', text('501')]);
    t.same(names(index, message), ['q0']);
    // The bindings that a match looks at are those filed under the pairs of the message.
    const filedUnder = (name: string, value: string): number => {
      const header = index['headers'].find(Buffer.from(name), 0, name.length);
      const octets = Buffer.from(value);
      return header?.find({ name, valueText: '', octets })?.filed.size ?? -1;
    };
    t.equal(filedUnder('format', 'pdf') + filedUnder('report', '501'), 2);
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
