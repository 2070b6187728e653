import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { firnmqCommand, spawnFirnmq } from './firnmq-process.ts';

t.test('a server under measurement is told of Node.js what npm start tells it', async (t) => {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const main = /dist\/firnmq\/main\.js$/;
  const [, ...told] = firnmqCommand('data');
  const flags = told.slice(
    0,
    told.findIndex((argument) => main.test(argument)),
  );
  t.ok(flags.length > 0);
  t.match(JSON.parse(manifest), {
    scripts: { start: new RegExp(`node ${flags.join(' ')} dist/firnmq/main\\.js`) },
  });
});

t.test('the signal that kills a server holds nothing of servers that have ended', async (t) => {
  const abort = new AbortController();
  const listenerCount = (): number => getEventListeners(abort.signal, 'abort').length;
  const { process: stopped } = await spawnFirnmq(null, firnmqCommand(t.testdir()), abort.signal);
  t.equal(listenerCount(), 1);
  await stopped.terminate();
  t.equal(listenerCount(), 0);
  await t.rejects(
    spawnFirnmq(null, [process.execPath, '-e', ''], abort.signal),
    /ended with code 0/,
  );
  t.equal(listenerCount(), 0);
});

t.test('a signal kills the server, also one that came before', async (t) => {
  const abort = new AbortController();
  const { process: killed } = await spawnFirnmq(null, firnmqCommand(t.testdir()), abort.signal);
  const ended = new Promise<void>((resolve) => killed.whenEnded(resolve));
  abort.abort();
  await ended;
  t.match(killed.endedError(), { message: /ended with SIGKILL/ });
  await t.rejects(
    spawnFirnmq(null, firnmqCommand(t.testdir()), abort.signal),
    /ended with SIGKILL/,
  );
});
