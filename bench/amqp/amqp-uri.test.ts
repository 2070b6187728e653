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

t.test('what is no AMQP URI is refused with a sentence', async (t) => {
  t.throws(() => parseAmqpUri('localhost'), { message: 'not an AMQP URI: localhost' });
  t.throws(() => parseAmqpUri('amqps://h'), { message: 'only amqp:// is supported, not amqps://' });
});
