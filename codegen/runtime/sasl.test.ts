import fc from 'fast-check';
import t from 'tap';
import { encodeAmqplain, encodePlain, parseAmqplain, parsePlain } from './sasl.ts';
import { checkProperty } from './testing/check-property.ts';

t.test('PLAIN is NUL, name, NUL, password', (t) => {
  t.same(parsePlain(Buffer.from('\0guest\0secret')), { username: 'guest', password: 'secret' });
  t.same(parsePlain(Buffer.from('\0\0')), { username: '', password: '' });
  t.end();
});

t.test('a PLAIN response of another form is refused', (t) => {
  const responses = [
    '',
    'guest',
    '\0guest',
    'identity\0guest\0secret',
    '\0guest\0secret\0',
    '\0a\0b\0c',
  ];
  for (const response of responses) {
    t.equal(parsePlain(Buffer.from(response)), null, JSON.stringify(response));
  }
  t.equal(parsePlain(Buffer.from([0, 0xff, 0, 0x61])), null, 'name not UTF-8');
  t.equal(parsePlain(Buffer.from([0, 0x61, 0, 0xff])), null, 'password not UTF-8');
  t.end();
});

t.test('AMQPLAIN is a table without its length', (t) => {
  const response = Buffer.from('\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x06secret', 'latin1');
  t.same(parseAmqplain(response), { username: 'guest', password: 'secret' });
  t.equal(encodeAmqplain('guest', 'secret').toString('hex'), response.toString('hex'));
  t.end();
});

t.test('AMQPLAIN without LOGIN or PASSWORD as text is refused', (t) => {
  t.equal(parseAmqplain(Buffer.alloc(0)), null);
  t.equal(parseAmqplain(Buffer.from('\x05LOGINS\0\0\0\x05guest', 'latin1')), null);
  t.equal(parseAmqplain(Buffer.from('\x05LOGINt\x01\x08PASSWORDS\0\0\0\0', 'latin1')), null);
  t.end();
});

t.test('AMQPLAIN that is no table is a WireError', (t) => {
  t.throws(() => parseAmqplain(Buffer.from('\0guest\0guest')), { name: 'WireError' });
  t.end();
});

t.test('what is encoded is parsed again, whatever the alphabet', (t) => {
  const texts = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''));
  checkProperty(
    t,
    fc.property(texts, texts, (username, password) => {
      for (const parsed of [
        parsePlain(encodePlain(username, password)),
        parseAmqplain(encodeAmqplain(username, password)),
      ]) {
        if (parsed?.username !== username || parsed.password !== password) return false;
      }
      return true;
    }),
  );
  t.end();
});
