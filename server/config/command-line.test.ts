import t from 'tap';
import { commandLineFlags, parseCommandLine } from './command-line.ts';
import { productVersion } from './version.ts';

function parse(...argv: readonly string[]) {
  return parseCommandLine(argv, '/base');
}

t.test('a flag is given as it was written, and which file is meant', async (t) => {
  const result = parse('-D', 'data', '--amqp-port=x', '-c', 'f.ini');
  t.match(result, { kind: 'server', action: 'run', configPath: 'f.ini' });
  t.same(result.kind === 'server' ? result.settings.given : [], [
    {
      name: 'dataDir',
      text: 'data',
      place: 'command line',
      label: '--data-dir',
      origin: '--data-dir',
      baseDirectory: '/base',
    },
    {
      name: 'amqpPort',
      text: 'x',
      place: 'command line',
      label: '--amqp-port',
      origin: '--amqp-port',
      baseDirectory: '/base',
    },
  ]);
});

t.test('a configuration is checked or printed instead', async (t) => {
  t.match(parse(), { kind: 'server', action: 'run', configPath: null });
  t.match(parse('--check-config'), { action: 'check config' });
  t.match(parse('--print-config'), { action: 'print config' });
  t.match(parse('--print-config', '--check-config'), { action: 'print config' });
});

t.test('a flag that there is not is one line, with the one that may be meant', async (t) => {
  const cases: readonly [readonly string[], string][] = [
    [
      ['-D', '/d', '--amqp-prot', '1'],
      "error: unknown option '--amqp-prot'\n(Did you mean --amqp-port?)\n",
    ],
    [['-D'], "error: option '-D, --data-dir <dir>' argument missing\n"],
  ];
  for (const [argv, text] of cases) t.same(parse(...argv), { kind: 'error', text });
  t.match(parse('-D', '/d', 'more'), { kind: 'error', text: /^error: too many arguments.*\n$/ });
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
    for (const { flags, defaultText } of commandLineFlags()) {
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
    [['--check-config', 'verify', 'a'], /options do not go with a command/],
  ];
  for (const [argv, text] of cases) t.match(parse(...argv), { kind: 'error', text });
});
