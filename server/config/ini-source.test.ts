import t from 'tap';
import { readIniSettings } from './ini-source.ts';
import { settingNames, settings } from './settings.ts';

const PATH = '/etc/firnmq/firnmq.ini';

function read(...lines: readonly string[]) {
  return readIniSettings(PATH, Buffer.from(lines.join('\n')));
}

t.test('a setting is given with its place', async (t) => {
  t.same(read('[main]', 'log_level = debug'), {
    given: [
      {
        name: 'logLevel',
        text: 'debug',
        place: `${PATH}:2`,
        label: 'log_level',
        origin: `${PATH}:2`,
        baseDirectory: '/etc/firnmq',
      },
    ],
    serverNames: [],
    problems: [],
    warnings: [],
  });
});

t.test('every setting can stand in the file, under each of its names', async (t) => {
  for (const name of settingNames) {
    const { section, key, aliases = [] } = settings[name];
    for (const place of [`${section}.${key}`, ...aliases]) {
      const [inSection, named] = place.split('.');
      const { given, problems } = read(`[${inSection}]`, `${named} = x`);
      t.same(problems, [], place);
      t.match(given, [{ name, text: 'x' }], place);
    }
  }
  t.match(read('[http]', 'port = 1').given, [{ name: 'httpPort' }]);
});

t.test('a section may be opened again', async (t) => {
  const { given, problems } = read('[amqp]', 'port = 1', '[main]', '[amqp]', 'bind = ::1');
  t.same(problems, []);
  t.same(
    given.map(({ name }) => name),
    ['amqpPort', 'amqpBindAddresses'],
  );
});

t.test('what is wrong is told with file, line, reason and what may be meant', async (t) => {
  const cases: readonly [readonly string[], readonly string[]][] = [
    [['[main]', 'prot = 1'], [`${PATH}:2: there is no setting 'prot' in [main]`]],
    [
      ['[amqp]', 'prot = 1'],
      [`${PATH}:2: there is no setting 'prot' in [amqp]; did you mean 'port'?`],
    ],
    [
      ['[main]', 'heartbeat = 1'],
      [`${PATH}:2: there is no setting 'heartbeat' in [main]; it belongs to [amqp]`],
    ],
    [['[ampq]', 'port = 1'], [`${PATH}:1: there is no section [ampq]; did you mean 'amqp'?`]],
    [['[AMQP]', 'port = 1'], [`${PATH}:1: there is no section [AMQP]; did you mean 'amqp'?`]],
    [
      ['[rabbit]', 'a = 1', 'b = 1'],
      [
        `${PATH}:1: there is no section [rabbit]; there are [main], [amqp], [mgmt], [http], [sni:HOST]`,
      ],
    ],
    [
      ['[]'],
      [`${PATH}:1: there is no section []; there are [main], [amqp], [mgmt], [http], [sni:HOST]`],
    ],
    [['port = 1'], [`${PATH}:1: 'port' stands before the first section; begin with [main]`]],
    [['[amqp]', 'port = 1', 'port = 1'], [`${PATH}:3: 'port' is given twice, first at ${PATH}:2`]],
    [
      ['[mgmt]', 'port = 1', '[http]', 'port = 2'],
      [`${PATH}:4: 'port' is given twice, first at ${PATH}:2`],
    ],
    [
      ['[main]', 'tls_cert = a', '[amqp]', 'tls_cert = b'],
      [`${PATH}:4: 'tls_cert' is given twice, first at ${PATH}:2`],
    ],
    [
      ['[main]', 'data_dir ='],
      [`${PATH}:2: 'data_dir' has no value; without the line the default is in force`],
    ],
    [['[amqp]', 'port 5672'], [`${PATH}:2: the line is neither 'key = value' nor '[section]'`]],
    [['[main]', '__proto__ = 1'], [`${PATH}:2: there is no setting '__proto__' in [main]`]],
    [
      ['[constructor]'],
      [
        `${PATH}:1: there is no section [constructor]; ` +
          'there are [main], [amqp], [mgmt], [http], [sni:HOST]',
      ],
    ],
  ];
  for (const [lines, problems] of cases) t.same(read(...lines).problems, problems, lines.join(' '));
});

t.test('all that is wrong is told, in the order of the lines', async (t) => {
  const lines = ['x = 1', 'nonsense', '[amqp]', 'port =', 'prot = 1', '[who]', '[main]', 'a = "b'];
  t.same(
    read(...lines).problems.map((problem) => Number(problem.split(':')[1])),
    [1, 2, 4, 5, 6, 8],
  );
});

t.test('what AvalancheMQ knows and is not here is warned of', async (t) => {
  const { given, problems, warnings } = read(
    '[main]',
    'stats_interval = 5000',
    'data_dir_lock = true',
    '[mqtt]',
    'port = 1883',
    '[experimental]',
    '[mgmt]',
    'tls_port = 15671',
    '[amqp]',
    'unix_proxy_protocol = true',
  );
  t.same(given, []);
  t.same(problems, []);
  t.same([...warnings].sort(), [
    `${PATH}:10: 'unix_proxy_protocol' is known, but not supported yet: write unix into 'tcp_proxy_protocol'`,
    `${PATH}:2: 'stats_interval' is known, but not supported yet`,
    `${PATH}:3: 'data_dir_lock' is known, but not supported yet: the data directory is always locked`,
    `${PATH}:4: section [mqtt] is known, but not supported yet`,
    `${PATH}:6: section [experimental] is known, but not supported yet`,
    `${PATH}:8: 'tls_port' is known, but not supported yet`,
  ]);
});

t.test('a section for a host names its certificate', async (t) => {
  const { serverNames, problems, warnings } = read(
    '[sni:MQ.example.com]',
    'tls_cert = mq.pem',
    'tls_key = /keys/mq.key',
    '[sni:*.example.org]',
    'tls_cert = /all.pem',
    'tls_min_version = 1.3',
  );
  t.same(problems, []);
  t.same(serverNames, [
    { host: 'mq.example.com', certPath: '/etc/firnmq/mq.pem', keyPath: '/keys/mq.key' },
    { host: '*.example.org', certPath: '/all.pem', keyPath: null },
  ]);
  t.same(warnings, [`${PATH}:6: 'tls_min_version' is known, but not supported yet`]);
});

t.test('what is wrong in a section for a host is told like all else', async (t) => {
  const { serverNames, problems } = read(
    '[sni:]',
    'tls_cert = a',
    '[sni:a b]',
    '[sni:no-cert]',
    'tls_key = a',
    '[sni:host]',
    'tls_cert = a',
    'tls_cert = a',
    'tls_kee = a',
    'tls_key =',
    'port = 1',
  );
  const wanted = 'needs a host, as [sni:mq.example.com] or [sni:*.example.com]';
  t.same(problems, [
    `${PATH}:1: section [sni:] ${wanted}`,
    `${PATH}:3: section [sni:a b] ${wanted}`,
    `${PATH}:4: section [sni:no-cert] has no 'tls_cert'`,
    `${PATH}:8: 'tls_cert' is given twice, first at ${PATH}:7`,
    `${PATH}:9: there is no setting 'tls_kee' in [sni:host]; did you mean 'tls_key'?`,
    `${PATH}:10: 'tls_key' has no value`,
    `${PATH}:11: there is no setting 'port' in [sni:host]`,
  ]);
  t.same(serverNames, [{ host: 'host', certPath: '/etc/firnmq/a', keyPath: null }]);
});
