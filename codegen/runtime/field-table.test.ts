import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import {
  decodeFieldTable,
  decodeFieldTableBody,
  decodeFieldValue,
  EMPTY_TABLE,
  encodeFieldTable,
  FIELD_TABLE_DEPTH_MAX,
  FIELD_TABLE_SIZE_MAX,
  type FieldTable,
  type FieldValue,
  sizeOfFieldTable,
} from './field-table.ts';
import { checkProperty } from './testing/check-property.ts';
import { fieldTables } from './testing/field-table-arbitrary.ts';
import { wireErrorOf } from './testing/wire-error-of.ts';
import { WireError } from './wire-error.ts';

/** Every tag, by hand: key, value as hexadecimal text with its tag, and what it means. */
const VECTORS: readonly (readonly [string, string, FieldValue])[] = [
  ['t', '7401', { tag: 't', value: true }],
  ['f', '7400', { tag: 't', value: false }],
  ['b', '6280', { tag: 'b', value: -128 }],
  ['B', '42ff', { tag: 'B', value: 255 }],
  ['s', '738000', { tag: 's', value: -32768 }],
  ['u', '75ffff', { tag: 'u', value: 65535 }],
  ['I', '4980000000', { tag: 'I', value: -2147483648 }],
  ['i', '69ffffffff', { tag: 'i', value: 4294967295 }],
  ['l', '6cfffffffffffffffb', { tag: 'l', value: -5 }],
  ['l-', '6c8000000000000000', { tag: 'l', value: -(2n ** 63n) }],
  ['L', '4c0020000000000000', { tag: 'L', value: 2n ** 53n }],
  ['f32', '66bfc00000', { tag: 'f', value: -1.5 }],
  ['d', '643ff8000000000000', { tag: 'd', value: 1.5 }],
  ['D', '4402000007cf', { tag: 'D', scale: 2, value: 1999 }],
  ['S', '5300000002c3a4', { tag: 'S', value: 'ä' }],
  ['S!', '5300000001ff', { tag: 'S', value: Buffer.from([0xff]) }],
  ['x', '7800000002c3a4', { tag: 'x', value: Buffer.from([0xc3, 0xa4]) }],
  ['T', '54000000006553f100', { tag: 'T', value: 1700000000 }],
  ['T!', '54ffffffffffffffff', { tag: 'T', value: 2n ** 64n - 1n }],
  ['F', '4600000003016b56', { tag: 'F', value: new Map([['k', { tag: 'V', value: null }]]) }],
  ['V', '56', { tag: 'V', value: null }],
];

t.test('every tag decodes to its meaning and encodes to its octets', (t) => {
  for (const [key, hex, expected] of VECTORS) {
    const table = new Map([[key, expected]]);
    const octets = tableOf(`${shortstr(key)}${hex}`);
    t.same(decode(octets), table, key);
    t.equal(encode(table).toString('hex'), octets.toString('hex'), key);
  }
  t.end();
});

t.test('arrays hold values without keys', (t) => {
  const octets = tableOf(`${shortstr('A')}4100000003564207`);
  const table = decode(octets);
  t.same(table.get('A'), {
    tag: 'A',
    value: [
      { tag: 'V', value: null },
      { tag: 'B', value: 7 },
    ],
  });
  t.equal(encode(table).toString('hex'), octets.toString('hex'));
  t.end();
});

t.test('every table comes back as it was encoded, at any offset, in the size told before', (t) => {
  checkProperty(
    t,
    fc.property(fieldTables, fc.nat(5), (table, at) => {
      const size = sizeOfFieldTable(table);
      const buf = Buffer.alloc(at + size + 3, 0xee);
      return (
        encodeFieldTable(buf, at, table) === at + size &&
        buf[at + size] === 0xee &&
        isDeepStrictEqual(decodeFieldTable(buf, at, buf.length), table)
      );
    }),
  );
  t.end();
});

t.test('a value decodes alone as it does in its table', async (t) => {
  for (const [key, hex, expected] of VECTORS) {
    const octets = Buffer.from(`ee${hex}ee`, 'hex');
    t.same(decodeFieldValue(octets, 1, octets.length - 1), expected, key);
    t.throws(() => decodeFieldValue(octets, 1, 1), WireError, key);
  }
});

t.test('a table cut short anywhere is a frame error, never a shorter table', (t) => {
  checkProperty(
    t,
    fc.property(fieldTables, (table) => {
      const octets = encode(table);
      for (let end = 0; end < octets.length; end++) {
        const error = wireErrorOf(() => decodeFieldTable(octets, 0, end));
        if (error.replyCode !== 501) return false;
      }
      return true;
    }),
    { numRuns: 30 },
  );
  t.end();
});

t.test('damaged octets give a table or a WireError, never another error', (t) => {
  checkProperty(
    t,
    fc.property(fieldTables, fc.nat(), fc.nat(0xff), (table, position, octet) => {
      const octets = encode(table);
      octets[position % octets.length] = octet;
      try {
        decodeFieldTable(octets, 0, octets.length);
      } catch (error) {
        return error instanceof WireError && (error.replyCode === 501 || error.replyCode === 502);
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('a table without its length is read from all the octets given', (t) => {
  const octets = tableOf(`${shortstr('a')}7401`);
  t.same(
    decodeFieldTableBody(octets, 4, octets.length),
    new Map([['a', { tag: 't', value: true }]]),
  );
  t.same(decodeFieldTableBody(octets, 4, 4), EMPTY_TABLE);
  t.end();
});

t.test('the first of two entries under one key counts', (t) => {
  const octets = tableOf(`${shortstr('a')}4201${shortstr('b')}4202${shortstr('a')}4203`);
  t.same(
    [...decode(octets)],
    [
      ['a', { tag: 'B', value: 1 }],
      ['b', { tag: 'B', value: 2 }],
    ],
  );
  t.end();
});

t.test('an unknown tag is a syntax error that names it and its place', (t) => {
  const error = wireErrorOf(() => decode(tableOf(`${shortstr('a')}5a`)));
  t.match(error, { replyCode: 502, message: 'unknown field type 90', offset: 6 });
  t.end();
});

t.test('an entry that passes the end of its table is a frame error', (t) => {
  // The inner table is 3 octets long, its value reaches into the outer one.
  const inner = `4600000003${shortstr('k')}49`;
  const error = wireErrorOf(() => decode(tableOf(`${shortstr('F')}${inner}00000001`)));
  t.match(error, { replyCode: 501, message: /passes the end of its table/ });
  t.end();
});

t.test('a key that is not UTF-8 is a frame error', (t) => {
  t.match(
    wireErrorOf(() => decode(tableOf('01ff56'))),
    { replyCode: 501, message: 'Malformed UTF-8 in shortstr' },
  );
  t.end();
});

t.test('tables and arrays may be nested as deep as the limit and no deeper', (t) => {
  t.doesNotThrow(() => decode(encode(nested('F', FIELD_TABLE_DEPTH_MAX))));
  t.doesNotThrow(() => decode(encode(nested('A', FIELD_TABLE_DEPTH_MAX))));
  for (const tag of ['F', 'A'] as const) {
    const error = wireErrorOf(() => decode(encode(nested(tag, FIELD_TABLE_DEPTH_MAX + 1))));
    t.match(error, {
      replyCode: 502,
      message: `table nested deeper than ${FIELD_TABLE_DEPTH_MAX}`,
    });
  }
  const octets = encode(nested('F', 3));
  const limits = { depthMax: 2, sizeMax: 100 };
  t.match(
    wireErrorOf(() => decodeFieldTable(octets, 0, octets.length, limits)),
    { replyCode: 502 },
  );
  t.end();
});

t.test('a table of a hundred thousand levels does not exhaust the stack', (t) => {
  // Every level is an empty key, 'F' and the length of the levels within it.
  const levels = 100_000;
  const octets = Buffer.alloc(4 + 6 * levels);
  octets.writeUInt32BE(6 * levels);
  for (let level = 0; level < levels; level++) {
    octets[5 + 6 * level] = 'F'.charCodeAt(0);
    octets.writeUInt32BE(6 * (levels - 1 - level), 6 + 6 * level);
  }
  t.match(
    wireErrorOf(() => decode(octets)),
    { replyCode: 502, message: /nested deeper/ },
  );
  t.end();
});

t.test('a table above the size limit is a syntax error before its entries are read', (t) => {
  const octets = Buffer.alloc(4 + FIELD_TABLE_SIZE_MAX + 1);
  octets.writeUInt32BE(FIELD_TABLE_SIZE_MAX + 1);
  t.match(
    wireErrorOf(() => decode(octets)),
    { replyCode: 502, message: /at most 1048576 are accepted/ },
  );
  t.end();
});

t.test('decoded byte strings are copies', (t) => {
  const octets = tableOf(`${shortstr('x')}7800000001aa${shortstr('S')}5300000001ff`);
  const table = decode(octets);
  octets.fill(0);
  t.same(table.get('x'), { tag: 'x', value: Buffer.from([0xaa]) });
  t.same(table.get('S'), { tag: 'S', value: Buffer.from([0xff]) });
  t.end();
});

t.test('a number outside the range of its tag, a long key and a small buffer are refused', (t) => {
  const buf = Buffer.alloc(100);
  t.throws(() => encodeFieldTable(buf, 0, new Map([['k', { tag: 'B', value: 256 }]])), RangeError);
  t.throws(
    () => encodeFieldTable(buf, 0, new Map([['k', { tag: 'l', value: 2n ** 63n }]])),
    RangeError,
  );
  t.throws(
    () => encodeFieldTable(buf, 0, new Map([['k'.repeat(256), { tag: 'V', value: null }]])),
    RangeError,
  );
  const table: FieldTable = new Map([['k', { tag: 'S', value: 'text' }]]);
  const size = sizeOfFieldTable(table);
  t.equal(encodeFieldTable(Buffer.alloc(size), 0, table), size);
  t.throws(() => encodeFieldTable(Buffer.alloc(size - 1), 0, table), RangeError);
  t.end();
});

function tableOf(bodyHex: string): Buffer {
  const body = Buffer.from(bodyHex, 'hex');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function shortstr(text: string): string {
  return Buffer.from([text.length, ...Buffer.from(text)]).toString('hex');
}

/** A table with `depth - 1` tables or arrays within each other. */
function nested(tag: 'F' | 'A', depth: number): FieldTable {
  let value: FieldValue = { tag: 'V', value: null };
  for (let level = 1; level < depth; level++) {
    value = tag === 'F' ? { tag, value: new Map([['k', value]]) } : { tag, value: [value] };
  }
  return new Map([['k', value]]);
}

function encode(table: FieldTable): Buffer {
  const buf = Buffer.alloc(sizeOfFieldTable(table));
  encodeFieldTable(buf, 0, table);
  return buf;
}

function decode(octets: Buffer): FieldTable {
  return decodeFieldTable(octets, 0, octets.length);
}
