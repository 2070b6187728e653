import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { configDefaults } from './config.ts';
import type { Environment } from './environment-source.ts';
import { readStartCommand } from './start-command.ts';

function start(argv: readonly string[], env: Environment = {}) {
  return readStartCommand(argv, env, '/work');
}

/** The Config that a start runs with. */
function configOf(argv: readonly string[], env: Environment = {}) {
  const result = start(argv, env);
  if (result.kind === 'run') return result.config;
  throw new Error(result.kind === 'error' ? result.text : result.kind);
}

function writeConfig(t: Teardown, content: string): string {
  const path = join(temporaryDirectory(t), 'firnmq.ini');
  writeFileSync(path, content);
  return path;
}

t.test('a data directory is all it needs, and everything else has its default', async (t) => {
  t.same(start(['-D', '/data']), {
    kind: 'run',
    config: { ...configDefaults, dataDir: '/data' },
    configPath: null,
    warnings: [],
  });
  t.same(configDefaults.bindAddresses, ['127.0.0.1', '::1']);
  t.equal(configDefaults.amqpPort, 5672);
  t.equal(configDefaults.httpPort, 15672);
  t.equal(configDefaults.logLevel, 'info');
  t.match(start([]), { kind: 'error', text: /^error: the data directory is needed: '-D, .*\n$/ });
});

t.test('flags have their long and their short form', async (t) => {
  const config = {
    ...configDefaults,
    dataDir: '/data',
    bindAddresses: ['::1'],
    amqpPort: 0,
    httpPort: 65535,
    logLevel: 'debug',
    memoryHighWatermark: 2 ** 30,
    diskFreeLimitBytes: 5_000_000,
  };
  const short = '-D /data -b ::1 -p 0 --http-port 65535 -l debug';
  const long = '--data-dir=/data --bind=::1 --amqp-port=0 --http-port=65535 --log-level=debug';
  const rest = '--memory-high-watermark 1GiB --disk-free-limit 5MB';
  for (const line of [short, long]) {
    t.same(configOf([...line.split(' '), ...rest.split(' ')]), config);
  }
});

t.test('a stronger source wins: command line, environment, file, default', async (t) => {
  const path = writeConfig(t, '[amqp]\nport = 1\nheartbeat = 1\nframe_max = 5000\n');
  const env = { FIRNMQ_DATA_DIR: '/env', FIRNMQ_AMQP_PORT: '2', FIRNMQ_AMQP_HEARTBEAT: '2' };
  t.match(configOf(['-c', path, '-p', '3'], env), {
    dataDir: '/env',
    amqpPort: 3,
    heartbeatSeconds: 2,
    frameMaxBytes: 5000,
    channelMax: configDefaults.channelMax,
  });
});

t.test('the data directory comes from STATE_DIRECTORY where nothing else names it', async (t) => {
  const env = { STATE_DIRECTORY: '/state:/second' };
  t.equal(configOf([], env).dataDir, '/state');
  t.equal(configOf(['-D', '/data'], env).dataDir, '/data');
  const path = writeConfig(t, '[main]\ndata_dir = /file\n');
  t.equal(configOf(['-c', path], env).dataDir, '/file');
  t.match(start([], { STATE_DIRECTORY: '' }), { kind: 'error' });
});

t.test('all wrong flags are told at once, a line for each', async (t) => {
  const argv = ['-D', '/d', '-p', '65536', '--http-port', '', '-l', 'loud', '-b', ''];
  t.same(start(argv), {
    kind: 'error',
    text:
      "error: command line: --log-level: 'loud' is not allowed; give one of trace, debug, info, warn, error, fatal\n" +
      "error: command line: --bind: '' is not allowed; give one or more addresses or host names, with commas between them\n" +
      "error: command line: --amqp-port: '65536' is not allowed; give a number from 0 to 65535\n" +
      "error: command line: --http-port: '' is not allowed; give a number from 0 to 65535\n",
  });
});

t.test('what comes out cannot be changed', async (t) => {
  const config = configOf(['-D', '/data', '--amqp-bind', '::1']);
  t.ok(Object.isFrozen(config));
  for (const list of [config.bindAddresses, config.amqpBindAddresses, config.tlsServerNames]) {
    t.ok(Object.isFrozen(list));
  }
});
