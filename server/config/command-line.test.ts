import { readFileSync } from 'node:fs';
import t from 'tap';
import { commandLineFlags, parseCommandLine } from './command-line.ts';
import { configDefaults } from './config.ts';
import { productVersion } from './version.ts';

function parse(...argv: readonly string[]) {
  return parseCommandLine(argv, {});
}

t.test('a data directory is all it needs, and everything else has its default', async (t) => {
  t.same(parse('-D', '/data'), { kind: 'run', config: { ...configDefaults, dataDir: '/data' } });
  t.same(configDefaults.bindAddresses, ['127.0.0.1', '::1']);
  t.equal(configDefaults.amqpPort, 5672);
  t.equal(configDefaults.httpPort, 15672);
  t.equal(configDefaults.logLevel, 'info');
});

t.test('every setting can be given, in its long and in its short form', async (t) => {
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
    t.same(parse(...line.split(' '), ...rest.split(' ')), { kind: 'run', config });
  }
});

t.test('a repeated bind address adds one, and the defaults are gone', async (t) => {
  t.match(parse('-D', '/data', '-b', '10.0.0.1', '-b', '::1'), {
    config: { bindAddresses: ['10.0.0.1', '::1'] },
  });
});

t.test('the memory mark is a share or a size', async (t) => {
  const mark = (text: string) => parse('-D', '/data', '--memory-high-watermark', text);
  t.match(mark('0.25'), { config: { memoryHighWatermark: 0.25 } });
  t.match(mark('.5'), { config: { memoryHighWatermark: 0.5 } });
  t.match(mark('1'), { config: { memoryHighWatermark: 1 } });
  t.match(mark('512MiB'), { config: { memoryHighWatermark: 2 ** 29 } });
});

t.test('the data directory comes from STATE_DIRECTORY where no flag names it', async (t) => {
  const env = { STATE_DIRECTORY: '/state' };
  t.match(parseCommandLine([], env), { config: { dataDir: '/state' } });
  t.match(parseCommandLine(['-D', '/data'], env), { config: { dataDir: '/data' } });
});

t.test('a relative data directory is made absolute', async (t) => {
  t.match(parse('-D', 'data'), { config: { dataDir: `${process.cwd()}/data` } });
});

t.test('what comes out cannot be changed', async (t) => {
  const result = parse('-D', '/data');
  t.ok(result.kind === 'run' && Object.isFrozen(result.config));
  t.ok(result.kind === 'run' && Object.isFrozen(result.config.bindAddresses));
});

t.test('a wrong command line is one line that names flag, value and what is allowed', async (t) => {
  const cases: readonly [readonly string[], RegExp][] = [
    [[], /'-D, --data-dir <dir>' is needed, or STATE_DIRECTORY/],
    [['-D', ''], /--data-dir.*argument '' is invalid\. It must not be empty/],
    [['-D', '/d', '-p', '65536'], /--amqp-port.*'65536'.*from 0 to 65535/],
    [['-D', '/d', '-p', '-1'], /--amqp-port.*'-1'.*from 0 to 65535/],
    [['-D', '/d', '-p', '0x10'], /--amqp-port.*'0x10'.*from 0 to 65535/],
    [['-D', '/d', '--http-port', ''], /--http-port.*''.*from 0 to 65535/],
    [['-D', '/d', '-l', 'loud'], /--log-level.*'loud'.*trace, debug, info, warn, error, fatal/],
    [['-D', '/d', '-b', ''], /--bind.*''.*empty/],
    [['-D', '/d', '--memory-high-watermark', '0'], /--memory-high-watermark.*'0'.*share/],
    [['-D', '/d', '--memory-high-watermark', '1.5'], /--memory-high-watermark.*'1.5'.*share/],
    [['-D', '/d', '--disk-free-limit', 'some'], /--disk-free-limit.*'some'.*50MB/],
    [['-D', '/d', '--amqp-prot', '1'], /unknown option '--amqp-prot'/],
    [['-D', '/d', 'more'], /too many arguments.*/],
    [['-D'], /--data-dir.*argument missing/],
  ];
  for (const [argv, expected] of cases) {
    const result = parse(...argv);
    t.equal(result.kind, 'error', argv.join(' '));
    if (result.kind !== 'error') continue;
    t.match(result.text, expected);
    t.notMatch(result.text.trimEnd().replace(/\n\(Did you mean.*\)$/, ''), /\n/);
  }
});

t.test('help and version are printed, wherever they stand', async (t) => {
  for (const flag of ['-v', '--version']) {
    t.same(parse(flag), { kind: 'print', text: `FirnMQ ${productVersion}\n` });
  }
  for (const flag of ['-h', '--help']) {
    const result = parse('-D', '/data', flag);
    t.equal(result.kind, 'print');
    // A default may be broken over two lines.
    const text = result.kind === 'print' ? result.text.replace(/\s+/g, ' ') : '';
    for (const { flags, defaultText } of Object.values(commandLineFlags)) {
      t.ok(text.includes(flags), flags);
      t.ok(text.includes(defaultText), defaultText);
    }
  }
});

t.test('the tools are commands with arguments and options of their own', async (t) => {
  const tool = (command: object) => ({ kind: 'tool', command });
  t.same(
    parse('dump', 'a', 'b'),
    tool({ name: 'dump', files: ['a', 'b'], json: false, bodies: false }),
  );
  t.same(
    parse('dump', '--json', 'a', '--bodies'),
    tool({ name: 'dump', files: ['a'], json: true, bodies: true }),
  );
  t.same(parse('verify', 'dir'), tool({ name: 'verify', directory: 'dir' }));
  t.same(
    parse('recover', 'dir', '--export', '-'),
    tool({ name: 'recover', directory: 'dir', exportPath: '-' }),
  );
  for (const name of ['dump', 'verify', 'recover']) {
    t.match(parse(name, '-h'), { kind: 'print', text: new RegExp(`firnmq ${name}`) });
    t.match(parse('-h'), { kind: 'print', text: new RegExp(`^  ${name} .*<`, 'm') });
  }
});

t.test('a tool that is used wrongly is an error', async (t) => {
  const cases: readonly [readonly string[], RegExp][] = [
    [['dump'], /missing required argument 'files'/],
    [['verify'], /missing required argument 'dir'/],
    [['verify', 'a', 'b'], /too many arguments/],
    [['verify', 'a', '--json'], /unknown option '--json'/],
    [['recover', 'a'], /required option '--export <file>' not specified/],
    [['-D', 'a', 'verify', 'a'], /options do not go with a command/],
  ];
  for (const [argv, text] of cases) t.match(parse(...argv), { kind: 'error', text });
});

t.test('the reference page and the code have the same flags with the same defaults', async (t) => {
  const page = readFileSync(new URL('../../../docs/reference/config.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(-[^`]+)` *\|(?: `([^`]*)`)? *\|/gm)];
  const documented = rows.map((row) => [row[1], row[2] ?? '']);
  const known = Object.values(commandLineFlags).map((flag) => [flag.flags, flag.defaultText]);
  t.same(documented, known);
});
