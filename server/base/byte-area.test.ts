import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import {
  areDoubles,
  ByteArea,
  equalBytes,
  equalDoubles,
  newByteArea,
  repeatBytes,
} from './byte-area.ts';

t.test('bytes are repeated, and nothing around them changes', (t) => {
  const anySize = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(5000, 8192, 9000));
  checkProperty(
    t,
    fc.property(anySize, fc.integer({ min: 1, max: 300 }), fc.nat(9), (size, count, at) => {
      const area = newByteArea(at + size * count + 9);
      area.buf.fill(0xab);
      const piece = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) & 0x7f));
      piece.copy(area.buf, at);
      repeatBytes(area, at, size, count);
      const expected = Buffer.alloc(area.buf.length, 0xab);
      for (let i = 0; i < count; i++) piece.copy(expected, at + i * size);
      return area.buf.equals(expected);
    }),
  );
  t.end();
});

t.test('bytes that are doubles are equal as such when they are equal, and not otherwise', (t) => {
  // Of these there are doubles that have another form, or none that they equal.
  const anyByte = fc.oneof(fc.constantFrom(0, 0x80, 0x7f, 0xf0, 0xf8, 0xff), fc.nat(255));
  const anyPair = fc
    .integer({ min: 1, max: 40 })
    .chain((size) =>
      fc.tuple(fc.array(anyByte, { minLength: size, maxLength: size }), fc.nat(size - 1), anyByte),
    );
  let compared = 0;
  checkProperty(
    t,
    fc.property(anyPair, ([bytes, at, byte]) => {
      const one = new ByteArea(Buffer.from(bytes));
      const other = new ByteArea(Buffer.from(bytes.with(at, byte)));
      if (!areDoubles(one, 0, bytes.length)) return true;
      compared++;
      return (
        equalDoubles(one, 0, one, 0, bytes.length) &&
        equalDoubles(one, 0, other, 0, bytes.length) === equalBytes(one, 0, other, 0, bytes.length)
      );
    }),
    { numRuns: 2000 },
  );
  t.ok(compared > 100, `${compared} of them are doubles`);
  for (const [what, bytes] of [
    ['zero', Buffer.alloc(12)],
    [
      'minus zero',
      Buffer.concat([Buffer.from([1, 2, 3, 4]), Buffer.from('0000000000000080', 'hex')]),
    ],
    ['not a number', Buffer.from('010000000000f07f01', 'hex')],
    ['too short', Buffer.from('1234567')],
  ] as const) {
    t.notOk(areDoubles(new ByteArea(bytes), 0, bytes.length), what);
  }
  t.end();
});
