/**
 * The example of docs/TLS.md, run by HAProxy on ports of the test's own: clients come through with TLS taken off, and
 * with TLS let through, and are known by their own addresses. Left out where HAProxy is not installed, but not in CI.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'amqplib';
import t from 'tap';
import { createServer } from './index.ts';
import { CertificateAuthority } from './testing/certificates.ts';
import { eventually } from './testing/eventually.ts';
import { LogCollector } from './testing/log-collector.ts';
import { type Teardown, temporaryDirectory } from './testing/temporary-directory.ts';

const HAPROXY = '/usr/sbin/haproxy';
const hasHaproxy = spawnSync(HAPROXY, ['-v']).status === 0;
const skip = hasHaproxy || process.env['CI'] === 'true' ? false : 'needs haproxy';

/** The example, as the page has it. */
function example(): string {
  const page = readFileSync(new URL('../../docs/TLS.md', import.meta.url), 'utf8');
  const text = /```\n(frontend .*?)```/s.exec(page)?.[1];
  if (text === undefined) throw new Error('docs/TLS.md has no example for HAProxy');
  return text;
}

/** A port that nobody listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Runs it until the test ends. */
function startHaproxy(t: Teardown, configPath: string): void {
  const proxy = spawn(HAPROXY, ['-db', '-f', configPath], { stdio: 'ignore' });
  const ended = once(proxy, 'exit');
  t.teardown(async () => {
    proxy.kill('SIGKILL');
    await ended;
  });
}

t.test(
  'the example for HAProxy lets clients through under their own names',
  { skip },
  async (t) => {
    const directory = temporaryDirectory(t);
    const authority = await CertificateAuthority.create('test');
    const { cert, key } = await authority.issue({ subject: [], hosts: ['127.0.0.1'] });
    const certificatePath = join(directory, 'mq.pem');
    writeFileSync(certificatePath, cert + key);
    const log = new LogCollector();
    const server = await createServer(
      {
        dataDir: join(directory, 'data'),
        bindAddresses: ['127.0.0.1'],
        amqpPort: 0,
        amqpsPort: 0,
        httpPort: 0,
        tlsCertPath: certificatePath,
        proxyProtocolTrustedSources: ['127.0.0.1'],
      },
      log.logger,
    );
    t.teardown(() => server.stop('the test is over'));
    const portOf = (wanted: string) =>
      server.listeners.find(({ protocol }) => protocol === wanted)?.port;
    const here = await freePort();
    const there = await freePort();
    const configPath = join(directory, 'haproxy.cfg');
    const config = example()
      .replace('bind :5671', `bind 127.0.0.1:${here}`)
      .replace('bind :5670', `bind 127.0.0.1:${there}`)
      .replace('/etc/haproxy/mq.pem', certificatePath)
      .replace('10.0.0.5:5672', `127.0.0.1:${portOf('amqp')}`)
      .replace('10.0.0.5:5671', `127.0.0.1:${portOf('amqps')}`);
    writeFileSync(configPath, config);
    t.match(spawnSync(HAPROXY, ['-c', '-q', '-f', configPath], { encoding: 'utf8' }), {
      status: 0,
      stderr: /^((?!WARNING).)*$/s,
    });
    startHaproxy(t, configPath);
    for (const port of [here, there]) {
      // It may not listen yet, or think that the server is not up.
      const connection = await eventually(() =>
        connect(`amqps://127.0.0.1:${port}`, { ca: [authority.cert] }),
      );
      t.teardown(() => connection.close());
      const channel = await connection.createConfirmChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      const body = Buffer.alloc(1_000_000, 'proxied ');
      channel.sendToQueue(queue, body);
      await channel.waitForConfirms();
      const message = await channel.get(queue, { noAck: true });
      t.ok(message !== false && message.content.equals(body));
      const opened = log.of('connection.open').at(-1);
      t.match(opened?.['conn'], new RegExp(`^127\\.0\\.0\\.1:\\d+ -> 127\\.0\\.0\\.1:${port}$`));
    }
  },
);
