/** What one client can make the server hold: before it has logged in, and after, without reading or finishing a thing. */
import { readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import {
  FRAME_BODY,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  PROTOCOL_HEADER,
} from '../../generated/index.ts';
import { UserStore } from '../auth/user-store.ts';
import { createConfig } from '../config/config.ts';
import { realFileSystem } from '../storage/fs.ts';
import { createSilentLogger } from '../telemetry/logger.ts';
import {
  anyFrame,
  basicGet,
  bodyFrames,
  channelFlow,
  channelOpen,
  connectionStartOk,
  contentHeader,
  publish,
  publishMethod,
  publishTo,
  queueDeclare,
} from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import { memoryServices } from '../testing/memory-services.ts';
import { MemorySocket } from '../testing/memory-socket.ts';
import { openBroker } from '../testing/open-broker.ts';
import { RawClient } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { Connection } from './connection.ts';
import { HANDSHAKE_BYTES_MAX } from './handshake-memory.ts';
import { SLAB_SIZE } from './output.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const CHANNELS = 2047;

/** The first octets of a frame that announces `size` octets of payload, with `payload` behind them. */
function beginningOfFrame(type: number, channel: number, size: number, payload: Buffer): Buffer {
  const frame = anyFrame(type, channel, payload).subarray(0, -1);
  frame.writeUInt32BE(size, 3);
  return frame;
}

async function setUp(t: Teardown) {
  const server = await startAmqp(t);
  const openClient = async (channels = 1) => {
    const client = await RawClient.open(t, server.port);
    for (let channel = 1; channel <= channels; channel++) client.write(channelOpen(channel));
    for (let channel = 1; channel <= channels; channel++) {
      await client.expect(channel, 'channel.open-ok');
    }
    return client;
  };
  return { server, openClient };
}

t.test('half a login holds what has come of it, not what it announces', async (t) => {
  const { server } = await setUp(t);
  const half = beginningOfFrame(FRAME_METHOD, 0, 100_000, Buffer.alloc(2000));
  for (let i = 0; i < 50; i++) {
    const client = await RawClient.connect(t, server.port);
    client.write(PROTOCOL_HEADER, half);
    await client.expect(0, 'connection.start');
  }
  await eventually(() => {
    if (server.listener.connectionBytes() < 50 * half.length) throw new Error('not read yet');
  });
  t.ok(server.listener.connectionBytes() <= 50 * 2 * half.length);
});

t.test('unfinished logins hold a bounded amount, and others get through meanwhile', async (t) => {
  const { server, openClient } = await setUp(t);
  const half = beginningOfFrame(FRAME_METHOD, 0, 120_000, Buffer.alloc(119_000));
  // More than twice as many as find room.
  const count = Math.ceil((2.5 * HANDSHAKE_BYTES_MAX) / half.length);
  const clients: RawClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = await RawClient.connect(t, server.port);
    client.write(PROTOCOL_HEADER, half);
    clients.push(client);
  }
  let dropped = 0;
  for (const { closed } of clients) void closed.then(() => dropped++);
  await eventually(() => {
    if (dropped < count / 2) throw new Error(`${dropped} of ${count} are dropped`);
  });
  t.ok(server.listener.connectionBytes() <= HANDSHAKE_BYTES_MAX + count * 4 * KIB);
  const client = await openClient();
  await client.expectNothing(1);
  for (const other of clients) other.destroy();
  await eventually(() => {
    if (server.listener.connectionBytes() > 64 * KIB) throw new Error('memory is not given back');
  });
  // What was counted is free again: a login in pieces finds room.
  const slow = await RawClient.connect(t, server.port);
  const login = connectionStartOk({ locale: 'x'.repeat(200) });
  await slow.writeAll(Buffer.concat([PROTOCOL_HEADER, login.subarray(0, 60)]));
  await slow.expect(0, 'connection.start');
  await slow.writeAll(login.subarray(60));
  await slow.expect(0, 'connection.tune');
});

t.test('a login larger than is taken is refused by its size', async (t) => {
  const { server } = await setUp(t);
  const client = await RawClient.connect(t, server.port);
  client.write(PROTOCOL_HEADER, beginningOfFrame(FRAME_METHOD, 0, 0x7fff_ffff, Buffer.alloc(0)));
  await client.expect(0, 'connection.start');
  t.equal((await client.expect(0, 'connection.close')).args.replyCode, 501);
});

/** A connection whose clock is the test's: it is ticked by hand. */
async function openByHand(t: Teardown) {
  const { broker, dataDir } = await openBroker(t);
  const config = createConfig({ dataDir, amqpPort: 0 });
  const users = await UserStore.load(realFileSystem, dataDir, config);
  const services = memoryServices({ config, broker, users });
  let isClosed = false;
  const socket = new MemorySocket({
    receive: () => undefined,
    closed: () => {
      isClosed = true;
    },
  });
  const openedMs = performance.now();
  const connection = new Connection(
    socket.asTransport,
    services,
    { closed: () => undefined },
    createSilentLogger(),
  );
  /** Ticks as the listener does, so many milliseconds after the connection came. */
  const tickAt = async (afterMs: number) => {
    connection.tick(openedMs + afterMs);
    await nextTurn();
    return isClosed;
  };
  return { connection, socket, tickAt, timeoutMs: config.handshakeTimeoutMs };
}

t.test('a login that comes octet by octet has the same time as any other', async (t) => {
  const { socket, tickAt, timeoutMs } = await openByHand(t);
  const bytes = Buffer.concat([PROTOCOL_HEADER, connectionStartOk()]);
  const steps = 40;
  for (let i = 0; i < steps; i++) {
    socket.send(bytes.subarray(i, i + 1));
    t.notOk(await tickAt((i * timeoutMs) / steps));
  }
  // The clock of the constructor is a little behind that of the test.
  t.ok(await tickAt(timeoutMs + 1000));
});

t.test('heartbeats and empty frames before the login cost nothing and win no time', async (t) => {
  const { connection, socket, tickAt, timeoutMs } = await openByHand(t);
  socket.send(PROTOCOL_HEADER);
  const heartbeats = Buffer.alloc(64 * KIB, anyFrame(FRAME_HEARTBEAT, 0, Buffer.alloc(0)));
  for (let i = 0; i < 100; i++) {
    socket.send(heartbeats);
    await nextTurn();
    t.notOk(await tickAt(timeoutMs / 2));
  }
  t.equal(connection.memoryBytes, 0);
  t.ok(await tickAt(timeoutMs + 1000));
});

t.test('headers that announce bodies reserve neither memory nor files', async (t) => {
  const { server, openClient } = await setUp(t);
  const client = await openClient(CHANNELS);
  const atRest = server.listener.connectionBytes();
  for (let channel = 1; channel < CHANNELS; channel++) {
    const size = channel % 2 === 0 ? MIB : 128 * MIB;
    client.write(publishMethod(channel, { routingKey: 'q' }), contentHeader(channel, size));
  }
  await client.expectNothing(CHANNELS);
  t.ok(server.listener.connectionBytes() - atRest < 64 * KIB);
  for (let channel = 1; channel < CHANNELS; channel++) {
    client.write(anyFrame(FRAME_BODY, channel, Buffer.from('x')));
  }
  await client.expectNothing(CHANNELS);
  const taken = server.listener.connectionBytes() - atRest;
  t.ok(taken <= CHANNELS * 4 * KIB + 64 * KIB, `${taken} bytes`);
  const files = readdirSync(server.dataDir, { recursive: true, encoding: 'utf8' });
  t.same(
    files.filter((path) => /large\/\d+$/.test(path)),
    [],
  );
});

t.test('a body that comes slowly holds a few times what has come', async (t) => {
  const { server, openClient } = await setUp(t);
  const client = await openClient(2);
  client.write(publishMethod(1, { routingKey: 'q' }), contentHeader(1, MIB));
  let sent = 0;
  for (const size of [1, 1000, 20_000, 100_000]) {
    client.write(bodyFrames(1, Buffer.alloc(size)));
    sent += size;
    await client.expectNothing(2);
    const held = server.listener.connectionBytes() + server.listener.outputBytes;
    t.ok(held >= sent && held <= 4 * sent + 8 * KIB, `${held} bytes for ${sent}`);
  }
});

t.test('a client that asks for messages and reads none is not read either', async (t) => {
  const { server, openClient } = await setUp(t);
  const client = await openClient();
  client.write(queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'queue.declare-ok');
  for (let i = 0; i < 32; i++) await client.writeAll(publish(1, 'q', Buffer.alloc(MIB)));
  await client.expectNothing(1);
  const greedy = await openClient(2);
  greedy.pause();
  // Each get asks on another channel than the one before.
  const gets = Buffer.concat(
    Array.from({ length: 1000 }, (_, i) => basicGet(1 + (i % 2), 'q', true)),
  );
  const blocks = 3000;
  for (let i = 0; i < blocks; i++) greedy.write(gets);
  await eventually(async () => {
    const before = greedy.unsentBytes;
    for (let i = 0; i < 50; i++) await client.expectNothing(1);
    if (before === blocks * gets.length || greedy.unsentBytes < before) throw new Error('is read');
  });
  t.ok(greedy.unsentBytes > (blocks * gets.length) / 2, `${greedy.unsentBytes} bytes are not read`);
  t.ok(server.listener.outputBytes <= 16 * SLAB_SIZE + 8 * MIB, `${server.listener.outputBytes}`);
  greedy.destroy();
});

t.test('a client that is read again gets all the answers that it asked for', async (t) => {
  const { openClient } = await setUp(t);
  const client = await openClient();
  client.write(queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'queue.declare-ok');
  await client.writeAll(publish(1, 'q', Buffer.alloc(8 * MIB)));
  await client.expectNothing(1);
  client.pause();
  const count = 30_000;
  client.write(basicGet(1, 'q', true), ...Array.from({ length: count }, () => channelFlow(1)));
  client.resume();
  await client.expectGot(1);
  for (let i = 0; i < count; i++) await client.expect(1, 'channel.flow-ok');
  await client.expectNothing(1);
});

t.test(
  'a client that asks more while its answers wait for the disk gets all of them',
  async (t) => {
    const gated = new GatedFileSystem();
    const server = await startAmqp(t, { fs: gated.fs });
    t.teardown(() => gated.syncs.release());
    const client = await RawClient.open(t, server.port);
    client.write(channelOpen(1));
    await client.expect(1, 'channel.open-ok');
    gated.syncs.hold();
    const count = 50_000;
    const questions = Array.from({ length: count }, () => channelFlow(1));
    client.write(queueDeclare(1, { queue: 'q', durable: true }), ...questions);
    const other = await RawClient.open(t, server.port);
    other.write(channelOpen(1));
    await other.expect(1, 'channel.open-ok');
    for (let i = 0; i < 50; i++) await other.expectNothing(1);
    gated.syncs.release();
    await client.expect(1, 'queue.declare-ok');
    for (let i = 0; i < count; i++) await client.expect(1, 'channel.flow-ok');
  },
);

t.test('answers to a client that reads none take one slab, not one for each turn', async (t) => {
  const { server, openClient } = await setUp(t);
  const other = await openClient();
  const client = await openClient();
  other.write(queueDeclare(1, { queue: 'q' }));
  await other.expect(1, 'queue.declare-ok');
  client.pause();
  // Mandatory messages that go nowhere come back until the kernel takes no more; what is larger than a slab is not
  // kept for others.
  const body = Buffer.alloc(SLAB_SIZE + 1);
  const atRest = server.listener.outputBytes;
  while (server.listener.outputBytes <= atRest + 2 * SLAB_SIZE) {
    client.write(publishToNowhere(body));
    await other.expectNothing(1);
    await other.expectNothing(1);
  }
  const before = server.listener.outputBytes;
  for (let i = 0; i < 300; i++) {
    client.write(channelFlow(1));
    await other.expectNothing(1);
  }
  t.ok(server.listener.outputBytes <= before + SLAB_SIZE);
});

function publishToNowhere(body: Buffer): Buffer {
  return publishTo(1, { routingKey: 'nowhere', mandatory: true }, body);
}
