import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { createConfig } from './config.ts';
import { findConfigFile, readConfigFile, unreadableFilesIn } from './config-file.ts';

t.test('the file is the one that is named, or lies where systemd says', async (t) => {
  const empty = temporaryDirectory(t);
  const full = temporaryDirectory(t);
  const path = join(full, 'firnmq.ini');
  writeFileSync(path, '');
  const env = { CONFIGURATION_DIRECTORY: `${empty}:${full}`, FIRNMQ_CONFIG: '/env.ini' };
  t.equal(findConfigFile('a.ini', env), 'a.ini');
  t.equal(findConfigFile(null, env), '/env.ini');
  t.equal(findConfigFile(null, { ...env, FIRNMQ_CONFIG: '' }), path);
  t.equal(findConfigFile(null, { CONFIGURATION_DIRECTORY: empty }), null);
  t.equal(findConfigFile(null, {}), null);
});

t.test('a file is read, and a path in it begins at its directory', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'f.ini'), '[main]\ndata_dir = data\n');
  t.match(readConfigFile('f.ini', directory), {
    given: [{ place: `${join(directory, 'f.ini')}:2`, baseDirectory: directory }],
    problems: [],
  });
  t.same(readConfigFile('/dev/null', directory).given, []);
});

t.test('a file that cannot be read is told in a sentence', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'f.ini');
  writeFileSync(join(directory, 'file'), '');
  mkdirSync(join(directory, 'folder'));
  symlinkSync('loop', join(directory, 'loop'));
  writeFileSync(path, ' '.repeat(1024 * 1024 + 1));
  const cases = [
    ['none.ini', 'none.ini: does not exist'],
    ['folder', 'folder: is a directory, and not a file'],
    ['file/f.ini', 'file/f.ini: lies below something that is not a directory'],
    ['loop', 'loop: is a link that leads to itself'],
    ['f.ini', 'f.ini: is larger than 1 MiB, and surely no configuration'],
    ['', 'command line: --config: the name of the file is empty'],
  ] as const;
  for (const [name, problem] of cases) {
    const { problems, given } = readConfigFile(name, directory);
    t.same(problems, [problem]);
    t.same(given, []);
  }
});

t.test('so is one that this user may not read, or the disk does not give', async (t) => {
  const failing = (code: string) =>
    readConfigFile('/f.ini', '/', () => {
      throw Object.assign(new Error(`${code}: words of the system`), { code });
    });
  t.same(failing('EACCES').problems, ['/f.ini: may not be read by this user']);
  t.same(failing('EIO').problems, ['/f.ini: cannot be read: EIO: words of the system']);
});

t.test('files that a configuration names are looked at', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'cert.pem');
  writeFileSync(path, 'x'.repeat(2 * 1024 * 1024));
  const config = createConfig({
    dataDir: '/data',
    tlsCertPath: path,
    tlsKeyPath: join(directory, 'none'),
    tlsCaPath: directory,
    tlsServerNames: [{ host: 'a', certPath: join(directory, 'other'), keyPath: null }],
  });
  t.same(unreadableFilesIn(config), [
    `${join(directory, 'none')}: does not exist`,
    `${directory}: is a directory, and not a file`,
    `${join(directory, 'other')}: does not exist`,
  ]);
  t.same(unreadableFilesIn(createConfig({ dataDir: '/data' })), []);
});
