/** What only a process has of TLS: the signal that has certificates read again. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import t from 'tap';
import { CertificateAuthority, writeFiles } from './testing/certificates.ts';
import { startServerProcess } from './testing/start-server-process.ts';
import { type Teardown, temporaryDirectory } from './testing/temporary-directory.ts';

const authority = await CertificateAuthority.create('test');

async function certificateFor(commonName: string): Promise<string> {
  const { cert, key } = await authority.issue({
    subject: [{ CN: [commonName] }],
    hosts: ['127.0.0.1'],
  });
  return cert + key;
}

/** Hangs up before the server does: where it ends first, what it has not read yet resets the connection. */
async function subjectShownAt(t: Teardown, port: number): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.cert });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  const subject = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return subject;
}

t.test(
  'a hangup has certificates read again; a broken one leaves the old one in force',
  async (t) => {
    const { cert } = writeFiles(t, { cert: await certificateFor('first') });
    const server = await startServerProcess(t, {
      dataDir: temporaryDirectory(t),
      args: ['--cert', cert, '--amqps-port', '0'],
    });
    const { port } = await server.waitForEvent('listening', (line) => line['protocol'] === 'amqps');
    t.equal(await subjectShownAt(t, Number(port)), 'CN=first');

    writeFileSync(cert, await certificateFor('second'));
    server.kill('SIGHUP');
    await server.waitForEvent('tls.load', (line) => line['subject'] === 'CN=second');
    t.equal(await subjectShownAt(t, Number(port)), 'CN=second');

    writeFileSync(cert, 'half a certificate');
    server.kill('SIGHUP');
    await server.waitForEvent('tls.reload-fail', (line) => line['level'] === 'error');
    t.equal(await subjectShownAt(t, Number(port)), 'CN=second');

    server.kill('SIGTERM');
    t.same(await server.stopped, { code: 0, signal: null });
  },
);

t.test('a certificate that cannot be used ends the start with 1 and a sentence', async (t) => {
  const { cert } = writeFiles(t, { cert: 'nothing' });
  const server = startServerProcess(t, {
    dataDir: temporaryDirectory(t),
    args: ['--cert', cert, '--amqps-port', '0'],
  });
  await t.rejects(server, {
    message: /"event":"server.fail","code":"CONFIG","reason":"[^"]+holds no certificate/,
  });
});
