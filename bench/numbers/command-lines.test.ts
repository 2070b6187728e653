import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { formatUri, plainCommandLine } from './command-lines.ts';

t.test('an address survives being written down and read', async (t) => {
  const uri = { host: '::1', port: 5672, username: 'a/b', password: 'p@ss:', vhost: '/x y' };
  t.same(parseAmqpUri(formatUri(uri)), uri);
});

t.test(
  'a command line in the report names no login, no port of loopback and no path',
  async (t) => {
    const line = `taskset -c 0 ${process.execPath} main.js -D ${join(tmpdir(), 'a-1', 'data')} -u q`;
    t.equal(plainCommandLine(line), 'taskset -c 0 node main.js -D DIRECTORY -u q');
    t.equal(plainCommandLine(`a?b=${join(tmpdir(), 'x')}`), 'a?b=DIRECTORY');
    const uri = formatUri(parseAmqpUri('amqp://me:secret@127.0.0.1:1234/v'));
    t.equal(
      plainCommandLine(`firnmqperf --uri ${uri}`),
      'firnmqperf --uri amqp://127.0.0.1:PORT/v',
    );
  },
);
