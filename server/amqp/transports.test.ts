/** Unix sockets, the PROXY protocol, and who a client is taken for behind them; logins by certificate. */
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import t from 'tap';
import { encodePlain, PROTOCOL_HEADER, toFieldTable } from '../../generated/index.ts';
import { Permissions } from '../auth/permissions.ts';
import type { ConfigOptions } from '../config/config.ts';
import { CertificateAuthority, writeFiles } from '../testing/certificates.ts';
import { channelOpen, connectionStartOk } from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { LogCollector } from '../testing/log-collector.ts';
import { proxyHeaderV2, tlv } from '../testing/proxy-headers.ts';
import { RawClient } from '../testing/raw-client.ts';
import { type RunningAmqp, startAmqp } from '../testing/start-amqp.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { tcpOptions } from './doors.ts';

/** Trust in what connects here; the peer of every test is 127.0.0.1. */
const TRUSTED = { proxyProtocolTrustedSources: ['10.0.0.0/8', '127.0.0.1'] };
const FROM_OUTSIDE = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 5672\r\n');
const FROM_HERE = Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 56324 5672\r\n');
const PLAIN_DEVICE = { mechanism: 'PLAIN', response: encodePlain('device-7', 'secret') };
const EXTERNAL = { mechanism: 'EXTERNAL', response: Buffer.from('whatever') };

async function start(t: Teardown, config: Partial<ConfigOptions>) {
  const log = new LogCollector();
  const server = await startAmqp(t, { logger: log.logger, config });
  return { ...server, log };
}

/** A user without a password, who may do everything. */
function addUser({ users }: RunningAmqp, name: string): Promise<void> {
  const all = new Permissions({ configure: '.*', write: '.*', read: '.*' });
  return users.put({ name, passwordHash: '', tags: [], permissions: new Map([['/', all]]) });
}

async function open(t: Teardown, to: number | string): Promise<Socket> {
  const socket = typeof to === 'string' ? createConnection(to) : createConnection(to, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** A client whose first octets are those. */
async function openBehind(t: Teardown, to: number | string, header: Buffer): Promise<RawClient> {
  const socket = await open(t, to);
  socket.write(header);
  return RawClient.over(t, socket);
}

async function endOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

t.test('a session over a Unix socket, where guest is on this machine', async (t) => {
  const path = join(temporaryDirectory(t), 'amqp.sock');
  const { listener, log, stop } = await start(t, { amqpUnixPath: path, amqpUnixMode: 0o640 });
  t.match(listener.addresses.at(-1), { protocol: 'amqp', address: path, port: 0 });
  t.equal(statSync(path).mode & 0o777, 0o640);
  for (let i = 0; i < 2; i++) {
    const client = RawClient.over(t, await open(t, path));
    await client.handshake();
    client.write(channelOpen(1));
    await client.expect(1, 'channel.open-ok');
  }
  const names = log.of('connection.open').map((line) => String(line['conn']));
  t.match(names[0], new RegExp(`^unix:\\d+ -> ${path}$`));
  t.not(names[0], names[1]);
  await stop();
  t.throws(() => statSync(path), { code: 'ENOENT' });
});

t.test('a Unix socket that cannot be made ends the start, and no port stays open', async (t) => {
  const path = join(temporaryDirectory(t), 'amqp.sock');
  const first = await start(t, { amqpUnixPath: path });
  await t.rejects(start(t, { amqpUnixPath: path }), { code: 'LISTEN_EADDRINUSE' });
  await RawClient.over(t, await open(t, first.port)).handshake();
});

t.test('the client that a trusted proxy names is the one that is logged', async (t) => {
  const { port, log } = await start(t, TRUSTED);
  const client = await openBehind(t, port, FROM_HERE);
  await client.handshake();
  const line = await log.expect('connection.open');
  t.equal(line['conn'], '127.0.0.1:56324 -> 127.0.0.1:5672');
});

t.test('guest behind a proxy is judged by the address that the proxy names', async (t) => {
  const { port, log } = await start(t, TRUSTED);
  const ipv6 = Buffer.concat([Buffer.alloc(15), Buffer.from([1])]);
  const ports = Buffer.from([0, 1, 0, 2]);
  const near: readonly Buffer[] = [
    Buffer.alloc(0),
    FROM_HERE,
    proxyHeaderV2(0x20, 0x00),
    proxyHeaderV2(0x21, 0x21, ipv6, ipv6, ports),
  ];
  for (const header of near) await (await openBehind(t, port, header)).handshake();
  const far: readonly Buffer[] = [
    FROM_OUTSIDE,
    Buffer.from('PROXY UNKNOWN\r\n'),
    proxyHeaderV2(0x21, 0x00),
    proxyHeaderV2(0x21, 0x11, Buffer.from([192, 0, 2, 1, 127, 0, 0, 1, 0, 1, 0, 2])),
  ];
  for (const header of far) {
    const client = await openBehind(t, port, header);
    const clientProperties = toFieldTable({ capabilities: { authentication_failure_close: true } });
    client.write(PROTOCOL_HEADER);
    await client.expect(0, 'connection.start');
    client.write(connectionStartOk({ clientProperties }));
    t.equal((await client.expect(0, 'connection.close')).args.replyCode, 403);
  }
  t.same(
    log.of('login.refuse').map((line) => line['refusal']),
    far.map(() => 'user may only connect from this machine'),
  );
});

t.test('a header may come octet by octet, with all behind it', async (t) => {
  const { port } = await start(t, TRUSTED);
  for (const header of [
    FROM_HERE,
    proxyHeaderV2(0x21, 0x11, Buffer.from([127, 0, 0, 1, 127, 0, 0, 1, 0, 1, 0, 2]), tlv(4, 'abc')),
  ]) {
    const socket = await open(t, port);
    socket.setNoDelay(true);
    const client = RawClient.over(t, socket);
    for (const octet of Buffer.concat([header, PROTOCOL_HEADER])) {
      await client.writeAll(Buffer.from([octet]));
    }
    await client.expect(0, 'connection.start');
  }
});

t.test('header, protocol header and start-ok may come as one', async (t) => {
  const { port } = await start(t, TRUSTED);
  const all = Buffer.concat([FROM_HERE, PROTOCOL_HEADER, connectionStartOk()]);
  const client = await openBehind(t, port, all);
  await client.expect(0, 'connection.start');
  await client.expect(0, 'connection.tune');
});

t.test('a malformed header of a trusted proxy closes the socket, with a log line', async (t) => {
  for (const header of [
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n',
    `PROXY ${'x'.repeat(200)}`,
    '\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0',
  ]) {
    const { port, log } = await start(t, TRUSTED);
    const socket = await open(t, port);
    socket.write(Buffer.from(header, 'latin1'));
    t.equal((await endOf(socket)).length, 0);
    t.match(await log.expect('proxy-header.refuse'), { level: 'warn', peer: '127.0.0.1' });
  }
});

t.test('a header of a peer that is not trusted is a wrong protocol header', async (t) => {
  for (const sources of [[], ['10.0.0.0/8', 'unix']]) {
    const { port, log } = await start(t, { proxyProtocolTrustedSources: sources });
    for (const header of [FROM_HERE, proxyHeaderV2(0x20, 0x00)]) {
      const socket = await open(t, port);
      socket.write(header);
      t.same(await endOf(socket), PROTOCOL_HEADER);
    }
    t.match(log.of('connection.refuse'), [{ protocol: 'PROXY' }, { protocol: 'PROXY' }]);
  }
});

t.test('a Unix socket is trusted by the word for it alone', async (t) => {
  for (const [sources, isTrusted] of [
    [['unix'], true],
    [['0.0.0.0/0', '::/0'], false],
  ] as const) {
    const path = join(temporaryDirectory(t), 'amqp.sock');
    const config = { amqpUnixPath: path, proxyProtocolTrustedSources: sources };
    const { log } = await start(t, config);
    const socket = await open(t, path);
    socket.write(Buffer.concat([FROM_HERE, PROTOCOL_HEADER]));
    if (isTrusted) {
      const client = RawClient.over(t, socket);
      await client.expect(0, 'connection.start');
      t.equal(log.of('connection.refuse').length, 0);
    } else {
      t.same(await endOf(socket), PROTOCOL_HEADER);
    }
  }
});

t.test('a trusted proxy that keeps its header to itself is dropped in time', async (t) => {
  const { port, log } = await start(t, { ...TRUSTED, handshakeTimeoutMs: 300 });
  for (const bytes of ['', 'PROXY TCP4 ', '\r\n\r\n\0']) {
    const socket = await open(t, port);
    socket.write(bytes);
    t.equal((await endOf(socket)).length, 0);
  }
  t.equal(log.of('handshake.timeout').length, 3);
});

t.test('a header comes before TLS, also in one piece with its beginning', async (t) => {
  const authority = await CertificateAuthority.create('test');
  const own = await authority.issue({ subject: [], hosts: ['127.0.0.1'] });
  const paths = writeFiles(t, { own: own.cert + own.key });
  const { tlsPort, log } = await start(t, { ...TRUSTED, tlsCertPath: paths.own });
  const direct = await open(t, tlsPort);
  direct.write(FROM_HERE);
  const secured = connectTls({ socket: direct, ca: authority.cert, host: '127.0.0.1' });
  await once(secured, 'secureConnect');
  await RawClient.over(t, secured).handshake();
  t.equal((await log.expect('connection.open'))['conn'], '127.0.0.1:56324 -> 127.0.0.1:5672');

  // The client's hello is caught on its way, and sent again behind a header with the same write.
  const hello = await clientHello(t, tlsPort);
  const socket = await open(t, tlsPort);
  socket.write(Buffer.concat([FROM_OUTSIDE, hello]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.equal(answer[0], 0x16, 'a record of the handshake');
  t.equal(log.of('tls.refuse').length, 0);
});

/** The first flight of a TLS client. */
async function clientHello(t: Teardown, port: number): Promise<Buffer> {
  const catcher = createServer();
  t.teardown(() => catcher.close());
  catcher.listen(0, '127.0.0.1');
  await once(catcher, 'listening');
  const address = catcher.address();
  const own = typeof address === 'object' && address !== null ? address.port : port;
  const client = connectTls({ host: '127.0.0.1', port: own });
  client.on('error', () => undefined);
  const [socket] = (await once(catcher, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return hello;
}

// --- EXTERNAL ----------------------------------------------------------------------------------

async function startMutualTls(t: Teardown, config: Partial<ConfigOptions> = {}) {
  const authority = await CertificateAuthority.create('test');
  const own = await authority.issue({ subject: [], hosts: ['127.0.0.1'] });
  const paths = writeFiles(t, { own: own.cert + own.key, ca: authority.cert });
  const server = await start(t, {
    tlsCertPath: paths.own,
    tlsCaPath: paths.ca,
    tlsVerifyPeer: 'request',
    ...config,
  });
  const connect = async (subject: Record<string, string[]>[] | null) => {
    const shown: ConnectionOptions =
      subject === null
        ? {}
        : await authority.issue({ subject }).then(({ cert, key }) => ({ cert, key }));
    const socket = connectTls({
      host: '127.0.0.1',
      port: server.tlsPort,
      ca: authority.cert,
      ...shown,
    });
    await once(socket, 'secureConnect');
    return RawClient.over(t, socket);
  };
  return { ...server, connect };
}

const DEVICE: Record<string, string[]>[] = [{ O: ['Example'] }, { CN: ['device-7'] }];

t.test('a certificate logs its user in, by distinguished name or common name', async (t) => {
  for (const [from, name] of [
    ['distinguished_name', 'CN=device-7,O=Example'],
    ['common_name', 'device-7'],
  ] as const) {
    const server = await startMutualTls(t, { tlsCertificateLogin: from });
    await addUser(server, name);
    const client = await server.connect(DEVICE);
    await client.handshake({ login: EXTERNAL });
    t.match(await server.log.expect('connection.open'), { user: name });
  }
});

t.test('a user without a password logs in by certificate alone', async (t) => {
  const server = await startMutualTls(t, { tlsCertificateLogin: 'common_name' });
  await addUser(server, 'device-7');
  const client = await server.connect(DEVICE);
  t.equal(await refusalOf(client, PLAIN_DEVICE), 403);
  t.match(server.log.of('login.refuse'), [{ user: 'device-7', refusal: 'user without password' }]);
});

t.test(
  'EXTERNAL without a user, without a name or without a certificate is refused with 403',
  async (t) => {
    const server = await startMutualTls(t, { tlsCertificateLogin: 'common_name' });
    const cases: readonly (readonly [Record<string, string[]>[] | null, string])[] = [
      [DEVICE, 'unknown user'],
      [[{ O: ['Example'] }], "the client's certificate has no common_name"],
      [null, 'the client shows no certificate'],
    ];
    for (const [subject, refusal] of cases) {
      const client = await server.connect(subject);
      t.equal(await refusalOf(client, EXTERNAL), 403);
      t.equal(server.log.of('login.refuse').at(-1)?.['refusal'], refusal);
    }
  },
);

/** The reply code of a refused login, told to a client that can be told; the words are those for the mechanism. */
async function refusalOf(
  client: RawClient,
  login: { readonly mechanism: string; readonly response: Buffer },
): Promise<number> {
  const clientProperties = toFieldTable({ capabilities: { authentication_failure_close: true } });
  client.write(PROTOCOL_HEADER);
  await client.expect(0, 'connection.start');
  client.write(connectionStartOk({ ...login, clientProperties }));
  const { replyCode, replyText } = (await client.expect(0, 'connection.close')).args;
  const expected =
    `ACCESS_REFUSED - Login was refused using authentication mechanism ${login.mechanism}. ` +
    'For details see the broker logfile.';
  if (replyText !== expected) throw new Error(`refused with '${replyText}'`);
  return replyCode;
}

t.test('a client that cannot be told of a refused EXTERNAL hears nothing', async (t) => {
  const server = await startMutualTls(t);
  const client = await server.connect(DEVICE);
  client.write(PROTOCOL_HEADER);
  await client.expect(0, 'connection.start');
  client.write(connectionStartOk(EXTERNAL));
  await client.closed;
  await t.rejects(client.next(), { message: 'the server closed the socket' });
});

t.test('EXTERNAL is an unknown mechanism where there is no TLS', async (t) => {
  const { port, log } = await start(t, {});
  const client = RawClient.over(t, await open(t, port));
  client.write(PROTOCOL_HEADER);
  await client.expect(0, 'connection.start');
  client.write(connectionStartOk(EXTERNAL));
  t.match(await log.expect('connection.refuse'), {
    reason: "unknown authentication mechanism 'EXTERNAL'",
  });
});

t.test('guest by certificate is held to this machine, too', async (t) => {
  const server = await startMutualTls(t, { ...TRUSTED, tlsCertificateLogin: 'common_name' });
  const client = await server.connect([{ CN: ['guest'] }]);
  await client.handshake({ login: EXTERNAL });
  t.match(await server.log.expect('connection.open'), { user: 'guest' });
});

t.test(
  'the name in a certificate that a proxy has checked is believed only when that is set',
  async (t) => {
    const parts = Buffer.concat([Buffer.from([0x03, 0, 0, 0, 0]), tlv(0x22, 'device-7')]);
    const addresses = Buffer.from([192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2]);
    const header = proxyHeaderV2(0x21, 0x11, addresses, tlv(0x20, parts));
    const believing = await start(t, { ...TRUSTED, proxyProtocolCommonName: true });
    await addUser(believing, 'device-7');
    const client = await openBehind(t, believing.port, header);
    const { args } = await client.handshake({ login: EXTERNAL });
    t.equal(args.mechanisms.toString(), 'PLAIN AMQPLAIN EXTERNAL');
    t.match(await believing.log.expect('connection.open'), {
      user: 'device-7',
      conn: '192.0.2.1:1 -> 192.0.2.2:2',
    });

    const doubting = await start(t, TRUSTED);
    const doubted = await openBehind(t, doubting.port, Buffer.concat([header, PROTOCOL_HEADER]));
    const start2 = await doubted.expect(0, 'connection.start');
    t.equal(start2.args.mechanisms.toString(), 'PLAIN AMQPLAIN');
  },
);

// --- TCP ---------------------------------------------------------------------------------------

t.test('Nagle is off unless it is asked for', async (t) => {
  const base = { tcpKeepaliveIdleSeconds: 60 };
  t.same(tcpOptions({ ...base, tcpNodelay: true }), {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  });
  t.match(tcpOptions({ ...base, tcpNodelay: false }), { noDelay: false });
});

/** Which timer of the kernel runs on the server's end of a connection, and for how long, in hundredths of a second. */
function kernelTimerOf(serverPort: number, clientPort: number): { kind: string; left: number } {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`:${hex(serverPort)} [0-9A-F]+:${hex(clientPort)} `);
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((row) => ends.test(row));
  const [, kind = '', left = ''] = / ([0-9A-F]{2}):([0-9A-F]{8}) /.exec(line ?? '') ?? [];
  return { kind, left: Number.parseInt(left, 16) };
}

t.test(
  'TCP keepalive begins after the time that is set, or never',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const KEEPALIVE = '02';
    for (const idle of [100, 20_000, null]) {
      const { port } = await start(t, { tcpKeepaliveIdleSeconds: idle });
      const socket = await open(t, port);
      await RawClient.over(t, socket).handshake();
      await eventually(() => {
        const { kind, left } = kernelTimerOf(port, socket.localPort ?? 0);
        const expected = idle === null ? '00' : KEEPALIVE;
        // Bytes that the peer has not acked yet have a timer of their own.
        if (kind !== expected) throw new Error(`timer ${kind} runs`);
        if (idle !== null && (left > idle * 100 || left < idle * 50))
          throw new Error(`${left} left`);
      });
    }
  },
);
