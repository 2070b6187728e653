import assert from 'node:assert';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import tap, { type Test } from 'tap';
import type { ByteArea } from '../base/byte-area.ts';
import { Reactor } from '../broker/reactor.ts';
import { CertificateAuthority } from '../testing/certificates.ts';
import { eventually } from '../testing/eventually.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { ConnectionInput, type ConnectionInputOwner } from './connection-input.ts';
import type { FrameRouter } from './frame-router.ts';
import type { HeldInput } from './held-input.ts';
import { SocketReader } from './socket-reader.ts';

const { test } = tap;
const KIB = 1024;
/** What a TLS record holds at most, and what is read at once of a socket that has brought little. */
const TLS_RECORD_BYTES = 16 * KIB;
const SMALL_READ_BYTES = 32 * KIB;
const ALONE = { isCrowded: false, turnNumber: 0 };

/** A client, and the socket that a server accepted for it. */
interface Pair {
  readonly client: Socket;
  readonly accepted: Socket;
}

function connectedPair(t: Test): Promise<Pair> {
  return connectPair(t, createServer(), 'connection', (port) => connect(port, '127.0.0.1'));
}

const authority = await CertificateAuthority.create('test');
const certificate = await authority.issue({
  subject: [{ CN: ['localhost'] }],
  hosts: ['127.0.0.1'],
});

/** The same over TLS. */
function securedPair(t: Test): Promise<Pair> {
  return connectPair(t, createTlsServer(certificate), 'secureConnection', (port) =>
    connectTls({ port, host: '127.0.0.1', ca: authority.cert }),
  );
}

async function connectPair(
  t: Test,
  server: Server,
  accepts: string,
  open: (port: number) => Socket,
): Promise<Pair> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = open(address.port);
  const [accepted] = (await once(server, accepts)) as [Socket];
  t.teardown(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}

test('sockets hand over what they receive in one buffer that they share', async (t) => {
  const reader = new SocketReader(ALONE);
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
  const reader = new SocketReader(ALONE);
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

test('over TLS too all comes in one buffer, a record at a time, and stops when paused', async (t) => {
  const reader = new SocketReader(ALONE);
  const sent = Buffer.alloc(3 * 1024 * 1024, 'abc');
  const areas = new Set<ByteArea>();
  const pairs = [await securedPair(t), await securedPair(t)];
  const received: Buffer[][] = pairs.map(() => []);
  pairs.forEach(({ client, accepted }, number) => {
    reader.read(accepted, (area, size) => {
      areas.add(area);
      t.ok(size <= TLS_RECORD_BYTES);
      received[number]!.push(Buffer.from(area.buf.subarray(0, size)));
      accepted.pause();
    });
    client.write(sent);
  });
  const sizes = () => received.map((pieces) => Buffer.concat(pieces).length);
  await eventually(() => assert(sizes().every((size) => size > 0)));
  t.ok(sizes().every((size) => size < sent.length));
  const resuming = setInterval(() => {
    for (const { accepted } of pairs) accepted.resume();
  }, 1);
  t.teardown(() => clearInterval(resuming));
  await eventually(() => assert(sizes().every((size) => size === sent.length)));
  t.ok(received.every((pieces) => Buffer.concat(pieces).equals(sent)));
  t.equal(areas.size, 1);
});

/** Sizes of the reads that bring `total` bytes, all of which were sent before the first of them. */
async function readSizes(t: Test, reader: SocketReader, total: number): Promise<number[]> {
  const { client, accepted } = await connectedPair(t);
  const sizes: number[] = [];
  let received = 0;
  reader.read(accepted, (_area, size) => {
    sizes.push(size);
    received += size;
  });
  accepted.pause();
  await write(client, Buffer.alloc(total));
  accepted.resume();
  await eventually(() => assert(received === total));
  return sizes;
}

/** Resolves when the kernel has all of it. */
async function write(client: Socket, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

test('a socket is read little by little at first, and then in large parts', async (t) => {
  const [first, ...others] = await readSizes(t, new SocketReader(ALONE), 256 * KIB);
  t.ok(first !== undefined && first <= SMALL_READ_BYTES, String(first));
  t.ok(Math.max(...others) > SMALL_READ_BYTES, String(others));
});

test('who brings much is read little by little while others do too', async (t) => {
  const sizes = await readSizes(t, new SocketReader({ ...ALONE, isCrowded: true }), 256 * KIB);
  t.ok(Math.max(...sizes) <= SMALL_READ_BYTES, String(sizes));
});

/** Whether a new socket is read in a large part; it keeps that then, since nothing reads it any more. */
async function readsMuch(t: Test, reader: SocketReader): Promise<boolean> {
  const { client, accepted } = await connectedPair(t);
  let largest = 0;
  let received = 0;
  reader.read(accepted, (_area, size) => {
    largest = Math.max(largest, size);
    received += size;
    if (size > SMALL_READ_BYTES) accepted.pause();
  });
  accepted.pause();
  await write(client, Buffer.alloc(256 * KIB));
  accepted.resume();
  await eventually(() => assert(largest > SMALL_READ_BYTES || received === 256 * KIB));
  return largest > SMALL_READ_BYTES;
}

test('only a few sockets are read in large parts, and one that is idle makes room', async (t) => {
  const crowd = { ...ALONE };
  const reader = new SocketReader(crowd);
  for (let i = 0; i < 8; i++) t.ok(await readsMuch(t, reader), String(i));
  t.notOk(await readsMuch(t, reader));
  crowd.turnNumber += 256;
  t.notOk(await readsMuch(t, reader));
  crowd.turnNumber++;
  t.ok(await readsMuch(t, reader));
});

test('connections that become readable in the same instant leave the turn short', async (t) => {
  // Counts what each turn parses of connections of which each has sent more than its share before any of them is read.
  const count = 64;
  const reactor = new Reactor(new ManualClock(), (error) => t.fail(String(error)));
  const reader = new SocketReader(reactor);
  const bytesByTurn: number[] = [];
  const router = {
    lastChannel: null,
    scan: (_area: ByteArea, size: number): number => {
      bytesByTurn[reactor.turnNumber] = (bytesByTurn[reactor.turnNumber] ?? 0) + size;
      return size;
    },
  } as unknown as FrameRouter;
  const held = { isActive: false, isFull: false } as unknown as HeldInput;
  const owner: ConnectionInputOwner = {
    isRunning: true,
    isClosed: false,
    mustWait: false,
    watchWhatItWaitsFor: () => undefined,
    framingLost: (error) => t.fail(String(error)),
  };
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const { client, accepted } = await connectedPair(t);
    const input = new ConnectionInput(accepted, router, held, reactor, owner);
    reader.read(accepted, (area, size) => input.received(area, size));
    accepted.pause();
    await write(client, Buffer.alloc(256 * KIB));
    sockets.push(accepted);
  }
  for (const socket of sockets) socket.resume();
  const sum = (): number => bytesByTurn.reduce((total, bytes = 0) => total + bytes, 0);
  await eventually(() => assert(sum() === count * 256 * KIB));
  // Until it is crowded, what the last one brings before it is, and a small part of each other.
  const bytesMax = 2048 * KIB + 256 * KIB + SMALL_READ_BYTES + count * SMALL_READ_BYTES;
  t.ok(Math.max(...bytesByTurn.filter((bytes) => bytes > 0)) <= bytesMax, String(bytesByTurn));
});

test('the end of the peer closes a socket that is read', async (t) => {
  const { client, accepted } = await connectedPair(t);
  new SocketReader(ALONE).read(accepted, () => {});
  const closed = once(accepted, 'close');
  client.end('last');
  await closed;
  t.ok(accepted.destroyed);
});

test('a stream that is no plain socket is read chunk by chunk', async (t) => {
  const stream = new PassThrough();
  const received: string[] = [];
  // Of a socket the reader uses what every stream has.
  new SocketReader(ALONE).read(stream as unknown as Socket, (area, size) => {
    received.push(area.buf.toString('latin1', 0, size));
  });
  stream.write('first');
  stream.write('second');
  await eventually(() => assert(received.length === 2));
  t.same(received, ['first', 'second']);
});
