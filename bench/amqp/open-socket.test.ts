/** Over TLS: a server that speaks it stands before the real broker. */
import 'reflect-metadata'; // asked for by @peculiar/x509
import { createPrivateKey, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import {
  cryptoProvider,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import t from 'tap';
import { StorageServer } from '../storage/storage-server.ts';
import { runThroughput } from '../throughput/throughput.ts';
import { THROUGHPUT_DEFAULTS } from '../throughput/throughput-options.ts';
import { parseAmqpUri } from './amqp-uri.ts';
import { BenchConnection } from './bench-connection.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

cryptoProvider.set(webcrypto);

/** A certificate for 127.0.0.1, signed by itself, and its key; PEM. */
async function createCertificate(): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=bench',
    notBefore: new Date('2000-01-01T00:00:00Z'),
    notAfter: new Date('2090-01-01T00:00:00Z'),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return {
    cert: certificate.toString('pem'),
    key: String(key.export({ format: 'pem', type: 'pkcs8' })),
  };
}

const directory = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
const broker = await StorageServer.start(directory, null, new AbortController().signal);
const certificate = await createCertificate();
const trusted = join(directory, 'trusted.pem');
await writeFile(trusted, certificate.cert);
const sockets = new Set<TLSSocket>();
const front = createServer(certificate, (downstream) => {
  const upstream = connect(broker.uri.port, '127.0.0.1');
  sockets.add(downstream);
  downstream.on('error', () => upstream.destroy());
  upstream.on('error', () => downstream.destroy());
  downstream.pipe(upstream).pipe(downstream);
});
front.listen(0, '127.0.0.1');
await once(front, 'listening');
const address = front.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;
t.teardown(async () => {
  for (const socket of sockets) socket.destroy();
  front.close();
  await broker.stop();
  await rm(directory, { recursive: true });
});

t.test('publishes and deliveries come through, also where a consumer pauses', async (t) => {
  const uri = parseAmqpUri(`amqps://127.0.0.1:${port}?cacertfile=${trusted}`);
  const load = { ...THROUGHPUT_DEFAULTS, uri, verify: true, bodySizesBytes: [16, 100_000] };
  const result = await runThroughput({ ...load, publishCountMax: 200 });
  t.match(result.verification, { verified: 200, missing: 0, corrupt: 0 });
  const paced = await runThroughput({
    ...load,
    consumeRate: 1000,
    publishCountMax: 50,
    consumeCountMax: 50,
  });
  t.match(paced.verification, { verified: 50, missing: 0, corrupt: 0 });
});

t.test('a certificate is trusted when it is to be, or none need be', async (t) => {
  const open = (parameters: string): Promise<BenchConnection> =>
    BenchConnection.open(parseAmqpUri(`amqps://127.0.0.1:${port}${parameters}`), 'test');
  await t.rejects(open(''), /self-signed certificate/);
  const connection = await open('?verify=verify_none');
  t.equal(connection.broker, 'FirnMQ 0.1.0');
  await connection.close();
});
