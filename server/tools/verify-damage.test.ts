/** Goal: no damage to any one place of a directory passes unnoticed. Every byte, every length. */
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folderNameOf } from '../broker/vhost-document.ts';
import { realFileSystem } from '../storage/fs.ts';
import { smallDirectory } from '../testing/small-directory.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { verify } from './verify.ts';

const small = await smallDirectory(t);

async function verified(directory: string) {
  const sink = new TextCollector();
  const count = await verify(realFileSystem, directory, sink);
  return { count, findings: sink.lines().filter((line) => line.startsWith(directory)) };
}

function copyOf(t: Teardown, directory: string): string {
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  return copy;
}

const folderIn = (directory: string) => join(directory, folderNameOf('/'));

t.test('any damaged byte of any file of a directory is found, with file and reason', async (t) => {
  const directory = copyOf(t, small);
  for (const name of readdirSync(folderIn(directory))) {
    const path = join(folderIn(directory), name);
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << (at & 7);
      writeFileSync(path, damaged);
      const { count, findings } = await verified(directory);
      if (count === 0) t.fail(`byte ${at} of ${name} is not found`);
      if (!findings.some((line) => line.startsWith(`${path}: `))) t.fail(`${findings.join()}`);
    }
    writeFileSync(path, bytes);
  }
  t.equal((await verified(directory)).count, 0);
});

t.test('a file that is cut anywhere, or gone, is found', async (t) => {
  const directory = copyOf(t, small);
  for (const name of readdirSync(folderIn(directory))) {
    const path = join(folderIn(directory), name);
    const bytes = readFileSync(path);
    for (let size = bytes.length - 1; size >= 0; size--) {
      truncateSync(path, size);
      const { count } = await verified(directory);
      if (count === 0) t.fail(`${name} cut to ${size} is not found`);
    }
    writeFileSync(path, bytes);
  }
  rmSync(join(folderIn(directory), 'msgs.0000000001'));
  t.match(await verified(directory), {
    count: 2,
    findings: [/ends at position/, /messages lie in no segment/],
  });
});
