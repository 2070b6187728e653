/**
 * AMQPS as client libraries speak it that were not written here, with logins by certificate. Python's pika is left
 * out where it is not installed, but not in CI.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AMQPClient } from '@cloudamqp/amqp-client';
import { connect, credentials } from 'amqplib';
import t from 'tap';
import { hashPassword } from './auth/password-hash.ts';
import { createServer } from './index.ts';
import { CertificateAuthority, writeFiles } from './testing/certificates.ts';
import { type Teardown, temporaryDirectory } from './testing/temporary-directory.ts';

const authority = await CertificateAuthority.create('test');
const own = await authority.issue({ subject: [], hosts: ['127.0.0.1'] });
const device = await authority.issue({ subject: [{ O: ['Example'] }, { CN: ['device-7'] }] });

/** A server with the users guest and `CN=device-7,O=Example`, who has no password. */
async function start(t: Teardown) {
  const paths = writeFiles(t, {
    server: own.cert + own.key,
    ca: authority.cert,
    cert: device.cert,
    key: device.key,
  });
  const dataDir = temporaryDirectory(t);
  const permissions = { '/': { configure: '.*', write: '.*', read: '.*' } };
  const users = [
    { name: 'CN=device-7,O=Example', permissions },
    { name: 'guest', permissions, password_hash: hashPassword('guest') },
  ];
  writeFileSync(join(dataDir, 'users.json'), JSON.stringify(users));
  const server = await createServer({
    dataDir,
    amqpPort: 0,
    amqpsPort: 0,
    httpPort: 0,
    bindAddresses: ['127.0.0.1'],
    tlsCertPath: paths.server,
    tlsCaPath: paths.ca,
    tlsVerifyPeer: 'request',
  });
  t.teardown(() => server.stop('done'));
  const port = server.listeners.find(({ protocol }) => protocol === 'amqps')!.port;
  return { port, url: `amqps://127.0.0.1:${port}`, paths };
}

t.test('amqplib, in the name of its certificate', async (t) => {
  const { url } = await start(t);
  const connection = await connect(url, {
    ca: [authority.cert],
    cert: device.cert,
    key: device.key,
    credentials: credentials.external(),
  });
  t.teardown(() => connection.close());
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const body = Buffer.alloc(3_000_000, 'amqps ');
  channel.sendToQueue(queue, body);
  await channel.waitForConfirms();
  const message = await channel.get(queue, { noAck: true });
  t.ok(message !== false && message.content.equals(body));
});

t.test('amqplib, by password, without a certificate', async (t) => {
  const { url } = await start(t);
  const connection = await connect(url, { ca: [authority.cert] });
  await connection.createChannel();
  await connection.close();
});

t.test('amqplib refuses a server whose authority it does not know', async (t) => {
  const { url } = await start(t);
  await t.rejects(connect(url), { code: /SELF_SIGNED|UNABLE_TO_VERIFY/ });
});

t.test('@cloudamqp/amqp-client, by password', async (t) => {
  const { url } = await start(t);
  const connection = await new AMQPClient(url, { ca: authority.cert }).connect();
  t.teardown(() => connection.close());
  const channel = await connection.channel();
  const { name } = await channel.queueDeclare('', { exclusive: true });
  await channel.confirmSelect();
  const body = 'amqps '.repeat(500_000);
  await channel.basicPublish('', name, body);
  const message = await channel.basicGet(name, { noAck: true });
  t.equal(message?.bodyString(), body);
});

const run = promisify(execFile);
const PYTHON = '/usr/bin/python3'; // Debian's own, which sees Debian's packages
const hasPika = await run(PYTHON, ['-c', 'import pika']).then(
  () => true,
  () => false,
);
const skip = hasPika || process.env['CI'] === 'true' ? false : 'needs python3-pika';

t.test(
  'pika, in the name of its certificate, by password, and with no authority',
  { skip },
  async (t) => {
    const { port, paths } = await start(t);
    const script = new URL('../../server/testing/pika_amqps.py', import.meta.url).pathname;
    const { ca, cert, key } = paths;
    const { stdout } = await run(PYTHON, [script, String(port), ca, cert, key]);
    t.equal(stdout, 'done external\ndone password\ndone unknown-authority\n');
  },
);
