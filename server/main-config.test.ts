/** What the process makes of its configuration: what it prints, logs and ends with. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from './testing/eventually.ts';
import { runToEnd } from './testing/run-to-end.ts';
import { spawnServerProcess, startServerProcess } from './testing/start-server-process.ts';
import { temporaryDirectory } from './testing/temporary-directory.ts';

t.test('all that is wrong with a configuration is on standard error and ends with 2', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'firnmq.ini');
  writeFileSync(path, '[main]\ndata_dir = data\nlog_levle = info\n[amqp]\nport = 5672 apples\n');
  const problems =
    `error: ${path}:3: there is no setting 'log_levle' in [main]; did you mean 'log_level'?\n` +
    `error: ${path}:5: port: '5672 apples' is not allowed; give a number from 0 to 65535\n`;
  t.same(await runToEnd('-c', path), { code: 2, stdout: '', stderr: problems });
  t.notOk(existsSync(join(directory, 'data')));
});

t.test('a configuration is checked or printed, and nothing is started', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'firnmq.ini');
  writeFileSync(path, '[main]\ndata_dir = data\nstats_interval = 5000\n');
  const stderr = `warning: ${path}:3: 'stats_interval' is known, but not supported yet\n`;
  t.same(await runToEnd('-c', path, '--check-config'), {
    code: 0,
    stdout: 'the configuration is ok\n',
    stderr,
  });
  const printed = await runToEnd('-c', path, '--print-config');
  t.match(printed, { code: 0, stderr });
  t.ok(printed.stdout.startsWith(`[main]\ndata_dir = ${join(directory, 'data')} `));
  t.notOk(existsSync(join(directory, 'data')));
});

t.test(
  'a server runs with its file and its environment, and says what it passes over',
  async (t) => {
    const dataDir = temporaryDirectory(t);
    const path = join(dataDir, 'firnmq.ini');
    writeFileSync(path, '[main]\nbind = 127.0.0.1\n[mqtt]\nport = 1883\n');
    const server = await startServerProcess(t, {
      dataDir,
      args: ['-c', path],
      env: { FIRNMQ_DEFAULT_USER: 'shop', FIRNMQ_DEFAULT_PASSWORD: 'secret' },
    });
    t.match(await server.waitForEvent('config.load'), { level: 'info', path });
    t.match(await server.waitForEvent('config.ignore'), {
      level: 'warn',
      reason: `${path}:3: section [mqtt] is known, but not supported yet`,
    });
    server.kill('SIGTERM');
    t.same(await server.stopped, { code: 0, signal: null });
    const listening = server.log.filter(({ event }) => event === 'listening');
    t.same(
      listening.map((line) => line['address']),
      ['127.0.0.1', '127.0.0.1'],
    );
    t.match(JSON.parse(readFileSync(join(dataDir, 'users.json'), 'utf8')), [{ name: 'shop' }]);
    t.notMatch(JSON.stringify(server.log), /secret/);
  },
);

t.test('the log goes to a file, and after a hangup to a new one of its name', async (t) => {
  const dataDir = temporaryDirectory(t);
  const path = join(temporaryDirectory(t), 'log');
  const args = ['-b', '127.0.0.1'];
  const server = spawnServerProcess(t, { dataDir, args, env: { FIRNMQ_LOG_FILE: path } });
  const isThere = (file: string, event: string) =>
    eventually(() => assert.match(readFileSync(file, 'utf8'), new RegExp(`"event":"${event}"`)));
  await isThere(path, 'listening');
  renameSync(path, `${path}.1`);
  server.kill('SIGHUP');
  await isThere(path, 'log.reopen');
  server.kill('SIGTERM');
  t.same(await server.stopped, { code: 0, signal: null });
  await isThere(path, 'server.stop');
  t.notMatch(readFileSync(`${path}.1`, 'utf8'), /server.stop/);
  t.same(server.log, []);
});

t.test('a log that cannot be opened ends the start with 1', async (t) => {
  const directory = temporaryDirectory(t);
  const server = spawnServerProcess(t, {
    dataDir: join(directory, 'data'),
    env: { FIRNMQ_LOG_FILE: directory },
  });
  t.same(await server.stopped, { code: 1, signal: null });
  t.match(server.stderr, new RegExp(`^error: cannot write the log to ${directory}: EISDIR.*\n$`));
  t.notOk(existsSync(join(directory, 'data')));
});

t.test('a log on a full disk does not stop the server', async (t) => {
  const dataDir = temporaryDirectory(t);
  const server = spawnServerProcess(t, { dataDir, env: { FIRNMQ_LOG_FILE: '/dev/full' } });
  await eventually(() => assert.ok(existsSync(join(dataDir, 'vhosts.json'))));
  server.kill('SIGTERM');
  t.same(await server.stopped, { code: 0, signal: null });
});
