import t from 'tap';
import { guessProtocol } from './guess-protocol.ts';

t.test('what a client speaks instead is named by its first eight octets', async (t) => {
  for (const [start, protocol] of [
    ['\x16\x03\x01\x02\0\x01\0\x01', 'TLS'],
    ['GET / HT', 'HTTP'],
    ['DELETE /', 'HTTP'],
    ['OPTIONS ', 'HTTP'],
    ['PROXY TC', 'PROXY'],
    ['\r\n\r\n\0\r\nQ', 'PROXY'],
    ['AMQP\0\x01\0\0', 'AMQP 1.0'],
    ['AMQP\x03\x01\0\0', 'AMQP 1.0'],
    ['AMQP\0\0\x09\x02', 'another version of AMQP'],
    ['GETTING ', 'unknown'],
    ['\0\0\0\0\0\0\0\0', 'unknown'],
  ] as const) {
    t.equal(guessProtocol(Buffer.from(start, 'latin1')).protocol, protocol, JSON.stringify(start));
  }
});
