import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { type FileSystem, realFileSystem } from './fs.ts';
import { readJsonDocument, writeJsonDocument } from './json-document.ts';

t.test('what was written is read again, and people can read it too', async (t) => {
  const path = join(temporaryDirectory(t), 'users.json');
  await writeJsonDocument(realFileSystem, path, [{ name: 'guest' }]);
  t.same(readJsonDocument(realFileSystem, path), [{ name: 'guest' }]);
  t.equal(readFileSync(path, 'utf8'), '[\n  {\n    "name": "guest"\n  }\n]\n');
});

t.test('a document that does not exist is null', async (t) => {
  t.equal(readJsonDocument(realFileSystem, join(temporaryDirectory(t), 'users.json')), null);
});

t.test(
  'a shorter document leaves nothing of a longer one, nor of a write that broke off',
  async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'users.json');
    writeFileSync(path, JSON.stringify('long'.repeat(100)));
    writeFileSync(`${path}.tmp`, 'half of a '.repeat(100));
    await writeJsonDocument(realFileSystem, path, 1);
    t.equal(readFileSync(path, 'utf8'), '1\n');
    t.same(readdirSync(directory), ['users.json']);
  },
);

t.test('the old document stands until the new one is stable', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'users.json');
  await writeJsonDocument(realFileSystem, path, 'old');
  const fs: FileSystem = {
    ...realFileSystem,
    renameLater: async () => {
      throw new Error('killed here');
    },
  };
  await t.rejects(writeJsonDocument(fs, path, 'new'), { message: 'killed here' });
  t.equal(readJsonDocument(realFileSystem, path), 'old');
});

t.test('a byte order mark is skipped', async (t) => {
  const path = join(temporaryDirectory(t), 'users.json');
  writeFileSync(path, '\uFEFF[]');
  t.same(readJsonDocument(realFileSystem, path), []);
});

t.test('what is not JSON is an error that names the file', async (t) => {
  const path = join(temporaryDirectory(t), 'users.json');
  writeFileSync(path, '[');
  t.throws(() => readJsonDocument(realFileSystem, path), {
    code: 'STORAGE',
    message: `${path}: is not valid JSON: Unexpected end of JSON input`,
  });
});

t.test('a document of a later format is refused, and one of this one is not', async (t) => {
  const path = join(temporaryDirectory(t), 'doc.json');
  writeFileSync(path, '{"format_version": 1}');
  t.same(readJsonDocument(realFileSystem, path), { format_version: 1 });
  writeFileSync(path, '{"format_version": 3, "users": []}');
  t.throws(() => readJsonDocument(realFileSystem, path), {
    code: 'FOREIGN_FORMAT',
    message: `${path} was written by a newer FirnMQ (format 3, this one reads 1)`,
  });
});
