import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually } from '../testing/eventually.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { FileCache } from './file-cache.ts';
import { realFileSystem } from './fs.ts';

const BYTES = Buffer.from('content');
const MIB = 1024 * 1024;

/** A cache of at most `filesMax` files over a disk that has `count` of them, `/d/0` and so on. */
function cacheOver(
  count: number,
  filesMax: number,
  openFilesMax: number = Number.POSITIVE_INFINITY,
): { fs: SimulatedFs; cache: FileCache } {
  const fs = new SimulatedFs({ completion: 'manual', openFilesMax });
  for (let i = 0; i < count; i++) {
    const file = fs.openForWriting(`/d/${i}`);
    file.writeAt(BYTES, 0, BYTES.length, 0);
    file.close();
  }
  return { fs, cache: new FileCache(fs, filesMax) };
}

async function readAll(fs: SimulatedFs, cache: FileCache, path: string): Promise<string> {
  const buf = Buffer.alloc(BYTES.length);
  const count = cache.read(path, buf, 0, buf.length, 0);
  fs.complete();
  return buf.toString('latin1', 0, await count);
}

t.test('the longest unused file is closed for another one', async (t) => {
  const { fs, cache } = cacheOver(10, 3);
  for (let i = 0; i < 10; i++) {
    t.equal(await readAll(fs, cache, `/d/${i}`), 'content');
    await readAll(fs, cache, '/d/0');
    t.ok(fs.openFileCount <= 3);
  }
  const { openFileCount } = fs;
  fs.failNext('open', 'EIO');
  t.equal(await readAll(fs, cache, '/d/0'), 'content', 'the one in use stayed open');
  t.equal(fs.openFileCount, openFileCount);
  fs.heal();
});

t.test('a pinned file stays open, however many others are used', async (t) => {
  const { fs, cache } = cacheOver(10, 3);
  const { file, unpin } = cache.pin('/d/0');
  for (let i = 1; i < 10; i++) await readAll(fs, cache, `/d/${i}`);
  file.writeAt(BYTES, 0, 1, 0);
  unpin();
  for (let i = 1; i < 10; i++) await readAll(fs, cache, `/d/${i}`);
  t.throws(() => file.writeAt(BYTES, 0, 1, 0), { code: 'STORAGE_EBADF' });
});

t.test('files that were all in use at once are closed down to the limit afterwards', async (t) => {
  const { fs, cache } = cacheOver(10, 3);
  const pins = Array.from({ length: 10 }, (_, i) => cache.pin(`/d/${i}`));
  t.equal(fs.openFileCount, 10);
  for (const { unpin } of pins) unpin();
  t.equal(fs.openFileCount, 3);
});

t.test('when the process may open no more, the colder half is closed', async (t) => {
  const { fs, cache } = cacheOver(20, 256, 8);
  for (let i = 0; i < 20; i++) t.equal(await readAll(fs, cache, `/d/${i}`), 'content');
  t.ok(fs.openFileCount <= 8);
  const pins = Array.from({ length: 8 }, (_, i) => cache.pin(`/d/${i}`));
  t.throws(
    () => cache.forWriting('/d/9'),
    { code: 'STORAGE_EMFILE' },
    'with all in use it is told',
  );
  for (const { unpin } of pins) unpin();
  t.ok(cache.forWriting('/d/9').size() > 0);
});

t.test('a deleted file is closed when its last use ends, and its name is free', async (t) => {
  const { fs, cache } = cacheOver(1, 3);
  const used = fs.usedBytes;
  const buf = Buffer.alloc(BYTES.length);
  const reading = cache.read('/d/0', buf, 0, buf.length, 0);
  cache.delete('/d/0');
  t.equal(fs.openFileCount, 1);
  t.equal(fs.usedBytes, used);
  cache.forWriting('/d/0').writeAt(Buffer.from('another'), 0, 7, 0);
  fs.complete();
  await reading;
  t.equal(buf.toString(), 'content');
  t.equal(fs.openFileCount, 1);
  t.equal(fs.usedBytes, used);
  t.equal(await readAll(fs, cache, '/d/0'), 'another');
  cache.delete('/d/0');
  t.equal(fs.openFileCount, 0);
  t.equal(fs.usedBytes, 0);
});

t.test('reading makes no file', async (t) => {
  const { fs, cache } = cacheOver(0, 3);
  await t.rejects(cache.read('/d/none', Buffer.alloc(1), 0, 1, 0), { code: 'STORAGE_ENOENT' });
  t.same(fs.paths, []);
  t.equal(cache.openCount, 0);
});

t.test('a file that was read can be written and synced', async (t) => {
  const { fs, cache } = cacheOver(1, 3);
  await readAll(fs, cache, '/d/0');
  cache.forWriting('/d/0').writeAt(Buffer.from('C'), 0, 1, 0);
  const synced = cache.datasync('/d/0');
  fs.complete();
  await synced;
  t.same(fs.unsyncedWrites(), []);
  t.equal(await readAll(fs, cache, '/d/0'), 'Content');
  t.equal(fs.openFileCount, 1);
});

/** A file of 10 MiB on the real disk, in a cache, and the size that its inode has, named or not. */
function largeFile(t: Teardown): { cache: FileCache; path: string; size: () => number } {
  const path = join(temporaryDirectory(t), 'large');
  const cache = new FileCache(realFileSystem);
  const bytes = Buffer.alloc(10 * MIB, 1);
  cache.forWriting(path).writeAt(bytes, 0, bytes.length, 0);
  const inode = openSync(path, 'r');
  t.teardown(() => closeSync(inode));
  return { cache, path, size: () => fstatSync(inode).size };
}

t.test('the space of a deleted file comes back in steps', async (t) => {
  const { cache, path, size } = largeFile(t);
  cache.deleteInTurn(path);
  await cache.deletionsEnded;
  t.ok(size() <= 4 * MIB, 'the last step is the close');
});

t.test('whoever reads a deleted file finds all of it', async (t) => {
  const { cache, path, size } = largeFile(t);
  const { file, unpin } = cache.pin(path);
  await cache.deleteLater(path);
  const end = Buffer.alloc(1);
  t.equal(await file.readAt(end, 0, 1, 10 * MIB - 1), 1);
  t.equal(end[0], 1);
  unpin();
  await eventually(() => {
    if (size() > 4 * MIB) throw new Error(`still ${size()} bytes`);
  });
});

t.test('a file that is closed for another name keeps its content', async (t) => {
  const { cache, path, size } = largeFile(t);
  realFileSystem.rename(path, `${path}.new`);
  cache.forget(path);
  cache.deleteInTurn(path);
  await cache.deletionsEnded;
  t.equal(size(), 10 * MIB);
});
