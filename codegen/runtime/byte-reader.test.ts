import t from 'tap';
import { ByteReader } from './byte-reader.ts';
import { wireErrorOf } from './testing/wire-error-of.ts';
import { WireError } from './wire-error.ts';

const EVERYTHING = Buffer.from(
  '01 0203 04050607 0000000000000008 03616263 00000002fffe 00000004 0161 74 01'.replaceAll(' ', ''),
  'hex',
);

function readEverything(r: ByteReader): readonly unknown[] {
  return [r.u8(), r.u16(), r.u32(), r.u64(), r.shortstr(), r.longstr(), r.table()];
}

t.test('reads the elementary types one after the other', (t) => {
  const r = new ByteReader(EVERYTHING);
  t.same(readEverything(r), [
    1,
    0x0203,
    0x04050607,
    8,
    'abc',
    Buffer.from([0xff, 0xfe]),
    new Map([['a', { tag: 't', value: true }]]),
  ]);
  t.equal(r.at, r.end);
  r.finish();
  t.end();
});

t.test('a read that passes the end is a frame error and says where', (t) => {
  for (let end = 0; end < EVERYTHING.length; end++) {
    const r = new ByteReader(EVERYTHING, 0, end);
    t.throws(() => readEverything(r), { name: 'WireError', replyCode: 501 }, `cut at ${end}`);
  }
  t.throws(() => new ByteReader(EVERYTHING, 7, 9).u32(), {
    message: '4 octets expected, 2 left',
    offset: 7,
  });
  t.end();
});

t.test('octets behind the last field are a frame error', (t) => {
  const r = new ByteReader(EVERYTHING, 0, 3);
  r.skip(1);
  t.throws(() => r.finish(), { replyCode: 501, message: '2 octets behind the last field' });
  t.end();
});

t.test('a short string that is not UTF-8 is a frame error with the wording of RabbitMQ', (t) => {
  const r = new ByteReader(Buffer.from([2, 0xc3, 0x28]));
  t.throws(() => r.shortstr(), new WireError(501, 'Malformed UTF-8 in shortstr', 0));
  t.end();
});

t.test('a 64-bit integer that a number cannot hold is a syntax error', (t) => {
  const buf = Buffer.alloc(16);
  buf.writeBigUInt64BE(2n ** 53n - 1n, 0);
  buf.writeBigUInt64BE(2n ** 53n, 8);
  const r = new ByteReader(buf);
  t.equal(r.u64(), Number.MAX_SAFE_INTEGER);
  t.match(
    wireErrorOf(() => r.u64()),
    { replyCode: 502 },
  );
  t.end();
});

t.test('strings and tables can be stepped over unread', (t) => {
  const r = new ByteReader(
    Buffer.from('02ffff 00000001ff 00000003ffffff 07'.replaceAll(' ', ''), 'hex'),
  );
  r.skipShortstr();
  r.skipLongstr();
  r.skipLongstr();
  t.equal(r.u8(), 7);
  t.match(
    wireErrorOf(() => r.skip(1)),
    { replyCode: 501 },
  );
  t.end();
});

t.test('reset points the same reader at other bytes', (t) => {
  const r = new ByteReader(Buffer.from([1]));
  r.u8();
  t.equal(r.reset(Buffer.from([7, 8, 9]), 1, 2), r);
  t.equal(r.u8(), 8);
  t.match(
    wireErrorOf(() => r.u8()),
    { replyCode: 501 },
  );
  t.end();
});
