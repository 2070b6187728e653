import fc from 'fast-check';
import t from 'tap';
import { formatIniValue, parseIni } from './ini-document.ts';

function parse(text: string) {
  return parseIni(Buffer.from(text));
}

/** The values of keys in a section `[s]`. */
function valuesOf(lines: string): Record<string, string> {
  const { entries, problems } = parse(`[s]\n${lines}`);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

t.test('sections, entries and comments, with their lines', async (t) => {
  const text = '; first\n\n[main]\na = 1\n# more\n  [ amqp ] ; second\n  b=2\nc   =   3\n';
  t.same(parse(text), {
    sections: [
      { name: 'main', line: 3 },
      { name: 'amqp', line: 6 },
    ],
    entries: [
      { section: 'main', key: 'a', value: '1', line: 4 },
      { section: 'amqp', key: 'b', value: '2', line: 7 },
      { section: 'amqp', key: 'c', value: '3', line: 8 },
    ],
    problems: [],
  });
});

t.test('what stands before the first section has none', async (t) => {
  t.match(parse('a = 1').entries, [{ section: '', key: 'a', line: 1 }]);
});

t.test('a value may have the characters of the syntax', async (t) => {
  const lines = 'a = b=c = d\nb = x;y#z\nc = a "b" c\nd = [x]\ne = ÄÖ 漢\nf=\ng = ""\nh =    ';
  t.same(valuesOf(lines), {
    a: 'b=c = d',
    b: 'x;y#z',
    c: 'a "b" c',
    d: '[x]',
    e: 'ÄÖ 漢',
    f: '',
    g: '',
    h: '',
  });
});

t.test('a comment behind a value begins behind a space', async (t) => {
  const lines = 'a = 1 ; one\nb = 2\t# two\nc = 3 ;\nd = ; none\ne =# none\nf = 4 ; # ; "x';
  t.same(valuesOf(lines), { a: '1', b: '2', c: '3', d: '', e: '', f: '4' });
});

t.test('quotes keep spaces and comment signs', async (t) => {
  const lines = String.raw`a = " x "
b = "1 ; 2 # 3"   ; a comment
c = "say \"hi\", c:\\dir"#
d = "c:\dir"`;
  t.same(valuesOf(lines), {
    a: ' x ',
    b: '1 ; 2 # 3',
    c: String.raw`say "hi", c:\dir`,
    d: String.raw`c:\dir`,
  });
});

t.test('line ends of every system, a byte order mark and no end at all are the same', async (t) => {
  const expected = parse('[s]\na = 1\nb = 2\n');
  for (const text of [
    '[s]\r\na = 1\r\nb = 2\r\n',
    '[s]\ra = 1\rb = 2\r',
    '\uFEFF[s]\na = 1\nb = 2\n',
    '\uFEFF[s]\r\na = 1\r\nb = 2',
    '[s]\na = 1\nb = 2',
  ]) {
    t.same(parse(text), expected, JSON.stringify(text));
  }
});

t.test('an empty file says nothing', async (t) => {
  for (const text of ['', '\n', '\uFEFF', '; only\n# comments\n\t \n']) {
    t.same(parse(text), { sections: [], entries: [], problems: [] });
  }
});

t.test('all lines that cannot be read are told, and the others are read', async (t) => {
  const { entries, problems } = parse(
    ['[a', '[a] b', 'word', '= 1', 'a = "b', 'b = "c" d', 'c = \0', 'd = 1'].join('\n'),
  );
  t.same(problems, [
    { line: 1, reason: "has no ']'" },
    { line: 2, reason: "has something behind the ']'" },
    { line: 3, reason: "is neither 'key = value' nor '[section]'" },
    { line: 4, reason: "has no key before the '='" },
    {
      line: 5,
      reason: `needs a '"' at the end of the value of 'a', and nothing but a comment behind`,
    },
    {
      line: 6,
      reason: `needs a '"' at the end of the value of 'b', and nothing but a comment behind`,
    },
    { line: 7, reason: 'has a control character' },
  ]);
  t.match(entries, [{ key: 'd', line: 8 }]);
});

t.test('a line that is not UTF-8 is told of by its number', async (t) => {
  const latin1 = parseIni(Buffer.from('[s]\na = 1\nb = \xe4\nc = 3\n', 'latin1'));
  t.same(latin1.problems, [{ line: 3, reason: 'is not UTF-8' }]);
  t.match(latin1.entries, [{ key: 'a' }, { key: 'c', line: 4 }]);
  const utf16 = parseIni(Buffer.from('\uFEFF[s]\n', 'utf16le'));
  t.match(utf16.problems, [{ line: 1, reason: 'is not UTF-8' }, {}]);
});

t.test('a value is read again as it was written', async () => {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text)),
    fc.array(fc.constantFrom(' ', ';', '#', '"', '\\', '=', '[', ']', 'a')).map((a) => a.join('')),
  );
  fc.assert(
    fc.property(value, (text) => {
      return valuesOf(`key = ${formatIniValue(text)} ; comment`)['key'] === text;
    }),
  );
});

t.test('no bytes break the parser', async () => {
  const syntax = fc.array(fc.constantFrom('[', ']', '=', '"', ';', '\\', '\n', '\r', 'a', ' '));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        syntax.map((a) => Buffer.from(a.join(''))),
      ),
      (bytes) => {
        const { sections, entries, problems } = parseIni(bytes);
        const lines = [...sections, ...entries, ...problems].map(({ line }) => line);
        // A line is one thing at most.
        return new Set(lines).size === lines.length;
      },
    ),
  );
});
