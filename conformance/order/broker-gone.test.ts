/** A run against a broker that dies ends, and says so. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { LocalServer } from '../support/local-server.ts';
import { Actor } from './actor.ts';
import { playScript } from './play-script.ts';
import { QueueModel } from './queue-model.ts';

const MAIN = join(import.meta.dirname, 'main.js');

function sceneAt(server: LocalServer) {
  const { hostname, port } = new URL(server.url);
  const login = { hostname, port: Number(port), username: 'guest', password: 'guest' };
  return { login, isPipelined: true, tellsAllBeforeClose: true };
}

/** Deletes its directory; the process, which was to end in order, is gone. */
async function removeKilled(server: LocalServer): Promise<void> {
  await server.stop().catch(() => undefined);
}

t.test('the program ends with the error and exit code 1 when its broker is killed', async (t) => {
  let opened = 0;
  const server = await LocalServer.start({
    onLogLine: (line) => {
      if (line.includes('"connection.open"')) opened++;
      // In the middle of scripts.
      if (opened === 20) process.kill(server.pid, 'SIGKILL');
    },
  });
  t.teardown(() => removeKilled(server));
  const child = spawn(process.execPath, [MAIN, '--url', server.url, '--minutes', '60'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  t.same(await ended, [1, null]);
  t.match(stderr, /^the broker is gone, .*: Error: connect ECONNREFUSED/);
  t.match(stdout, /^\d+ passed, [1-4] failed\n$/m);
});

t.test('a client does not wait for confirms and answers of a broker that dies', async (t) => {
  const server = await LocalServer.start();
  t.teardown(() => removeKilled(server));
  const model = new QueueModel(['q']);
  const actor = new Actor({ ...sceneAt(server), model, queues: ['q'], fanout: '' }, 0, false);
  await actor.open();
  process.kill(server.pid, 'SIGSTOP');
  await actor.perform({ kind: 'publish', queue: 0, count: 1 });
  const settled = actor.settled();
  const got = t.rejects(actor.drainOne('q'), /ECONNRESET|closed the socket/);
  process.kill(server.pid, 'SIGKILL');
  await Promise.all([settled, got]);
  await t.rejects(actor.close(), /closed the socket/);
  t.match(model.violation, /p0: (.*ECONNRESET|the broker closed the socket)/);
});

t.test('a script that finds no broker fails by that', async (t) => {
  const server = await LocalServer.start();
  const scene = sceneAt(server);
  await server.stop();
  t.match(await playScript([], scene), /ECONNREFUSED/);
});
