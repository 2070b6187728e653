import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { diskUseBytes, freeDiskBytes } from './disk-use.ts';

const FILE_BYTES = 1_000_000;

t.test('files count with what is allocated to them, in all folders below', async (t) => {
  const directory = t.testdir();
  t.equal(await diskUseBytes(directory), 0);
  await mkdir(join(directory, 'a/b'), { recursive: true });
  await writeFile(join(directory, 'one'), Buffer.alloc(FILE_BYTES, 1));
  await writeFile(join(directory, 'a/b/two'), Buffer.alloc(FILE_BYTES, 1), { flush: true });
  await truncate(join(directory, 'one'), 0);
  await writeFile(join(directory, 'holes'), '');
  await truncate(join(directory, 'holes'), 100 * FILE_BYTES);
  const used = await diskUseBytes(directory);
  t.ok(used >= FILE_BYTES && used < 2 * FILE_BYTES, `${used}`);
  t.ok((await freeDiskBytes(directory)) > 0);
});
