import fc from 'fast-check';
import t from 'tap';
import {
  readU8,
  readU16,
  readU32,
  readU64,
  readUtf8,
  writeLongstr,
  writeShortstr,
  writeU8,
  writeU16,
  writeU32,
  writeU64,
} from './bytes.ts';
import { checkProperty } from './testing/check-property.ts';

t.test('integers are big-endian', (t) => {
  const buf = Buffer.alloc(15);
  writeU8(buf, 0, 0x01);
  writeU16(buf, 1, 0x0203);
  writeU32(buf, 3, 0x84050607);
  writeU64(buf, 7, 0x1f_ffff_ffff_fffe);
  t.equal(buf.toString('hex'), '01020384050607001ffffffffffffe');
  t.equal(readU8(buf, 0), 0x01);
  t.equal(readU16(buf, 1), 0x0203);
  t.equal(readU32(buf, 3), 0x84050607);
  t.equal(readU64(buf, 7), 0x1f_ffff_ffff_fffe);
  t.end();
});

t.test('integers of every size come back as they were written', (t) => {
  const buf = Buffer.alloc(8);
  checkProperty(
    t,
    fc.property(fc.maxSafeNat(), (value) => {
      writeU64(buf, 0, value);
      return buf.readBigUInt64BE() === BigInt(value) && readU64(buf, 0) === value;
    }),
  );
  checkProperty(
    t,
    fc.property(fc.nat(0xffff_ffff), (value) => {
      writeU32(buf, 0, value);
      return buf.readUInt32BE() === value && readU32(buf, 0) === value;
    }),
  );
  checkProperty(
    t,
    fc.property(fc.nat(0xffff), (value) => {
      writeU16(buf, 0, value);
      return buf.readUInt16BE() === value && readU16(buf, 0) === value;
    }),
  );
  t.end();
});

t.test('a 64-bit integer above 2^53 reads as the nearest double', (t) => {
  t.equal(readU64(Buffer.alloc(8, 0xff), 0), 2 ** 64);
  t.end();
});

t.test('a short string is a length octet and UTF-8, whatever its length and alphabet', (t) => {
  const buf = Buffer.alloc(300);
  checkProperty(
    t,
    fc.property(fc.string({ unit: 'binary', maxLength: 63 }), fc.nat(20), (text, at) => {
      const octets = Buffer.from(text);
      const end = writeShortstr(buf, at, text);
      return (
        end === at + 1 + octets.length &&
        buf[at] === octets.length &&
        buf.subarray(at + 1, end).equals(octets) &&
        readUtf8(buf, at + 1, end) === text
      );
    }),
  );
  t.end();
});

t.test('short texts of any alphabet are written alike, in the loop and outside it', (t) => {
  const buf = Buffer.alloc(100);
  for (const text of [
    '',
    'queue',
    'äöü',
    'qäueue',
    'a\u0080',
    '日本',
    '😀',
    'x'.repeat(24),
    'x'.repeat(25),
  ]) {
    const end = writeShortstr(buf, 0, text);
    const octets = Buffer.from(text);
    t.equal(buf.toString('hex', 0, end), Buffer.from([octets.length, ...octets]).toString('hex'));
  }
  t.end();
});

t.test('a short string of 255 octets fits, one of 256 is refused', (t) => {
  const buf = Buffer.alloc(300);
  t.equal(writeShortstr(buf, 0, 'x'.repeat(255)), 256);
  t.throws(() => writeShortstr(buf, 0, 'x'.repeat(256)), RangeError);
  t.throws(() => writeShortstr(buf, 0, 'ä'.repeat(128)), /256 octets/);
  t.end();
});

t.test('a long string is a 32-bit length and octets', (t) => {
  const buf = Buffer.alloc(10);
  t.equal(writeLongstr(buf, 1, Buffer.from([0xff, 0x00])), 7);
  t.equal(buf.toString('hex'), '0000000002ff00000000');
  t.end();
});

t.test('invalid UTF-8 is told from a replacement character that was meant', (t) => {
  const meant = Buffer.from('a\ufffdb');
  t.equal(readUtf8(meant, 0, meant.length), 'a\ufffdb');
  t.equal(readUtf8(Buffer.from([0x61, 0xff, 0x62]), 0, 3), null);
  t.equal(readUtf8(Buffer.from([0xc3]), 0, 1), null);
  t.end();
});
