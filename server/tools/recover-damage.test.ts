/** Goal: no damage to any one place ends a recovery, or costs more than what it hit. Every byte, every length. */
import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folderNameOf } from '../broker/vhost-document.ts';
import { realFileSystem } from '../storage/fs.ts';
import { SMALL_BODIES, smallDirectory } from '../testing/small-directory.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { recoverMessages } from './recover.ts';

const small = await smallDirectory(t);

async function recovered(directory: string) {
  const messages = new TextCollector();
  const sinks = { messages, report: new TextCollector() };
  const damaged = await recoverMessages(realFileSystem, directory, sinks);
  const bodies = messages.lines().map((line) => (JSON.parse(line) as { payload: string }).payload);
  return { damaged, bodies };
}

const folderIn = (directory: string) => join(directory, folderNameOf('/'));

/** Runs `look` for each file of the vhost `/` in a copy of the small directory, and puts the file back. */
async function forEachFile(
  t: Teardown,
  look: (directory: string, name: string, path: string, bytes: Buffer) => Promise<void>,
): Promise<void> {
  const directory = temporaryDirectory(t);
  cpSync(small, directory, { recursive: true });
  for (const name of readdirSync(folderIn(directory))) {
    const path = join(folderIn(directory), name);
    const bytes = readFileSync(path);
    await look(directory, name, path, bytes);
    writeFileSync(path, bytes);
  }
}

t.test('a damaged byte costs the messages of its batch at most, and is reported', async (t) => {
  await forEachFile(t, async (directory, name, path, bytes) => {
    const step = name.startsWith('msgs') ? 1 : 7;
    for (let at = 0; at < bytes.length; at += step) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at & 7);
      writeFileSync(path, flipped);
      const { damaged, bodies } = await recovered(directory);
      const isSalt = name.startsWith('msgs') && at >= 16 && at < 20;
      const lost = SMALL_BODIES.filter((body) => !bodies.includes(body));
      const most = isSalt ? 3 : name.startsWith('msgs') ? 1 : 0;
      if (lost.length > most) t.fail(`byte ${at} of ${name} loses ${lost.join()}`);
      if (bodies.length + lost.length !== SMALL_BODIES.length) t.fail(`byte ${at} of ${name}`);
      if (damaged === 0) t.fail(`byte ${at} of ${name} is not reported`);
    }
  });
});

t.test('a file cut anywhere costs what lay behind the cut at most', async (t) => {
  await forEachFile(t, async (directory, name, path, bytes) => {
    let before: readonly string[] = SMALL_BODIES;
    const step = name.startsWith('msgs') ? 1 : 7;
    for (let size = bytes.length - 1; size >= 0; size -= step) {
      truncateSync(path, size);
      const { bodies } = await recovered(directory);
      t.same(bodies, before.slice(0, bodies.length));
      if (!name.startsWith('msgs')) t.equal(bodies.length, 3, `${name} cut to ${size}`);
      else if (bodies.length < before.length - 1) t.fail(`${name} cut to ${size}`);
      before = bodies;
    }
  });
});
