/** The two equalities of field values, and the binding identity that rests on one of them. */
import fc from 'fast-check';
import t from 'tap';
import {
  EMPTY_TABLE,
  type FieldTable,
  type FieldValue,
} from '../../codegen/runtime/field-table.ts';
import { bindingId } from './binding-id.ts';
import { canonicalArguments, canonicalHeader } from './canonical-text.ts';
import { fieldTablesEqual } from './field-tables-equal.ts';

const INTEGER_TAGS = ['b', 'B', 's', 'u', 'I', 'i', 'l', 'L'] as const;

const ten: readonly FieldValue[] = [
  ...INTEGER_TAGS.map((tag): FieldValue => ({ tag, value: 10 })),
  { tag: 'l', value: 10n },
  { tag: 'f', value: 10 },
  { tag: 'd', value: 10 },
  { tag: 'D', scale: 0, value: 10 },
  { tag: 'D', scale: 2, value: 1000 },
];

/** Values of which no two are equal under either equality. */
const distinct: readonly FieldValue[] = [
  { tag: 'I', value: 0 },
  { tag: 'I', value: 1 },
  { tag: 'd', value: 0.1 },
  { tag: 'f', value: Math.fround(0.1) },
  { tag: 'd', value: 1e21 },
  { tag: 'd', value: Number.POSITIVE_INFINITY },
  { tag: 'l', value: 2n ** 53n },
  { tag: 'l', value: 2n ** 53n + 1n },
  { tag: 't', value: true },
  { tag: 't', value: false },
  { tag: 'V', value: null },
  { tag: 'T', value: 1 },
  { tag: 'S', value: '' },
  { tag: 'S', value: '1' },
  { tag: 'S', value: 'V' },
  { tag: 'S', value: 'true' },
  { tag: 'S', value: Buffer.from([0xff]) },
  { tag: 'A', value: [] },
  { tag: 'A', value: [{ tag: 'I', value: 1 }] },
  {
    tag: 'A',
    value: [
      { tag: 'S', value: 'a' },
      { tag: 'S', value: 'b' },
    ],
  },
  { tag: 'A', value: [{ tag: 'S', value: 'a,s1:b' }] },
  { tag: 'A', value: [{ tag: 'S', value: 'a,sb' }] },
  { tag: 'F', value: new Map() },
  { tag: 'F', value: new Map([['a', { tag: 'I', value: 1 }]]) },
  { tag: 'F', value: new Map([['a', { tag: 'S', value: '1' }]]) },
];

function one(value: FieldValue): FieldTable {
  return new Map([['x', value]]);
}

t.test('arguments compare numbers by value, whatever their type', async (t) => {
  for (const a of ten) {
    t.ok(
      ten.every((b) => fieldTablesEqual(one(a), one(b))),
      a.tag,
    );
  }
  const big = 2 ** 62;
  t.ok(fieldTablesEqual(one({ tag: 'd', value: big }), one({ tag: 'l', value: BigInt(big) })));
  t.ok(
    fieldTablesEqual(one({ tag: 'D', scale: 1, value: 15 }), one({ tag: 'd', value: 1.5 })),
    'a decimal with a fraction',
  );
  t.ok(fieldTablesEqual(one({ tag: 'd', value: -0 }), one({ tag: 'I', value: 0 })));
});

t.test('headers compare integers across widths, but not with floats or decimals', async (t) => {
  const text = canonicalHeader({ tag: 'I', value: 10 });
  for (const value of ten) {
    const isInteger = value.tag !== 'f' && value.tag !== 'd' && value.tag !== 'D';
    t.equal(canonicalHeader(value) === text, isInteger, value.tag);
  }
  t.equal(canonicalHeader({ tag: 'f', value: 0.5 }), canonicalHeader({ tag: 'd', value: 0.5 }));
});

t.test('headers compare bytes with text by content, arguments do not', async (t) => {
  const text: FieldValue = { tag: 'S', value: 'é' };
  const bytes: FieldValue = { tag: 'x', value: Buffer.from('é') };
  t.equal(canonicalHeader(bytes), canonicalHeader(text));
  t.notOk(fieldTablesEqual(one(bytes), one(text)));
  const notText = Buffer.from([0xff, 0xfe]);
  t.equal(
    canonicalHeader({ tag: 'x', value: notText }),
    canonicalHeader({ tag: 'S', value: notText }),
  );
  t.not(
    canonicalHeader({ tag: 'x', value: notText }),
    canonicalHeader({ tag: 'S', value: '\ufffd\ufffd' }),
  );
});

t.test('different values are never equal', async (t) => {
  for (const [i, a] of distinct.entries()) {
    const equalHeaders = distinct.filter((b) => canonicalHeader(b) === canonicalHeader(a));
    t.same(equalHeaders, [a], `header ${i}`);
    t.same(
      distinct.filter((b) => fieldTablesEqual(one(a), one(b))),
      [a],
      `argument ${i}`,
    );
  }
});

const smallTable = fc
  .array(fc.tuple(fc.string({ maxLength: 3 }), fc.nat(distinct.length - 1)), { maxLength: 4 })
  .map((pairs): FieldTable => new Map(pairs.map(([name, i]) => [name, distinct[i]!])));

t.test('tables are equal in whatever order their pairs come', async () => {
  fc.assert(
    fc.property(smallTable, (table) => {
      const reversed = new Map([...table].reverse());
      const nested = (inner: FieldTable): FieldTable => one({ tag: 'F', value: inner });
      return fieldTablesEqual(table, reversed) && fieldTablesEqual(nested(table), nested(reversed));
    }),
  );
});

t.test('tables are equal exactly when they hold the same pairs', async () => {
  fc.assert(
    fc.property(smallTable, smallTable, (a, b) => {
      const same = a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
      return fieldTablesEqual(a, b) === same;
    }),
  );
});

t.test('a binding is identified by its key and arguments together', async (t) => {
  fc.assert(
    fc.property(fc.string(), smallTable, fc.string(), smallTable, (keyA, argsA, keyB, argsB) => {
      const same = keyA === keyB && fieldTablesEqual(argsA, argsB);
      return (bindingId(keyA, argsA) === bindingId(keyB, argsB)) === same;
    }),
  );
  const args = one({ tag: 'I', value: 1 });
  t.not(bindingId('a', args), bindingId('a', EMPTY_TABLE));
  const imitation = `a${canonicalArguments(args)}`;
  t.not(bindingId('a', args), bindingId(imitation, EMPTY_TABLE));
});
