import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { realFileSystem } from '../storage/fs.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { VhostStore } from './vhost-store.ts';

function setUp(t: Teardown, content?: string) {
  const dataDir = temporaryDirectory(t);
  const path = join(dataDir, 'vhosts.json');
  if (content !== undefined) writeFileSync(path, content);
  return {
    dataDir,
    load: () => VhostStore.load(realFileSystem, dataDir),
    read: () => readFileSync(path, 'utf8'),
  };
}

t.test('the first start makes the vhost /', async (t) => {
  const { load, read } = setUp(t);
  t.same((await load()).names, ['/']);
  t.same(JSON.parse(read()), [{ name: '/' }]);
  t.same((await load()).names, ['/']);
});

t.test('vhosts come in the order of the file, which stays as it is', async (t) => {
  const content = '[{"name": "b"}, {"name": "/", "description": "kept"}]';
  const { load, read } = setUp(t, content);
  t.same((await load()).names, ['b', '/']);
  t.equal(read(), content);
});

t.test('a folder is named by the SHA-1 of the vhost name', async (t) => {
  const { dataDir, load } = setUp(t);
  t.equal((await load()).folderOf('/'), join(dataDir, '42099b4af021e53fd8fd4e056c2568d7c2e3ffa8'));
});

t.test('a file that cannot be used is reported and kept', async (t) => {
  const cases = [
    ['{}', /vhosts\.json: the file must be a list of vhosts/],
    ['[{}]', /vhosts\.json: vhost number 1 has no name/],
    ['[{"name": ""}]', /vhosts\.json: vhost number 1 has no name/],
    ['[{"name": "a"}, {"name": "a"}]', /vhosts\.json: vhost 'a' is there twice/],
    ['[', /vhosts\.json: is not valid JSON: .*end of JSON input/],
  ] as const;
  for (const [content, message] of cases) {
    const { load, read } = setUp(t, content);
    await t.rejects(load(), { message });
    t.equal(read(), content);
  }
});
