import fc from 'fast-check';
import t from 'tap';
import {
  decodeFieldTable,
  encodeFieldTable,
  type FieldTable,
  sizeOfFieldTable,
} from './field-table.ts';
import { checkFieldTable } from './field-table-check.ts';
import { WireError } from './wire-error.ts';

function encode(table: FieldTable): Buffer {
  const buf = Buffer.alloc(sizeOfFieldTable(table));
  encodeFieldTable(buf, 0, table);
  return buf;
}

const NESTED: FieldTable = new Map([
  ['number', { tag: 'I', value: 7 }],
  ['text', { tag: 'S', value: 'žluťoučký' }],
  [
    'list',
    {
      tag: 'A',
      value: [
        { tag: 'V', value: null },
        { tag: 't', value: true },
      ],
    },
  ],
  ['table', { tag: 'F', value: new Map([['deep', { tag: 'l', value: 5 }]]) }],
]);

function outcome(act: () => unknown): string {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return error instanceof WireError ? 'refused' : `threw ${String(error)}`;
  }
}

t.test('a table that decodes passes the check, which tells where it ends', async (t) => {
  const bytes = encode(NESTED);
  t.equal(checkFieldTable(bytes, 0, bytes.length), bytes.length);
});

t.test('any mutation of a table is accepted or refused as decoding it would be', async () => {
  // Goal: the check and the decoder never differ. Method: flip up to three bytes of a valid table.
  const bytes = encode(NESTED);
  const flip = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 3 }), (flips) => {
      const mutated = Buffer.from(bytes);
      for (const [at, value] of flips) mutated[at] = value;
      const decoded = outcome(() => decodeFieldTable(mutated, 0, mutated.length));
      return outcome(() => checkFieldTable(mutated, 0, mutated.length)) === decoded;
    }),
    { numRuns: 3000 },
  );
});

t.test('a table nested too deep is refused', async (t) => {
  let table: FieldTable = new Map();
  for (let depth = 0; depth < 70; depth++) table = new Map([['t', { tag: 'F', value: table }]]);
  const bytes = encode(table);
  t.throws(() => checkFieldTable(bytes, 0, bytes.length), /nested deeper than 64/);
});
