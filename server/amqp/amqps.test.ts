/** AMQP over TLS: what is negotiated, whose certificates are shown and taken, and what is logged when it fails. */
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import t from 'tap';
import { PROTOCOL_HEADER } from '../../generated/index.ts';
import type { ConfigOptions } from '../config/config.ts';
import { CertificateAuthority, encryptKey, writeFiles } from '../testing/certificates.ts';
import { basicConsume, channelOpen, publish, queueDeclare } from '../testing/client-frames.ts';
import { eventually } from '../testing/eventually.ts';
import { LogCollector } from '../testing/log-collector.ts';
import { RawClient, type RawClientOptions } from '../testing/raw-client.ts';
import { startAmqp } from '../testing/start-amqp.ts';
import type { Teardown } from '../testing/temporary-directory.ts';

const authority = await CertificateAuthority.create('FirnMQ test authority');
const stranger = await CertificateAuthority.create('some other authority');
const intermediate = await authority.createIntermediate('FirnMQ test intermediate');
const own = await authority.issue({ subject: [{ CN: ['mq'] }], hosts: ['127.0.0.1', 'localhost'] });
const device = await authority.issue({ subject: [{ O: ['Example'] }, { CN: ['device-7'] }] });
const strange = await stranger.issue({ subject: [{ CN: ['device-7'] }] });

async function startTls(t: Teardown, config: Partial<ConfigOptions> = {}) {
  const paths = writeFiles(t, { cert: own.cert, key: own.key, ca: authority.cert });
  const log = new LogCollector();
  const server = await startAmqp(t, {
    logger: log.logger,
    config: { tlsCertPath: paths.cert, tlsKeyPath: paths.key, tlsCaPath: paths.ca, ...config },
  });
  return { ...server, log, paths };
}

/** A socket whose handshake is done, on both sides only if the server says something. */
async function secure(
  t: Teardown,
  port: number,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: authority.cert, ...options });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

async function openTls(
  t: Teardown,
  port: number,
  options: ConnectionOptions = {},
  session: RawClientOptions = {},
) {
  const socket = await secure(t, port, options);
  const client = RawClient.over(t, socket);
  const start = await client.handshake(session);
  return { socket, client, mechanisms: start.args.mechanisms.toString() };
}

/** All that a server sends until it closes. */
async function restOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks);
}

t.test('a session over TLS', async (t) => {
  const { tlsPort, log } = await startTls(t);
  const { socket, client, mechanisms } = await openTls(t, tlsPort);
  t.equal(socket.authorized, true);
  t.equal(socket.getProtocol(), 'TLSv1.3');
  t.equal(mechanisms, 'PLAIN AMQPLAIN');
  client.write(channelOpen(1), queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'channel.open-ok');
  await client.expect(1, 'queue.declare-ok');
  const opened = await log.expect('connection.open');
  t.equal(opened['conn'], `127.0.0.1:${socket.localPort} -> 127.0.0.1:${tlsPort}`);
});

t.test('deliveries come through whole, however slowly the client takes them', async (t) => {
  const { tlsPort } = await startTls(t);
  const { client } = await openTls(t, tlsPort);
  client.write(channelOpen(1), queueDeclare(1, { queue: 'q' }));
  await client.expect(1, 'channel.open-ok');
  await client.expect(1, 'queue.declare-ok');
  const count = 400;
  // Each body is another one, so that memory that is used again too early shows.
  const bodies = Array.from({ length: count }, (_, i) => Buffer.alloc(60_000 + i, `${i};`));
  for (const body of bodies) client.write(publish(1, 'q', body));
  client.write(basicConsume(1, { queue: 'q', noAck: true }));
  await client.expect(1, 'basic.consume-ok');
  client.pause();
  setImmediate(() => client.resume());
  for (const body of bodies) {
    const { body: received } = await client.expect(1, 'basic.deliver');
    if (!received.equals(body)) t.fail(`the body of ${body.length} octets is another one`);
  }
});

t.test('the chain is sent, and an encrypted key opened', async (t) => {
  const { cert, key } = await intermediate.issue({ subject: [], hosts: ['127.0.0.1'] });
  const paths = writeFiles(t, {
    chain: cert + intermediate.cert,
    key: encryptKey(key, 'secret words'),
    passphrase: 'secret words\n',
  });
  const { tlsPort } = await startTls(t, {
    tlsCertPath: paths.chain,
    tlsKeyPath: paths.key,
    tlsKeyPassphrasePath: paths.passphrase,
  });
  const { socket } = await openTls(t, tlsPort);
  t.equal(socket.authorized, true);
});

t.test('the host that a client names decides the certificate', async (t) => {
  const one = await authority.issue({ subject: [], hosts: ['one.example.com'] });
  const any = await authority.issue({ subject: [], hosts: ['*.example.com'] });
  const paths = writeFiles(t, { one: one.cert + one.key, any: any.cert, anyKey: any.key });
  const { tlsPort } = await startTls(t, {
    tlsServerNames: [
      { host: 'one.example.com', certPath: paths.one, keyPath: null },
      { host: '*.example.com', certPath: paths.any, keyPath: paths.anyKey },
    ],
  });
  const nameFor = async (servername: string) => {
    const socket = await secure(t, tlsPort, { servername, checkServerIdentity: () => undefined });
    return socket.getPeerX509Certificate()?.subjectAltName;
  };
  t.equal(await nameFor('one.example.com'), 'DNS:one.example.com');
  t.equal(await nameFor('ONE.example.COM'), 'DNS:one.example.com');
  t.equal(await nameFor('two.example.com'), 'DNS:*.example.com');
  t.match(await nameFor('a.two.example.com'), /localhost/);
  t.match(await nameFor('example.com'), /localhost/);
  t.match(await nameFor('localhost'), /localhost/);
});

t.test('no version of TLS below the oldest allowed is spoken', async (t) => {
  const { tlsPort, log } = await startTls(t);
  await t.rejects(
    secure(t, tlsPort, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' }),
  );
  t.match(await log.expect('tls.refuse'), { hint: /versions of TLS/ });
  const modern = await startTls(t, { tlsMinVersion: 'TLSv1.3' });
  await t.rejects(secure(t, modern.tlsPort, { maxVersion: 'TLSv1.2' }));
  t.equal((await secure(t, tlsPort, { maxVersion: 'TLSv1.2' })).getProtocol(), 'TLSv1.2');
});

t.test('only the configured ciphers are spoken', async (t) => {
  const ciphers = 'ECDHE-ECDSA-CHACHA20-POLY1305';
  const { tlsPort } = await startTls(t, { tlsCiphers: ciphers });
  const socket = await secure(t, tlsPort, { maxVersion: 'TLSv1.2' });
  t.equal(socket.getCipher().name, ciphers);
});

t.test('certificates of clients are not asked for, requested, or required', async (t) => {
  const shown = { cert: device.cert, key: device.key };
  const strangers = { cert: strange.cert, key: strange.key };
  const off = await startTls(t);
  t.equal((await openTls(t, off.tlsPort, strangers)).mechanisms, 'PLAIN AMQPLAIN');

  const request = await startTls(t, { tlsVerifyPeer: 'request' });
  t.equal((await openTls(t, request.tlsPort)).mechanisms, 'PLAIN AMQPLAIN');
  t.equal((await openTls(t, request.tlsPort, shown)).mechanisms, 'PLAIN AMQPLAIN EXTERNAL');
  await restOf(await secure(t, request.tlsPort, strangers));
  t.match(await request.log.expect('tls.refuse'), { reason: /not accepted: UNABLE_TO_VERIFY/ });

  const require = await startTls(t, { tlsVerifyPeer: 'require' });
  t.equal((await openTls(t, require.tlsPort, shown)).mechanisms, 'PLAIN AMQPLAIN EXTERNAL');
  t.equal((await restOf(await secure(t, require.tlsPort))).length, 0);
  t.match(await require.log.expect('tls.refuse'), { reason: 'the client shows no certificate' });
});

t.test('a resumed session has the certificate of the first one', async (t) => {
  const { tlsPort } = await startTls(t, { tlsVerifyPeer: 'require' });
  const first = await secure(t, tlsPort, { cert: device.cert, key: device.key });
  const sessions: Buffer[] = [];
  first.on('session', (session) => sessions.push(session));
  const client = RawClient.over(t, first);
  t.match((await client.handshake()).args.mechanisms.toString(), /EXTERNAL/);
  const again = await openTls(t, tlsPort, { session: sessions[0]! });
  t.equal(again.socket.isSessionReused(), true);
  t.match(again.mechanisms, /EXTERNAL/);
});

t.test('a client without TLS is told from the log what it did wrong, and closed', async (t) => {
  for (const bytes of [PROTOCOL_HEADER, Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
    const { tlsPort, log } = await startTls(t);
    const socket = connectPlain(tlsPort, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.write(bytes);
    await restOf(socket);
    t.match(await log.expect('tls.refuse'), {
      level: 'warn',
      peer: `127.0.0.1:${localPort}`,
      hint: /does not speak TLS/,
    });
  }
});

t.test('a client with TLS on the port without it is told from the log, and closed', async (t) => {
  const { port, log } = await startTls(t);
  await t.rejects(secure(t, port));
  t.match(await log.expect('connection.refuse'), { protocol: 'TLS', hint: /amqps/ });
});

t.test('a client that leaves before it says anything is no warning', async (t) => {
  const { tlsPort, log } = await startTls(t);
  connectPlain(tlsPort, '127.0.0.1').end();
  t.match(await log.expect('tls.refuse'), { level: 'debug' });
});

t.test('a client that ends its side, in TLS or beneath it, is closed', async (t) => {
  const { tlsPort, log, listener } = await startTls(t);
  const openOver = async () => {
    const beneath = connectPlain(tlsPort, '127.0.0.1');
    t.teardown(() => beneath.destroy());
    const { client } = await openTls(t, tlsPort, { socket: beneath });
    return { client, beneath };
  };
  const polite = await openOver();
  const { bytesRead } = polite.beneath;
  polite.client.end();
  await polite.client.closed;
  t.ok(polite.beneath.bytesRead > bytesRead, 'it is told that nothing more comes');

  const abrupt = await openOver();
  abrupt.beneath.end();
  await abrupt.client.closed;
  await eventually(() => {
    if (listener.connectionCount > 0) throw new Error('a connection is left');
  });
  t.equal(log.of('connection.lost').length, 2);
  t.equal(log.of('heartbeat.miss').length, 0);
});

t.test('the time for the handshake includes that of TLS', async (t) => {
  const { tlsPort, log, listener } = await startTls(t, { handshakeTimeoutMs: 300 });
  const silent = connectPlain(tlsPort, '127.0.0.1');
  t.teardown(() => silent.destroy());
  await restOf(silent);
  t.match(await log.expect('handshake.timeout'), { peer: '127.0.0.1' });
  await restOf(await secure(t, tlsPort));
  t.equal(log.of('handshake.timeout').length, 2);
  await eventually(() => {
    if (listener.connectionCount > 0) throw new Error('a connection is left');
  });
});

t.test('a stop drops those that are still in their handshake', async (t) => {
  const { tlsPort, stop } = await startTls(t);
  const half = connectPlain(tlsPort, '127.0.0.1');
  t.teardown(() => half.destroy());
  await once(half, 'connect');
  // Another one behind it has been let in: so the server knows of the first.
  await secure(t, tlsPort);
  await stop();
  await restOf(half);
});

t.test(
  'a reload changes the certificate for those who come, and for nobody who is there',
  async (t) => {
    const { tlsPort, paths, listener, log } = await startTls(t);
    const before = await openTls(t, tlsPort);
    const next = await authority.issue({ subject: [{ CN: ['next'] }], hosts: ['127.0.0.1'] });
    replaceFile(paths.cert, next.cert);
    replaceFile(paths.key, next.key);
    listener.reloadCertificates();
    const after = await openTls(t, tlsPort);
    t.equal(after.socket.getPeerX509Certificate()?.subject, 'CN=next');
    before.client.write(channelOpen(1));
    await before.client.expect(1, 'channel.open-ok');
    t.same(
      log.of('tls.load').map((line) => line['subject']),
      ['CN=mq', 'CN=next'],
    );
  },
);

t.test('a reload of files that cannot be used keeps the old ones, and says why', async (t) => {
  const { tlsPort, paths, listener, log } = await startTls(t);
  const next = await authority.issue({ subject: [{ CN: ['next'] }], hosts: ['127.0.0.1'] });
  replaceFile(paths.cert, next.cert); // and not its key
  listener.reloadCertificates();
  t.match(await log.expect('tls.reload-fail'), { level: 'error', reason: /is not the key of/ });
  const { socket } = await openTls(t, tlsPort);
  t.equal(socket.getPeerX509Certificate()?.subject, 'CN=mq');
});

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

t.test('what cannot be used ends the start, and tells file and reason', async (t) => {
  const other = await authority.issue({ subject: [] });
  const paths = writeFiles(t, {
    own: own.cert,
    key: own.key,
    other: other.key,
    locked: encryptKey(own.key, 'secret'),
    wrong: 'guess',
    noise: 'nothing',
    broken: own.cert.replace(/\n[\w+/]{64}/, `\n${'A'.repeat(64)}`),
  });
  const right = { tlsCertPath: paths.own, tlsKeyPath: paths.key };
  const cases: readonly (readonly [Partial<ConfigOptions>, string, RegExp])[] = [
    [{ tlsCertPath: `${paths.own}.x` }, `${paths.own}.x`, /tls_cert does not exist/],
    [{ tlsCertPath: paths.noise }, paths.noise, /tls_cert holds no certificate in PEM/],
    [
      { tlsCertPath: paths.broken },
      paths.broken,
      /tls_cert holds a certificate that cannot be read/,
    ],
    [{ tlsKeyPath: null }, paths.own, /tls_key holds no private key in PEM/],
    [{ tlsKeyPath: paths.other }, paths.other, /is not the key of the first certificate/],
    [{ tlsKeyPath: paths.locked }, paths.locked, /needs a passphrase/],
    [
      { tlsKeyPath: paths.locked, tlsKeyPassphrasePath: paths.wrong },
      paths.locked,
      /does not open with the passphrase/,
    ],
    [{ tlsCaPath: paths.noise }, paths.noise, /tls_ca_cert holds no certificate/],
    [{ tlsCiphers: 'NONSENSE' }, paths.own, /tls_ciphers cannot be used/],
  ];
  for (const [config, source, message] of cases) {
    await t.rejects(startAmqp(t, { config: { ...right, ...config } }), { source, message });
  }
});

t.test('a certificate that is not valid any more is used, with a warning', async (t) => {
  const old = await authority.issue({ subject: [{ CN: ['old'] }], notAfter: new Date(1e12) });
  const paths = writeFiles(t, { cert: old.cert + old.key });
  const { log } = await startTls(t, { tlsCertPath: paths.cert, tlsKeyPath: null });
  t.match(log.of('tls.expired'), [{ level: 'warn', subject: 'CN=old' }]);
});

t.test('without a certificate, or with the port off, there is no listener for it', async (t) => {
  const paths = writeFiles(t, { cert: own.cert + own.key });
  for (const config of [{}, { tlsCertPath: paths.cert, amqpsPort: null }]) {
    const { listener } = await startAmqp(t, { config });
    t.same(
      listener.addresses.map(({ protocol }) => protocol),
      ['amqp'],
    );
  }
});
