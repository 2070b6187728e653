import fc from 'fast-check';
import t from 'tap';
import { newByteArea } from './byte-area.ts';
import { FixedBytes } from './fixed-bytes.ts';

/** Octets among which doubles that are not numbers are frequent. */
const octets = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x7f, 0xf0, 0xf8, 0xff));

t.test('bytes arrive as they are, and nothing around them changes', (t) => {
  fc.assert(
    fc.property(fc.array(octets, { maxLength: 120 }), fc.nat({ max: 9 }), (values, at) => {
      const bytes = Buffer.from(values);
      const target = newByteArea(at + bytes.length + 9);
      target.buf.fill(0xab);
      new FixedBytes(bytes).copyTo(target, at);
      const expected = Buffer.alloc(target.buf.length, 0xab);
      bytes.copy(expected, at);
      return target.buf.equals(expected);
    }),
  );
  t.end();
});

t.test('no double that is not a number is written', (t) => {
  for (const pattern of ['ffffffffffffffff', '010000000000f07f', '0100000000f0ff7f']) {
    const bytes = Buffer.from(`${'00'.repeat(8)}${pattern}${'11'.repeat(5)}`, 'hex');
    const target = newByteArea(bytes.length);
    target.view.setFloat64 = () => t.fail('copied by doubles');
    new FixedBytes(bytes).copyTo(target, 0);
    t.ok(target.buf.equals(bytes));
  }
  t.end();
});
