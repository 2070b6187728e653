import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { spawnNode } from '../testing/spawn-node.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { listenOnUnixSocket } from './listen-on-unix-socket.ts';

async function listen(t: Teardown, path: string, mode = 0o600): Promise<Server> {
  const { server } = await listenOnUnixSocket('amqp', path, mode, () =>
    createServer((socket) => {
      socket.on('error', () => undefined); // whoever looks whether somebody is there reads nothing
      socket.end('hello');
    }),
  );
  t.teardown(() => server.close());
  return server;
}

async function greetingOf(path: string): Promise<string> {
  const socket = createConnection(path);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString();
}

t.test(
  'the socket has the mode that is asked for, whatever the mask, and goes with its server',
  async (t) => {
    const directory = temporaryDirectory(t);
    for (const mode of [0o600, 0o660, 0o666, 0o777]) {
      const path = join(directory, `socket-${mode}`);
      const server = await listen(t, path, mode);
      t.equal(statSync(path).mode & 0o777, mode);
      t.equal(await greetingOf(path), 'hello');
      server.close();
      await once(server, 'close');
      t.notOk(existsSync(path));
    }
  },
);

t.test('the mask of the process is what it was', async (t) => {
  const before = process.umask();
  await listen(t, join(temporaryDirectory(t), 'socket'));
  t.equal(process.umask(), before);
});

t.test('a socket that a killed process left behind is taken over', async (t) => {
  const path = join(temporaryDirectory(t), 'socket');
  const script = `require('node:net').createServer().listen(process.argv[1], () => console.log('up'))`;
  const child = spawnNode(['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(statSync(path).isSocket());
  await listen(t, path);
  t.equal(await greetingOf(path), 'hello');
});

t.test('a socket that is answered on stays with its owner', async (t) => {
  const path = join(temporaryDirectory(t), 'socket');
  await listen(t, path);
  await t.rejects(listen(t, path), {
    code: 'LISTEN_EADDRINUSE',
    message: `cannot listen for amqp on ${path}: another program listens there`,
  });
  t.equal(await greetingOf(path), 'hello');
});

t.test('what is no socket is not touched', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, 'precious');
  const link = join(directory, 'link');
  symlinkSync(file, link);
  const folder = join(directory, 'folder');
  mkdirSync(folder);
  for (const path of [file, link, folder]) {
    await t.rejects(listen(t, path), {
      message: `cannot listen for amqp on ${path}: there is a file that is no socket`,
    });
  }
  t.equal(readFileSync(link, 'utf8'), 'precious');
});

t.test('a path that cannot be is refused in words', async (t) => {
  const directory = temporaryDirectory(t);
  await t.rejects(listen(t, join(directory, 'missing', 'socket')), {
    message: /its directory does not exist$/,
  });
  await t.rejects(listen(t, join(directory, 'x'.repeat(108))), {
    message: /the path has more than 107 octets$/,
  });
});
