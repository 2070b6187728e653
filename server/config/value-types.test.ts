import t, { type Test } from 'tap';
import { ValueError } from './value-error.ts';
import {
  addressListType,
  booleanType,
  byteSizeType,
  choiceType,
  durationType,
  fileModeType,
  integerType,
  keepaliveType,
  memoryMarkType,
  optionalPortType,
  optionalType,
  passwordHashType,
  passwordType,
  pathType,
  portType,
  textType,
  tlsVersionType,
  trustedSourcesType,
  type ValueType,
} from './value-types.ts';

/** What a kind makes of texts, and which it refuses with what. */
function check<T>(
  t: Test,
  type: ValueType<T>,
  good: readonly (readonly [string, T])[],
  bad: readonly string[],
  allowed: string,
): void {
  for (const [text, value] of good) {
    t.same(type.parse(text, '/base'), value, text);
    const formatted = type.format(value);
    if (formatted !== null) t.same(type.parse(formatted, '/base'), value, `${text} and back`);
  }
  for (const text of bad) {
    t.throws(() => type.parse(text, '/base'), new ValueError(allowed), `'${text}'`);
  }
}

t.test('yes and no have all their usual spellings', async (t) => {
  const yes = ['true', 'yes', 'on', '1', 'TRUE', 'Yes', 'On'].map((text) => [text, true] as const);
  const no = ['false', 'no', 'off', '0', 'False', 'NO'].map((text) => [text, false] as const);
  const bad = ['', 'y', 't', '2', '-1', 'truee', 'enabled', 'null'];
  check(t, booleanType, [...yes, ...no], bad, 'true or false (yes or no, on or off, 1 or 0)');
});

t.test('a number is whole, and within its range', async (t) => {
  const good = [['0', 0] as const, ['007', 7] as const, ['65535', 65_535] as const];
  const bad = ['', '-1', '65536', '1.5', '0x10', '1e3', '1_000', '5672a', ' ', '9'.repeat(400)];
  check(t, portType, good, bad, 'a number from 0 to 65535');
  const negative = integerType({ min: -5, max: 5 });
  check(t, negative, [['-5', -5]], ['-6', '6', '--1', '-'], 'a number from -5 to 5');
});

t.test('a port may be off, as -1 too', async (t) => {
  const good = [['5671', 5671] as const, ['off', null] as const, ['-1', null] as const];
  check(t, optionalPortType, good, ['', '-2', '65536', 'no'], 'a number from 0 to 65535, or off');
});

t.test('a memory mark is a share or a size', async (t) => {
  check(
    t,
    memoryMarkType,
    [
      ['0.25', 0.25],
      ['.5', 0.5],
      ['1', 1],
      ['1.0', 1],
      ['40%', 0.4],
      ['12.5 %', 0.125],
      ['100%', 1],
      ['1GiB', 2 ** 30],
      ['512MB', 512_000_000],
      ['1048576', 2 ** 20],
    ],
    ['', '0', '0.0', '0%', '101%', '1.5', '-0.4', '1048575', '40 percent', '%', 'half', '0.4GiB%'],
    'a share up to 1, as 0.4 or 40%, or a size from 1MiB on',
  );
});

t.test('a size has a unit or is bytes, and is within its range', async (t) => {
  check(
    t,
    byteSizeType({ min: 4096, max: 10_000_000 }),
    [
      ['4096', 4096],
      ['10MB', 10_000_000],
      ['1 MiB', 2 ** 20],
      ['8k', 8192],
    ],
    ['', '4095', '10000001', '1GiB', '-8k', '40%', '8 kilo', 'MB'],
    'a number of bytes from 4096 to 10000000, with or without a unit, as 50MB or 1GiB',
  );
});

t.test('a time has a unit or is milliseconds, and is within its range', async (t) => {
  check(
    t,
    durationType({ min: 100, max: 60_000 }),
    [
      ['100', 100],
      ['10s', 10_000],
      ['1m', 60_000],
    ],
    ['', '99', '61s', '-1s', '10 sec', '1d'],
    'a time from 100ms to 60s, as 500ms, 10s or 1m',
  );
});

t.test('a word is one of a few, in either case, or a synonym of one', async (t) => {
  const type = choiceType(['debug', 'warn'], { warning: 'warn' });
  const good = [
    ['debug', 'debug'] as const,
    ['WARN', 'warn'] as const,
    ['Warning', 'warn'] as const,
  ];
  check(t, type, good, ['', 'loud', 'toString', 'warn '], 'one of debug, warn');
});

t.test('a list has addresses and names, each once', async (t) => {
  check(
    t,
    addressListType,
    [
      ['::1', ['::1']],
      ['127.0.0.1,::1', ['127.0.0.1', '::1']],
      ['mq.example.com ,  fe80::1%eth0', ['mq.example.com', 'fe80::1%eth0']],
      ['::1, ::1', ['::1']],
    ],
    ['', ',', '::1,', 'a b', '127.0.0.1:5672', '[::1]', '10.0.0.0/8', '256.1.1.1', '*', 'a;b'],
    'one or more addresses or host names, with commas between them',
  );
});

t.test('proxies are trusted by address or network, or none or all of them', async (t) => {
  const all = ['0.0.0.0/0', '::/0'];
  check(
    t,
    trustedSourcesType,
    [
      ['10.0.0.1', ['10.0.0.1']],
      ['10.0.0.0/8, fd00::/8,unix', ['10.0.0.0/8', 'fd00::/8', 'unix']],
      ['off', []],
      ['false', []],
      ['true', all],
    ],
    ['', 'proxy', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0.1,'],
    'off, or addresses and networks as 10.0.0.1, 10.0.0.0/8, fd00::/8, with commas between them, ' +
      'and unix for the Unix socket',
  );
  t.match(trustedSourcesType.remark?.('True'), /every client can claim any address/);
  t.equal(trustedSourcesType.remark?.('10.0.0.1'), null);
});

t.test('keepalive is an idle time; what Node.js decides is accepted with a remark', async (t) => {
  const good = [
    ['60', 60],
    ['60:10:3', 60],
    ['off', null],
    ['false', null],
  ] as const;
  const bad = ['', '32768', '-1', '60:10', '60:10:3:1', '60s', ':10:3', 'on'];
  check(t, keepaliveType, good, bad, 'seconds from 1 to 32767, or off');
  t.match(keepaliveType.remark?.('60:10:3'), /only the idle time can be chosen/);
  t.equal(keepaliveType.remark?.('60:1:10'), null);
  t.equal(keepaliveType.remark?.('60'), null);
});

t.test('permissions of a file are octal', async (t) => {
  const good = [
    ['660', 0o660],
    ['0600', 0o600],
    ['007', 0o007],
  ] as const;
  check(
    t,
    fileModeType,
    good,
    ['', '66', '6660', '680', 'rw-', '-660'],
    'three octal digits, as 660',
  );
});

t.test('a version of TLS is 1.2 or 1.3, with or without the name', async (t) => {
  const good = [
    ['1.2', 'TLSv1.2'],
    ['TLSv1.3', 'TLSv1.3'],
    ['tls1.2', 'TLSv1.2'],
  ] as const;
  check(t, tlsVersionType, good, ['', '1.0', '1.1', '1.4', 'SSLv3', '1', '3'], '1.2 or 1.3');
});

t.test('a relative path begins at the base directory', async (t) => {
  const good = [
    ['data', '/base/data'],
    ['../x y', '/x y'],
    ['/abs', '/abs'],
  ] as const;
  const allowed =
    'a text that is not empty, does not begin or end with a space, and has no control characters';
  check(t, pathType, good, ['', ' x', 'x ', 'a\0b', 'a\nb'], allowed);
  check(t, textType, [['a = "b"; c', 'a = "b"; c']], ['', ' x', 'a\tb'], allowed);
});

t.test('a password may have spaces at its ends, a hash is 36 bytes in base64', async (t) => {
  const allowed = 'a text that is not empty and has no control characters';
  check(t, passwordType, [[' pass # word ', ' pass # word ']], ['', 'a\nb'], allowed);
  const hash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';
  check(
    t,
    passwordHashType,
    [[hash, hash]],
    ['', 'guest', hash.slice(1), `${hash}=`, hash.replace('+', '-')],
    '36 bytes in base64: 4 of salt, and the SHA-256 of salt and password',
  );
});

t.test('what may be missing has no text for that', async (t) => {
  const type = optionalType(pathType);
  t.equal(type.format(null), null);
  t.equal(type.format('/a'), '/a');
  t.equal(type.parse('a', '/base'), '/base/a');
  t.throws(() => type.parse('', '/base'), ValueError);
});
