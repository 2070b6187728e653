import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { configDefaults } from './config.ts';
import type { Environment } from './environment-source.ts';
import { settingNames, settings } from './settings.ts';
import { linesOf, readStartCommand } from './start-command.ts';

function start(argv: readonly string[], env: Environment = {}) {
  return readStartCommand(argv, env, '/base');
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

t.test('-d is the log level debug, and does not go with another one', async (t) => {
  t.equal(configOf(['-D', '/data', '-d'], { FIRNMQ_LOG_LEVEL: 'warn' }).logLevel, 'debug');
  t.match(start(['-D', '/data', '-d', '-l', 'warn']), {
    kind: 'error',
    text: /^error: option '-d, --debug' cannot be used with option '-l, --log-level <level>'\n$/,
  });
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

t.test('an address for all is stronger than one for AMQP in a weaker source', async (t) => {
  const path = writeConfig(t, '[main]\nbind = ::1\n[amqp]\nbind = ::2\n[mgmt]\nbind = ::3\n');
  const file = ['-D', '/data', '-c', path];
  t.match(configOf(file), {
    bindAddresses: ['::1'],
    amqpBindAddresses: ['::2'],
    httpBindAddresses: ['::3'],
  });
  t.match(configOf([...file, '-b', '::4']), {
    bindAddresses: ['::4'],
    amqpBindAddresses: null,
    httpBindAddresses: null,
  });
  t.match(configOf([...file, '-b', '::4', '--http-bind', '::5', '--http-bind', '::6']), {
    bindAddresses: ['::4'],
    amqpBindAddresses: null,
    httpBindAddresses: ['::5', '::6'],
  });
});

t.test(
  'a password is stronger than a hash in a weaker source, and the other way round',
  async (t) => {
    const hash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';
    const path = writeConfig(t, `[main]\ndefault_password_hash = ${hash}\n`);
    const file = ['-D', '/data', '-c', path];
    t.match(configOf(file), { defaultPassword: null, defaultPasswordHash: hash });
    const env = { FIRNMQ_DEFAULT_USER: 'shop', FIRNMQ_DEFAULT_PASSWORD: 'secret' };
    t.match(configOf(file, env), {
      defaultUser: 'shop',
      defaultPassword: 'secret',
      defaultPasswordHash: null,
    });
    t.match(configOf(['-D', '/d', '--default-password-hash', hash], env), {
      defaultPassword: null,
      defaultPasswordHash: hash,
    });
  },
);

t.test('settings that contradict each other are refused', async (t) => {
  const hash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';
  const cases: readonly [string, string][] = [
    [
      `[main]\ndefault_password = x\ndefault_password_hash = ${hash}`,
      "give either 'default_password' or 'default_password_hash', not both",
    ],
    [
      '[main]\ndefault_user = shop',
      "'default_user' needs 'default_password' or 'default_password_hash'",
    ],
    ['[main]\ntls_key = x', "'tls_key' needs 'tls_cert'"],
    ['[main]\ntls_verify_peer = require', "'tls_verify_peer' needs 'tls_cert'"],
    [
      '[main]\ntls_cert = x\ntls_verify_peer = require',
      "'tls_verify_peer' needs 'tls_ca_cert': who may sign certificates of clients",
    ],
    ['[main]\ntls_key_passphrase_file = x', "'tls_key_passphrase_file' needs 'tls_cert'"],
    [
      '[sni:a]\ntls_cert = x',
      "a section [sni:HOST] needs 'tls_cert' in [main], for all other hosts",
    ],
    ['[amqp]\nport = 15672', "'port' in [amqp] and 'port' in [mgmt] are both 15672"],
    [
      '[main]\ntls_cert = x\n[amqp]\ntls_port = 5672',
      "'port' in [amqp] and 'tls_port' in [amqp] are both 5672",
    ],
  ];
  for (const [content, problem] of cases) {
    const result = start(['-D', '/data', '-c', writeConfig(t, content)]);
    t.same(result, { kind: 'error', text: `error: ${problem}\n` });
  }
  const fine = [
    '[amqp]\nport = 15672\n[mgmt]\nbind = ::2',
    '[amqp]\nport = 0\n[mgmt]\nport = 0',
    '[amqp]\ntls_port = 5672',
    '[main]\ndefault_password = x',
  ];
  for (const content of fine) {
    t.match(start(['-D', '/data', '-c', writeConfig(t, content)]), { kind: 'run' }, content);
  }
});

t.test('the problems of all sources are told at once', async (t) => {
  const path = writeConfig(t, '[amqp]\nprot = 1\nheartbeat = -1\n[main]\nlog_level = loud # !\n');
  const levels = 'trace, debug, info, warn, error, fatal';
  t.same(start(['-c', path, '-p', 'x'], { FIRNMQ_HTTP_PORT: '99999' }), {
    kind: 'error',
    text: linesOf('error', [
      `${path}:2: there is no setting 'prot' in [amqp]; did you mean 'port'?`,
      `${path}:3: heartbeat: '-1' is not allowed; give a number from 0 to 65535`,
      `${path}:5: log_level: 'loud' is not allowed; give one of ${levels}`,
      "environment: FIRNMQ_HTTP_PORT: '99999' is not allowed; give a number from 0 to 65535",
      "command line: --amqp-port: 'x' is not allowed; give a number from 0 to 65535",
    ]),
  });
});

t.test('a wrong value is refused, though a stronger source has a right one', async (t) => {
  const path = writeConfig(t, '[amqp]\nport = x\n');
  t.match(start(['-D', '/data', '-c', path, '-p', '1']), { kind: 'error' });
});

t.test('a message shows neither secrets nor what would break a terminal', async (t) => {
  const env = {
    FIRNMQ_DEFAULT_PASSWORD: 'hunter2\u0007',
    FIRNMQ_LOG_LEVEL: `\u001b[31m${'x'.repeat(999)}`,
  };
  const result = start(['-D', '/data'], env);
  t.match(result, { text: /FIRNMQ_DEFAULT_PASSWORD: its value is not allowed/ });
  t.match(result, { text: /FIRNMQ_LOG_LEVEL: '\?\[31mx{75}\.\.\.' is not allowed/ });
  t.notMatch(result, { text: /hunter2/ });
});

t.test('what is not in force is a warning, and the server starts', async (t) => {
  const path = writeConfig(
    t,
    '[main]\nstats_interval = 1\ntls_ca_cert = ca.pem\ntcp_keepalive = 60:10:3\n',
  );
  t.match(start(['-D', '/data', '-c', path], { FIRNMQ_AMQP_PROT: '1' }), {
    kind: 'run',
    configPath: path,
    warnings: [
      `${path}:2: 'stats_interval' is known, but not supported yet`,
      `${path}:4: tcp_keepalive: only the idle time can be chosen: Node.js asks 10 times, once a second`,
      "environment: there is no setting FIRNMQ_AMQP_PROT; did you mean 'FIRNMQ_AMQP_PORT'?",
      "'tls_ca_cert' has no effect while 'tls_verify_peer' is off",
    ],
  });
});

t.test('a configuration can be checked, with the files that it names', async (t) => {
  const good = writeConfig(t, '[main]\ndata_dir = /data\nstats_interval = 1\n');
  t.same(start(['--check-config', '-c', good]), {
    kind: 'print',
    text: 'the configuration is ok\n',
    warnings: [`${good}:3: 'stats_interval' is known, but not supported yet`],
  });
  t.match(start(['--check-config']), { kind: 'error', text: /data directory is needed/ });
  const bad = writeConfig(t, '[main]\ndata_dir = /data\ntls_cert = /does/not/exist.pem\n');
  t.same(start(['--check-config', '-c', bad]), {
    kind: 'error',
    text: 'error: /does/not/exist.pem: does not exist\n',
  });
});

t.test('a configuration is printed with where each value came from', async (t) => {
  const path = writeConfig(t, '[main]\ndata_dir = data\n[amqp]\nheartbeat = 5\n');
  const env = {
    FIRNMQ_HTTP_PORT: '1',
    FIRNMQ_DEFAULT_PASSWORD: 'hunter2',
    STATE_DIRECTORY: '/state',
  };
  const result = start(['--print-config', '-c', path, '-l', 'debug'], env);
  t.equal(result.kind, 'print');
  if (result.kind !== 'print') return;
  const lines = result.text.split('\n').map((line) => line.replace(/ +;/, ' ;'));
  for (const line of [
    `data_dir = ${join(path, '..', 'data')} ; ${path}:2`,
    'log_level = debug ; --log-level',
    ';default_password = ******** ; FIRNMQ_DEFAULT_PASSWORD',
    `heartbeat = 5 ; ${path}:4`,
    'frame_max = 131072 ; default',
    'port = 1 ; FIRNMQ_HTTP_PORT',
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.notMatch(result.text, /hunter2/);
  t.match(start(['--print-config', '-D', '/data', '-p', 'x']), { kind: 'error' });
  const state = start(['--print-config'], { STATE_DIRECTORY: '/state' });
  t.match(state, { text: /^data_dir = \/state +; STATE_DIRECTORY$/m });
});

t.test('the example file is accepted, and shows every setting with its default', async (t) => {
  const url = new URL('../../../docs/examples/firnmq.ini', import.meta.url);
  const example = readFileSync(url, 'utf8');
  const asItIs = configOf(['-c', writeConfig(t, example)]);
  t.same(asItIs, { ...configDefaults, dataDir: '/var/lib/firnmq' });
  const active = example.replace(/^;(\[|[a-z_]+ = )/gm, '$1');
  for (const name of settingNames) {
    t.match(active, new RegExp(`^${settings[name].key} = `, 'm'));
  }
  // An example of a password and of its hash cannot both be in force.
  const shown = configOf(['-c', writeConfig(t, active.replace(/^default_password = .*\n/m, ''))]);
  // What has no default is shown with an example.
  const examples = {
    bindAddresses: shown.bindAddresses,
    amqpBindAddresses: shown.bindAddresses,
    httpBindAddresses: shown.bindAddresses,
    logFilePath: '/var/log/firnmq/firnmq.log',
    amqpUnixPath: '/run/firnmq/amqp.sock',
    defaultPasswordHash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR',
    tlsCertPath: '/etc/firnmq/tls/server.pem',
    tlsKeyPath: '/etc/firnmq/tls/server.key',
    tlsKeyPassphrasePath: '/etc/firnmq/tls/passphrase',
    tlsCaPath: '/etc/firnmq/tls/ca.pem',
    tlsCiphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384',
    tlsServerNames: [
      {
        host: 'mq.example.com',
        certPath: '/etc/firnmq/tls/mq.example.com.pem',
        keyPath: '/etc/firnmq/tls/mq.example.com.key',
      },
    ],
  };
  t.same(shown, { ...configDefaults, dataDir: '/var/lib/firnmq', ...examples });
});

t.test('of a file that is no configuration at all only the first problems are told', async (t) => {
  const lines = Array.from({ length: 60 }, (_, i) => `${i}`.padStart(2000, 'x'));
  const result = start(['-c', writeConfig(t, lines.join('\n'))]);
  t.equal(result.kind, 'error');
  const told = result.kind === 'error' ? result.text.trimEnd().split('\n') : [];
  t.equal(told.length, 51);
  t.equal(told[50], 'error: and 10 more');
  const names = `[${'x'.repeat(5000)}]`;
  const long = start(['-c', writeConfig(t, names)]);
  t.match(long, { text: /^error: .{1000}\.\.\.\n$/ });
});
