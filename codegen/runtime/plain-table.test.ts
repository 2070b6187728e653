import t from 'tap';
import { decodeFieldTable, encodeFieldTable, sizeOfFieldTable } from './field-table.ts';
import { type PlainTable, toFieldTable, toPlainTable } from './plain-table.ts';

t.test('every plain value gets the wire type that people expect', (t) => {
  const table = toFieldTable({
    text: 'a',
    yes: true,
    small: -5,
    large: 2 ** 40,
    huge: 2n ** 62n,
    fraction: 1.5,
    beyond: 2 ** 60,
    nothing: null,
    when: new Date(1_700_000_000_999),
    bytes: Buffer.from([1]),
    list: [1],
    nested: { inner: 'b' },
  });
  t.same(
    [...table].map(([key, field]) => `${key} ${field.tag}`),
    [
      'text S',
      'yes t',
      'small I',
      'large l',
      'huge l',
      'fraction d',
      'beyond d',
      'nothing V',
      'when T',
      'bytes x',
      'list A',
      'nested F',
    ],
  );
  t.same(table.get('when'), { tag: 'T', value: 1_700_000_000 });
  t.end();
});

t.test('32-bit integers are I up to their edges and l beyond', (t) => {
  const table = toFieldTable({ a: 2 ** 31 - 1, b: 2 ** 31, c: -(2 ** 31), d: -(2 ** 31) - 1 });
  t.same(
    [...table.values()].map(({ tag }) => tag),
    ['I', 'l', 'I', 'l'],
  );
  t.end();
});

t.test('a plain table survives the wire', (t) => {
  const plain: PlainTable = {
    text: 'ä',
    no: false,
    number: 2 ** 50,
    nothing: null,
    when: new Date(1_700_000_000_000),
    bytes: Buffer.from([0, 255]),
    list: ['x', [1, 2], { deep: true }],
    nested: { inner: { innermost: -0.5 } },
  };
  const table = toFieldTable(plain);
  const buf = Buffer.alloc(sizeOfFieldTable(table));
  encodeFieldTable(buf, 0, table);
  t.same(toPlainTable(decodeFieldTable(buf, 0, buf.length)), plain);
  t.end();
});

t.test('a decimal becomes a number', (t) => {
  t.same(toPlainTable(new Map([['price', { tag: 'D', scale: 2, value: 1999 }]])), { price: 19.99 });
  t.end();
});

t.test('a key named __proto__ is a key like any other', (t) => {
  const plain = toPlainTable(new Map([['__proto__', { tag: 'S', value: 'x' }]]));
  t.same(Object.entries(plain), [['__proto__', 'x']]);
  t.equal(Object.getPrototypeOf(plain), Object.prototype);
  t.end();
});
