import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { EMPTY_TABLE } from '../generated/index.ts';
import { declareQueue } from './broker/queues.ts';
import { channelOpen, queueDeclare } from './testing/client-frames.ts';
import { contentOf, filesIn } from './testing/directory-content.ts';
import { openBroker, publishAll, testActor } from './testing/open-broker.ts';
import { RawClient } from './testing/raw-client.ts';
import { runToEnd } from './testing/run-to-end.ts';
import { spawnNode } from './testing/spawn-node.ts';
import {
  serverMain,
  spawnServerProcess,
  startServerProcess,
} from './testing/start-server-process.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

const politeEnd = { code: 0, signal: null };
const failedEnd = { code: 1, signal: null };

/** Makes the server run `code`, which nobody wrote into it, when it gets a SIGUSR2. */
function onUserSignal(code: string): readonly string[] {
  return ['--import', `data:text/javascript,process.on('SIGUSR2', () => { ${code} })`];
}

const QUEUE = { durable: true, exclusive: false, autoDelete: false, args: EMPTY_TABLE };

/** The file as a later version would begin it. */
function ofLaterVersion(bytes: Buffer): Buffer {
  if (bytes[0] === '['.charCodeAt(0)) return Buffer.from('{"format_version": 9}');
  const newer = Buffer.from(bytes);
  newer.writeUInt32BE(0x0009fff6, 8);
  return newer;
}

t.test('help and version go to standard output and end with 0', async (t) => {
  t.match(await runToEnd('--version'), { code: 0, stdout: /^FirnMQ \d+\.\d+\.\d+\n$/, stderr: '' });
  t.match(await runToEnd('--help'), { code: 0, stdout: /--data-dir <dir>/, stderr: '' });
});

t.test('a wrong command line is one line on standard error and ends with 2', async (t) => {
  const expected = { code: 2, stdout: '', stderr: /^error: .+\n$/ };
  t.match(await runToEnd(), expected);
  t.match(await runToEnd('-D', '/nowhere', '--amqp-port', 'x'), expected);
});

t.test('a dump goes to standard output, its failure to standard error', async (t) => {
  const path = join(temporaryDirectory(t), 'vhosts.json');
  writeFileSync(path, '[{"name": "/"}]');
  t.match(await runToEnd('dump', '--json', path), {
    code: 0,
    stdout: /^{"kind":"file",.*}\n{"kind":"vhost","name":"\/","folder":"[0-9a-f]{40}"}\n$/,
    stderr: '',
  });
  writeFileSync(path, '[{}]');
  t.match(await runToEnd('dump', path), { code: 1, stdout: /damage reason=.*has no name/ });
  writeFileSync(path, '{"format_version": 2}');
  t.match(await runToEnd('dump', path), { code: 1, stderr: /^error: .*newer FirnMQ.*\n$/ });
  const nowhere = await runToEnd('dump', `${path}.not`);
  t.match(nowhere, { code: 2, stderr: `error: ${path}.not does not exist\n` });
});

t.test('a dump that nobody reads to its end ends quietly', async (t) => {
  const path = join(temporaryDirectory(t), 'vhosts.json');
  const names = Array.from({ length: 20_000 }, (_, i) => ({ name: `vhost ${i}` }));
  writeFileSync(path, JSON.stringify(names));
  const child = spawnNode([serverMain, 'dump', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  await once(child.stdout!, 'readable');
  child.stdout!.destroy();
  t.equal(await text(child.stderr!), '');
  t.same(await ended, [1, null]);
});

t.test('the server answers where its log says, and a signal stops it with 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const server = await startServerProcess(t, { dataDir: temporaryDirectory(t) });
    t.ok(server.amqpPort > 0);
    const answer = await fetch(`http://127.0.0.1:${server.httpPort}/healthz`);
    t.same([answer.status, await answer.json()], [200, { status: 'ok' }]);
    server.kill(signal);
    t.same(await server.stopped, politeEnd);
    t.match(await server.waitForEvent('server.stop'), { level: 'info', signal });
    t.equal(server.stderr, '');
  }
});

t.test('a missing data directory is made, with its first user', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'not', 'there');
  const server = await startServerProcess(t, { dataDir });
  server.kill('SIGTERM');
  t.same(await server.stopped, politeEnd);
  t.match(JSON.parse(readFileSync(join(dataDir, 'users.json'), 'utf8')), [{ name: 'guest' }]);
});

t.test(
  'a data directory that cannot be made is told in a sentence, and ends the start with 1',
  async (t) => {
    const file = join(temporaryDirectory(t), 'file');
    writeFileSync(file, '');
    // In /proc the folder above is there, and none can be made in it.
    for (const dataDir of [join(file, 'data'), join(file, 'deeper', 'data'), '/proc/1/data']) {
      const server = spawnServerProcess(t, { dataDir });
      t.same(await server.stopped, failedEnd, dataDir);
      t.match(await server.waitForEvent('server.fail'), { reason: /data: create folder failed/ });
    }
  },
);

t.test('a second signal ends the server at once, with 1', async (t) => {
  // The server is made to see both in the same instant: real ones could come after a quick stop.
  const server = await startServerProcess(t, {
    dataDir: temporaryDirectory(t),
    nodeArgs: onUserSignal("process.emit('SIGTERM', 'SIGTERM'); process.emit('SIGINT', 'SIGINT')"),
  });
  server.kill('SIGUSR2');
  t.same(await server.stopped, failedEnd);
  t.match(await server.waitForEvent('server.abort'), { level: 'warn', signal: 'SIGINT' });
});

t.test('a stop while the disk refuses says what may come back, and ends with 3', async (t) => {
  // Every sync fails from the signal on; and the seconds that a stop asks again are over at the second look.
  const server = await startServerProcess(t, {
    dataDir: temporaryDirectory(t),
    nodeArgs: [
      '--import',
      `data:text/javascript,${encodeURIComponent(`
        import fs from 'node:fs';
        import { syncBuiltinESMExports } from 'node:module';
        const sync = fs.fdatasync;
        const now = performance.now.bind(performance);
        let isBroken = false;
        let stopping = 0;
        fs.fdatasync = (fd, done) =>
          isBroken ? done(Object.assign(new Error('broken'), { code: 'EIO' })) : sync(fd, done);
        performance.now = () => now() + (stopping += stopping > 0 ? 6000 : 0);
        syncBuiltinESMExports();
        process.on('SIGUSR2', () => { isBroken = true; });
        process.on('SIGTERM', () => { stopping = 1; });`)}`,
    ],
  });
  server.kill('SIGUSR2');
  const client = await RawClient.open(t, server.amqpPort);
  client.write(channelOpen(1), queueDeclare(1, { queue: 'q', durable: true }));
  await server.waitForEvent('log.fail');
  server.kill('SIGTERM');
  t.same(await server.stopped, { code: 3, signal: null });
  const line = await server.waitForEvent('stop.unstable');
  t.match(line, { level: 'error', vhost: '/', err: { code: 'STORAGE_EIO' } });
  t.ok(Number(line['unstableMs']) > 0);
});

t.test('a second server on the same directory is refused, and the first one goes on', async (t) => {
  const dataDir = temporaryDirectory(t);
  const first = await startServerProcess(t, { dataDir });
  const second = spawnServerProcess(t, { dataDir });
  t.same(await second.stopped, failedEnd);
  t.match(await second.waitForEvent('server.fail'), {
    level: 'fatal',
    code: 'DIRECTORY_IN_USE',
    reason: `${dataDir} is in use by another server (process ${first.pid})`,
  });
  t.equal((await fetch(`http://127.0.0.1:${first.httpPort}/healthz`)).status, 200);
});

t.test('after a SIGKILL the next server starts at once', async (t) => {
  const dataDir = temporaryDirectory(t);
  for (let round = 0; round < 2; round++) {
    const server = await startServerProcess(t, { dataDir });
    server.kill('SIGKILL');
  }
  const server = await startServerProcess(t, { dataDir });
  server.kill('SIGTERM');
  t.same(await server.stopped, politeEnd);
});

t.test('of two servers started at the same instant after a SIGKILL one runs', async (t) => {
  const dataDir = temporaryDirectory(t);
  const killed = await startServerProcess(t, { dataDir });
  killed.kill('SIGKILL');
  const both = [spawnServerProcess(t, { dataDir }), spawnServerProcess(t, { dataDir })];
  const loser = await Promise.race(both.map((server) => server.stopped.then(() => server)));
  t.match(await loser.waitForEvent('server.fail'), { code: 'DIRECTORY_IN_USE' });
  const winner = both.find((server) => server !== loser)!;
  await winner.waitForEvent('listening');
  winner.kill('SIGTERM');
  t.same(await winner.stopped, politeEnd);
});

t.test('a port in use is told in a sentence, and ends the start with 1', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  for (const [flag, protocol] of [
    ['--amqp-port', 'amqp'],
    ['--http-port', 'http'],
  ] as const) {
    const args = [flag, String(port)];
    const server = spawnServerProcess(t, { dataDir: temporaryDirectory(t), args });
    t.same(await server.stopped, failedEnd);
    t.match(await server.waitForEvent('server.fail'), {
      code: 'LISTEN_EADDRINUSE',
      reason: `cannot listen for ${protocol} on 127.0.0.1 port ${port}: the port is in use by another program`,
    });
  }
});

t.test('users that cannot be read end the start with 1, and the file stays as it is', async (t) => {
  const dataDir = temporaryDirectory(t);
  const path = join(dataDir, 'users.json');
  writeFileSync(path, '[{"name": "bob", "tags": 1}]');
  const server = spawnServerProcess(t, { dataDir });
  t.same(await server.stopped, failedEnd);
  t.match(await server.waitForEvent('server.fail'), {
    code: 'CONFIG',
    reason: `${path}: user 'bob' must have tags that are a list of texts`,
  });
  t.equal(readFileSync(path, 'utf8'), '[{"name": "bob", "tags": 1}]');
});

t.test(
  'a directory of a later version ends the start with 1, and nothing is touched',
  async (t) => {
    const { vhost, dataDir, close } = await openBroker(t);
    declareQueue(vhost, testActor(), { ...QUEUE, name: 'q' });
    publishAll(vhost, 'q', ['body']);
    await close();
    writeFileSync(join(dataDir, 'users.json'), '[]');
    const names = filesIn(dataDir);
    t.match(names.join(' '), /checkpoint\..*definitions\.amqp .*msgs\..* users.json vhosts.json$/);
    for (const name of names) {
      const path = join(dataDir, name);
      const bytes = readFileSync(path);
      writeFileSync(path, ofLaterVersion(bytes));
      const before = contentOf(dataDir);
      const server = spawnServerProcess(t, { dataDir });
      t.same(await server.stopped, failedEnd);
      t.match(await server.waitForEvent('server.fail'), {
        code: 'FOREIGN_FORMAT',
        reason: `${path} was written by a newer FirnMQ (format 9, this one reads 1)`,
      });
      t.same(contentOf(dataDir), { ...before, '.lock/': '' });
      writeFileSync(path, bytes);
    }
  },
);

t.test(
  'an error that nobody foresaw is logged with its stack and ends the server with 1',
  async (t) => {
    for (const breakage of ["throw new Error('boom')", "Promise.reject(new Error('boom'))"]) {
      const preload = `data:text/javascript,process.on('SIGUSR2', () => { ${breakage} })`;
      const server = await startServerProcess(t, {
        dataDir: temporaryDirectory(t),
        nodeArgs: ['--import', preload],
      });
      server.kill('SIGUSR2');
      t.same(await server.stopped, failedEnd);
      const expected = { level: 'fatal', err: { message: 'boom', stack: /^Error: boom\n/ } };
      t.match(await server.waitForEvent('server.crash'), expected);
    }
  },
);
