import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { newByteArea, repeatBytes } from './byte-area.ts';

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
