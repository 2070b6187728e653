import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseAmqpUri } from './amqp-uri.ts';

t.test('an AMQP URI is taken apart, and what it leaves out has its default', async (t) => {
  t.same(parseAmqpUri('amqp://'), {
    host: 'localhost',
    port: 5672,
    username: 'guest',
    password: 'guest',
    vhost: '/',
  });
  t.same(parseAmqpUri('amqp://us%40er:p%2Fw@[::1]:1234/a%2Fb'), {
    host: '::1',
    port: 1234,
    username: 'us@er',
    password: 'p/w',
    vhost: 'a/b',
  });
  t.equal(parseAmqpUri('amqp://h/').vhost, '/');
  t.equal(parseAmqpUri('amqp://h/%2f').vhost, '/');
});

t.test('an amqps URI has another port, and says whom to trust', async (t) => {
  const trust = { ca: null, certificate: null, key: null };
  t.same(parseAmqpUri('amqps://h').tls, { ...trust, verifiesPeer: true });
  t.equal(parseAmqpUri('amqps://h').port, 5671);
  t.equal(parseAmqpUri('amqp://h').tls, undefined);
  for (const verify of ['none', 'verify_none']) {
    t.same(parseAmqpUri(`amqps://h?verify=${verify}`).tls, { ...trust, verifiesPeer: false });
  }
  const self = fileURLToPath(import.meta.url);
  const { tls } = parseAmqpUri(`amqps://h?certfile=${self}&keyfile=${self}&cacertfile=${self}`);
  const text = readFileSync(self);
  t.same(tls, { ca: text, certificate: text, key: text, verifiesPeer: true });
});

t.test('what is no AMQP URI is refused with a sentence', async (t) => {
  t.throws(() => parseAmqpUri('localhost'), { message: 'not an AMQP URI: localhost' });
  t.throws(() => parseAmqpUri('http://h'), {
    message: 'only amqp:// and amqps:// are supported, not http://',
  });
  t.throws(() => parseAmqpUri('amqps://h?cacertfile=/none'), { code: 'ENOENT' });
});
