import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findDrift, writeDirectory } from './output-directory.ts';

const FILES = new Map([
  ['a.ts', 'one\ntwo\nthree\n'],
  ['b.ts', 'b\n'],
]);

t.test('a folder is made and filled', (t) => {
  const directory = join(t.testdir(), 'deep', 'generated');
  writeDirectory(directory, FILES);
  t.same(readdirSync(directory), ['a.ts', 'b.ts']);
  t.equal(readFileSync(join(directory, 'a.ts'), 'utf8'), 'one\ntwo\nthree\n');
  t.same(findDrift(directory, FILES), []);
  t.end();
});

t.test('files that are no more generated go, what is not the generator’s stays', (t) => {
  const directory = t.testdir({
    'a.ts': 'one\ntwo\nthree\n',
    'gone.ts': '',
    'tsconfig.json': '{}',
    tests: { 'a.test.ts': '' },
  });
  const before = statSync(join(directory, 'a.ts')).mtimeMs;
  writeDirectory(directory, FILES);
  t.notOk(existsSync(join(directory, 'gone.ts')));
  t.ok(existsSync(join(directory, 'tsconfig.json')));
  t.ok(existsSync(join(directory, 'tests', 'a.test.ts')));
  t.equal(statSync(join(directory, 'a.ts')).mtimeMs, before, 'a file that is right is not touched');
  t.end();
});

t.test('drift is told file by file', (t) => {
  const directory = t.testdir({
    'a.ts': 'one\nTWO\nthree\n',
    'left-over.ts': '',
    'tsconfig.json': '{}',
    tests: { 'a.test.ts': '' },
  });
  t.same(findDrift(directory, FILES), [
    'a.ts differs from line 2',
    'b.ts is missing',
    'left-over.ts is not generated from this spec',
  ]);
  t.end();
});

t.test('text cut off or added at the end is drift', (t) => {
  const shorter = t.testdir({ 'a.ts': 'one\ntwo\n', 'b.ts': 'b\nmore\n' });
  t.same(findDrift(shorter, FILES), ['a.ts differs from line 3', 'b.ts differs from line 2']);
  t.end();
});

t.test('a folder that is not there lacks everything', (t) => {
  t.same(findDrift(join(t.testdir(), 'nowhere'), FILES), ['a.ts is missing', 'b.ts is missing']);
  t.end();
});
