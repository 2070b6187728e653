// The command as people and CI run it: exit codes, and what it says when it fails.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

const TINY = `<amqp major="0" minor="9" revision="1">
  <class name="k" index="1">
    <method name="m" index="1"><chassis name="server" implement="MUST"/></method>
  </class>
</amqp>`;

function codegen(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
}

t.test('generates from a file of the schema, and checks what it generated', (t) => {
  const directory = t.testdir({ 'tiny.xml': TINY });
  const spec = join(directory, 'tiny.xml');
  const out = join(directory, 'out');
  t.match(codegen('--spec', spec, '--out', out), { status: 0, stdout: '', stderr: '' });
  t.same(readdirSync(out), ['constants.ts', 'dispatch.ts', 'index.ts', 'k.ts', 'metadata.ts']);
  writeFileSync(join(out, 'tsconfig.json'), '{}');
  t.match(codegen('--spec', spec, '--out', out, '--check'), { status: 0, stderr: '' });
  appendFileSync(join(out, 'k.ts'), '// by hand\n');
  writeFileSync(join(out, 'stray.ts'), '');
  const { status, stderr } = codegen('--spec', spec, '--out', out, '--check');
  t.equal(status, 1);
  t.match(stderr, /is not what tiny\.xml says/);
  t.match(stderr, /k\.ts differs from line/);
  t.match(stderr, /stray\.ts is not generated/);
  t.end();
});

t.test('generated/ is what spec/ says', (t) => {
  t.match(codegen('--check'), { status: 0, stderr: '' });
  t.end();
});

t.test(
  'a spec that does not hold together is one line that names the element, and exit code 1',
  (t) => {
    const directory = t.testdir({
      'base.xml': TINY,
      'broken.xml': TINY.replace('</class>', '<method name="n" index="1"/>\n</class>'),
      'overlay.xml':
        '<amqp major="0" minor="9" revision="1"><class name="k" index="2"></class></amqp>',
    });
    const at = (file: string): string => join(directory, file);
    const broken = codegen('--spec', at('broken.xml'), '--out', at('out'));
    t.equal(broken.status, 1);
    t.match(
      broken.stderr,
      /^codegen: broken\.xml:4: class k, method n: duplicate index '1', first in class k, method m at broken\.xml:3\n$/,
    );
    const overlaid = codegen(
      '--spec',
      at('base.xml'),
      '--spec',
      at('overlay.xml'),
      '--out',
      at('out'),
    );
    t.equal(overlaid.status, 1);
    t.match(
      overlaid.stderr,
      /^codegen: overlay\.xml:1: class k: attribute 'index' is '2', but '1' in/,
    );
    t.notOk(readdirSync(directory).includes('out'), 'nothing is written');
    t.end();
  },
);

t.test('a spec file that is not there is told by name', (t) => {
  const { status, stderr } = codegen('--spec', join(t.testdir(), 'nowhere.xml'));
  t.equal(status, 1);
  t.match(stderr, /nowhere\.xml: ENOENT/);
  t.end();
});

t.test('a wrong command line exits with 2, help with 0', (t) => {
  t.match(codegen('--sepc', 'x'), { status: 2, stderr: /unknown option '--sepc'/ });
  t.match(codegen('--spec'), { status: 2 });
  t.match(codegen('stray'), { status: 2 });
  t.match(codegen('--help'), { status: 0, stdout: /--check/ });
  t.end();
});
