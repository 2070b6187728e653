import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Test } from 'tap';
import t from 'tap';
import { Relay } from './relay.ts';

/** A server that answers everything with its name and what came. @returns its port */
async function startEcho(t: Test, name: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('data', (chunk) => socket.write(`${name}: ${chunk.toString()}`));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Sends one text over a connection of its own. @returns the answer; null: the connection ended */
async function ask(relay: Relay, text: string): Promise<string | null> {
  const socket = connect(Number(new URL(relay.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  const answer = await Promise.race([
    once(socket, 'data').then(([chunk]) => String(chunk)),
    once(socket, 'close').then(() => null),
  ]);
  socket.destroy();
  return answer;
}

t.test('the relay passes on what comes, and keeps what clients sent by connection', async (t) => {
  const relay = await Relay.start(await startEcho(t, 'broker'));
  t.teardown(() => relay.stop());
  t.equal(await ask(relay, 'one'), 'broker: one');
  t.equal(await ask(relay, 'two'), 'broker: two');
  t.same(relay.recordings().map(String), ['one', 'two']);
});

t.test(
  'the relay keeps its port while the broker goes and comes back on another one',
  async (t) => {
    const relay = await Relay.start(1); // where nobody listens
    t.teardown(() => relay.stop());
    t.equal(await ask(relay, 'nobody'), null);
    relay.targetPort = await startEcho(t, 'broker');
    t.equal(await ask(relay, 'there'), 'broker: there');
  },
);
