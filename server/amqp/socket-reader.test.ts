import assert from 'node:assert';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import tap, { type Test } from 'tap';
import type { ByteArea } from '../base/byte-area.ts';
import { eventually } from '../testing/eventually.ts';
import { SocketReader } from './socket-reader.ts';

const { test } = tap;

/** A client, and the socket that a server accepted for it. */
async function connectedPair(t: Test): Promise<{ client: Socket; accepted: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = connect(address.port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  t.teardown(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}

test('sockets hand over what they receive in one buffer that they share', async (t) => {
  const reader = new SocketReader();
  const areas = new Set<ByteArea>();
  const texts: string[] = ['', ''];
  const pairs = [await connectedPair(t), await connectedPair(t)];
  pairs.forEach(({ accepted }, number) => {
    reader.read(accepted, (area, size) => {
      areas.add(area);
      texts[number] += area.buf.toString('latin1', 0, size);
    });
  });
  pairs[0]!.client.write('one');
  pairs[1]!.client.write('two');
  await eventually(() => assert(texts[0] === 'one' && texts[1] === 'two'));
  t.equal(areas.size, 1);
});

test('nothing comes while a socket is paused, and everything after', async (t) => {
  const reader = new SocketReader();
  const { client, accepted } = await connectedPair(t);
  const sent = Buffer.alloc(3 * 1024 * 1024, 'abc');
  const received: Buffer[] = [];
  let readsWhilePaused = 0;
  reader.read(accepted, (area, size) => {
    if (accepted.isPaused()) readsWhilePaused++;
    received.push(Buffer.from(area.buf.subarray(0, size)));
    accepted.pause();
    setImmediate(() => accepted.resume());
  });
  client.write(sent);
  await eventually(() => assert(Buffer.concat(received).length === sent.length));
  t.ok(received.length > 1);
  t.equal(readsWhilePaused, 0);
  t.ok(Buffer.concat(received).equals(sent));
});

test('the end of the peer closes a socket that is read', async (t) => {
  const { client, accepted } = await connectedPair(t);
  new SocketReader().read(accepted, () => {});
  const closed = once(accepted, 'close');
  client.end('last');
  await closed;
  t.ok(accepted.destroyed);
});

test('a stream that is no plain socket is read chunk by chunk', async (t) => {
  const stream = new PassThrough();
  const received: string[] = [];
  // Of a socket the reader uses what every stream has.
  new SocketReader().read(stream as unknown as Socket, (area, size) => {
    received.push(area.buf.toString('latin1', 0, size));
  });
  stream.write('first');
  stream.write('second');
  await eventually(() => assert(received.length === 2));
  t.same(received, ['first', 'second']);
});
