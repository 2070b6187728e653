import t from 'tap';
import { createServer } from './index.ts';
import {
  basicGet,
  channelOpen,
  connectionCloseOk,
  publish,
  queueDeclare,
} from './testing/client-frames.ts';
import { RawClient } from './testing/raw-client.ts';
import { type Teardown, temporaryDirectory } from './testing/temporary-directory.ts';

/** Starts an embedded server; answers with its AMQP port and how to stop it. */
async function start(t: Teardown, dataDir: string) {
  const ports = { amqpPort: 0, httpPort: 0, bindAddresses: ['127.0.0.1'] };
  const server = await createServer({ dataDir, ...ports });
  let stopped: Promise<unknown> | null = null;
  const stop = () => {
    stopped ??= server.stop('test');
    return stopped;
  };
  t.teardown(stop);
  const port = server.listeners.find(({ protocol }) => protocol === 'amqp')!.port;
  return { port, stop, server };
}

t.test('a server that is stopped closes its clients politely', async (t) => {
  const { port, stop } = await start(t, temporaryDirectory(t));
  const client = await RawClient.open(t, port);
  client.write(channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  const stopped = stop();
  t.match((await client.expect(0, 'connection.close')).args, {
    replyCode: 320,
    replyText: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
  });
  client.write(connectionCloseOk());
  await client.closed;
  await stopped;
});

t.test('a server that is stopped does not wait for clients that never opened', async (t) => {
  const { port, stop } = await start(t, temporaryDirectory(t));
  const silent = await RawClient.connect(t, port);
  await stop();
  await silent.closed;
});

t.test('what a stopped server kept is there when it starts again', async (t) => {
  const dataDir = temporaryDirectory(t);
  for (let run = 0; run < 3; run++) {
    const { port, stop } = await start(t, dataDir);
    const client = await RawClient.open(t, port);
    client.write(channelOpen(1), queueDeclare(1, { queue: 'q', durable: true }));
    await client.expect(1, 'channel.open-ok');
    t.equal((await client.expect(1, 'queue.declare-ok')).args.messageCount, run);
    client.write(publish(1, 'q', `message ${run}`));
    await client.expectNothing(1);
    client.destroy();
    await stop();
  }
  const { port } = await start(t, dataDir);
  const client = await RawClient.open(t, port);
  client.write(channelOpen(1));
  await client.expect(1, 'channel.open-ok');
  for (let i = 0; i < 3; i++) {
    client.write(basicGet(1, 'q'));
    t.match(await client.expectGot(1), { body: `message ${i}`, redelivered: false });
  }
});

t.test('a directory is free again once its server has stopped, and not before', async (t) => {
  const dataDir = temporaryDirectory(t);
  const { stop } = await start(t, dataDir);
  await t.rejects(start(t, dataDir), { code: 'DIRECTORY_IN_USE' });
  await stop();
  const again = await start(t, dataDir);
  await again.stop();
});

t.test('a start that fails leaves nothing behind', async (t) => {
  const { port } = await start(t, temporaryDirectory(t));
  const dataDir = temporaryDirectory(t);
  const options = { dataDir, amqpPort: port, httpPort: 0, bindAddresses: ['127.0.0.1'] };
  await t.rejects(createServer(options), { code: 'LISTEN_EADDRINUSE' });
  const second = await start(t, dataDir);
  await second.stop();
});
