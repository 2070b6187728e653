import fc from 'fast-check';
import t from 'tap';
import { type Config, createConfig } from './config.ts';
import { readIniSettings } from './ini-source.ts';
import { formatConfig } from './print-config.ts';
import { resolveSettings } from './resolve-settings.ts';
import { settingNames } from './settings.ts';

/** What a text of `--print-config` means as a file. */
function readBack(text: string): Config | null {
  return resolveSettings([readIniSettings('/printed.ini', Buffer.from(text))]).config;
}

t.test('every setting has its value and where it came from', async (t) => {
  const config = createConfig({
    dataDir: '/data',
    amqpPort: 0,
    defaultUser: 'a;b',
    amqpUnixPath: '/run/a #b',
    bindAddresses: ['::1', '::2'],
    tlsServerNames: [
      { host: 'a', certPath: '/a.pem', keyPath: '/a.key' },
      { host: '*.b', certPath: '/b.pem', keyPath: null },
    ],
  });
  const text = formatConfig(config, new Map([['amqpPort', '/etc/firnmq.ini:3']]));
  const lines = text.split('\n').map((line) => line.replace(/ +;/, ' ;'));
  for (const line of [
    '[main]',
    'data_dir = /data ; default',
    'default_user = a;b ; default',
    'bind = ::1, ::2 ; default',
    ';tls_cert = ; default',
    '[amqp]',
    ';bind = ; default',
    'port = 0 ; /etc/firnmq.ini:3',
    'unix_path = "/run/a #b" ; default',
    'handshake_timeout = 10000ms ; default',
    '[mgmt]',
    'port = 15672 ; default',
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.equal(
    lines.filter((line) => line.includes('=') && line.includes(' ; ')).length,
    settingNames.length,
  );
  t.ok(
    text.endsWith('[sni:a]\ntls_cert = /a.pem\ntls_key = /a.key\n\n[sni:*.b]\ntls_cert = /b.pem\n'),
  );
});

t.test('a secret is not shown, nor how long it is', async (t) => {
  const hash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';
  for (const secret of [{ defaultPassword: 'hunter2' }, { defaultPasswordHash: hash }]) {
    const text = formatConfig(createConfig({ dataDir: '/data', ...secret }), new Map());
    t.notMatch(text, /hunter2|kI3GC/);
    t.equal(text.match(/= \*{8} /g)?.length, 1);
  }
});

t.test('what is printed is a file that means the same', async (t) => {
  const text = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((candidate) => candidate.trim() === candidate && !/\p{Cc}/u.test(candidate));
  const path = fc
    .array(fc.constantFrom('a', ' ', ';', '#', '"', '\\', '='), { minLength: 1 })
    .map((characters) => `/x${characters.join('')}x`);
  const address = fc.constantFrom('127.0.0.1', '::1', 'mq.example.com');
  const addresses = fc.uniqueArray(address, { minLength: 1 });
  const options = fc.record({
    dataDir: path,
    logLevel: fc.constantFrom('trace', 'warn'),
    guestOnlyLoopback: fc.boolean(),
    bindAddresses: addresses,
    amqpBindAddresses: fc.option(addresses),
    memoryHighWatermark: fc.oneof(fc.constantFrom(0.4, 1, 0.125), fc.integer({ min: 2 ** 20 })),
    diskFreeLimitBytes: fc.nat(),
    tcpKeepaliveIdleSeconds: fc.option(fc.integer({ min: 1, max: 32_767 })),
    amqpsPort: fc.option(fc.nat(65_535)),
    amqpUnixPath: fc.option(path),
    handshakeTimeoutMs: fc.integer({ min: 100, max: 600_000 }),
    proxyProtocolTrustedSources: fc.uniqueArray(fc.constantFrom('10.0.0.0/8', 'unix', '::1')),
    tlsCertPath: path,
    tlsCiphers: fc.option(text),
    tlsMinVersion: fc.constantFrom('TLSv1.2', 'TLSv1.3'),
    tlsServerNames: fc.array(
      fc.record({ host: fc.constant('a.example.com'), certPath: path, keyPath: fc.option(path) }),
      { maxLength: 1 },
    ),
  });
  fc.assert(
    fc.property(options, (given) => {
      const config = createConfig(given);
      t.same(readBack(formatConfig(config, new Map())), config);
    }),
  );
});
