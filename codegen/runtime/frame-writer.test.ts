import t from 'tap';
import {
  CONTENT_HEADER_FIXED_SIZE,
  contentHeaderBodySize,
  contentHeaderClassId,
  finishContentHeader,
} from './content-header.ts';
import {
  encodeBodyFrame,
  encodeHeartbeat,
  finishFrame,
  finishMethodFrame,
} from './frame-writer.ts';

t.test('a heartbeat is eight octets', (t) => {
  const buf = Buffer.alloc(9, 0xff);
  t.equal(encodeHeartbeat(buf, 1), 9);
  t.equal(buf.toString('hex'), 'ff08000000000000ce');
  t.end();
});

t.test('a body frame holds the part of the body that is asked for', (t) => {
  const body = Buffer.from('abcdef');
  const buf = Buffer.alloc(12);
  t.equal(encodeBodyFrame(buf, 0, 0x0102, body, 1, 4), 11);
  t.equal(buf.toString('hex'), '0301020000000362 6364ce00'.replace(' ', ''));
  t.end();
});

t.test('a method frame gets its ids, size and end octet around the arguments', (t) => {
  const buf = Buffer.alloc(14, 0xaa);
  t.equal(finishMethodFrame(buf, 1, 7, 0x0032000a, 13), 14);
  t.equal(buf.toString('hex'), 'aa010007000000050032000aaace');
  t.end();
});

t.test('a content header frame gets class, weight and body size before the properties', (t) => {
  const buf = Buffer.alloc(22);
  t.equal(finishContentHeader(buf, 0, 1, 60, 2 ** 33 + 1, 21), 22);
  t.equal(buf.toString('hex'), `0200010000000e003c0000${'0000000200000001'}0000ce`);
  t.equal(contentHeaderClassId(buf, 7), 60);
  t.equal(contentHeaderBodySize(buf, 7), 2 ** 33 + 1);
  t.equal(7 + CONTENT_HEADER_FIXED_SIZE, 19);
  t.end();
});

t.test('a buffer without room for the end octet is refused', (t) => {
  t.throws(() => finishFrame(Buffer.alloc(10), 0, 1, 0, 10), RangeError);
  t.throws(() => encodeHeartbeat(Buffer.alloc(7), 0), RangeError);
  t.throws(() => encodeBodyFrame(Buffer.alloc(10), 0, 1, Buffer.alloc(3)), RangeError);
  t.end();
});
