import { getEventListeners } from 'node:events';
import t from 'tap';
import { firnmqCommand, spawnFirnmq } from './firnmq-process.ts';

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
