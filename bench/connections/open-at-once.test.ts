import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { StorageServer } from '../storage/storage-server.ts';
import { openAtOnce } from './open-at-once.ts';

async function startServer(t: Test): Promise<StorageServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
  const server = await StorageServer.start(dataDir, null, new AbortController().signal);
  t.teardown(async () => {
    await server.stop();
    await rm(dataDir, { recursive: true });
  });
  return server;
}

t.test('all of a thousand connections opened at once are served', async (t) => {
  const server = await startServer(t);
  const { servedMs, failures, close } = await openAtOnce({
    uri: server.uri,
    count: 1000,
    limitMs: 10_000,
  });
  t.same(failures, []);
  t.equal(servedMs.length, 1000);
  t.same(
    [...servedMs].sort((a, b) => a - b),
    servedMs,
  );
  await close();
});

t.test('what a broker refuses or does not answer is told', async (t) => {
  const server = await startServer(t);
  const refused = await openAtOnce({
    uri: { ...server.uri, vhost: 'none' },
    count: 2,
    limitMs: 10_000,
  });
  t.same(refused.servedMs, []);
  t.same(refused.failures, [
    'NOT_ALLOWED - vhost none not found',
    'NOT_ALLOWED - vhost none not found',
  ]);
  await refused.close();
  const silent = createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const unanswered = await openAtOnce({
    uri: parseAmqpUri(`amqp://127.0.0.1:${port}`),
    count: 2,
    limitMs: 50,
  });
  t.equal(unanswered.failures.length, 2);
  await unanswered.close();
});
