import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folderNameOf } from '../broker/vhost-document.ts';
import { acquireDirectoryLock } from '../storage/directory-lock.ts';
import { realFileSystem } from '../storage/fs.ts';
import { writeCompactedCopy } from '../testing/compacted-copy.ts';
import { contentOf } from '../testing/directory-content.ts';
import { SAMPLE_CONTENT, sampleDirectory } from '../testing/sample-directory.ts';
import { smallDirectory } from '../testing/small-directory.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { dump } from './dump.ts';
import { verify } from './verify.ts';

const stopped = await sampleDirectory(t, 'stopped');
const killed = await sampleDirectory(t, 'killed');
const small = await smallDirectory(t);

async function verified(directory: string) {
  const sink = new TextCollector();
  const count = await verify(realFileSystem, directory, sink);
  const lines = sink.lines();
  const isFinding = (line: string) => line.startsWith(directory);
  return { count, findings: lines.filter(isFinding), lines };
}

function copyOf(t: Teardown, directory: string): string {
  const copy = temporaryDirectory(t);
  cpSync(directory, copy, { recursive: true });
  return copy;
}

const folderIn = (directory: string, vhost = '/') => join(directory, folderNameOf(vhost));

function pathOf(directory: string, pattern: RegExp): string {
  const folder = folderIn(directory);
  return join(folder, readdirSync(folder).find((name) => pattern.test(name))!);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0x10;
  writeFileSync(path, bytes);
}

/** Where the batches of a segment file begin; the dump must find nothing wrong with it. */
async function batchOffsets(path: string): Promise<readonly number[]> {
  const sink = new TextCollector();
  const problems = await dump(realFileSystem, [path], sink, { json: true, bodies: false });
  if (problems > 0) throw new Error(sink.text);
  return sink
    .lines()
    .map((line) => JSON.parse(line) as { kind: string; offset: number })
    .filter(({ kind }) => kind === 'batch')
    .map(({ offset }) => offset);
}

t.test(
  'a good directory is told to be well, with all its queues, and is not touched',
  async (t) => {
    for (const directory of [stopped, killed]) {
      const before = contentOf(directory);
      const { count, lines } = await verified(directory);
      t.equal(count, 0);
      t.equal(lines.at(-1), 'all is well');
      for (const [vhost, queues] of Object.entries(SAMPLE_CONTENT)) {
        const messages = Object.values(queues).flat();
        const bytes = messages.reduce((sum, { body }) => sum + body.length, 0);
        const head = `vhost ${JSON.stringify(vhost)}: ${Object.keys(queues).length} queues, ${messages.length} messages with ${bytes} bytes; 1 segments`;
        t.ok(
          lines.some((line) => line.startsWith(head)),
          head,
        );
        for (const [name, content] of Object.entries(queues)) {
          const size = content.reduce((sum, { body }) => sum + body.length, 0);
          const text = `  queue ${JSON.stringify(name)}: ${content.length} messages with ${size} bytes`;
          t.ok(lines.includes(text), text);
        }
      }
      t.match(lines.join('\n'), directory === stopped ? /, stopped in order/ : /not stopped/);
      t.same(contentOf(directory), before);
    }
  },
);

t.test('what a kill leaves behind the last sync is no damage', async (t) => {
  const directory = copyOf(t, killed);
  const path = pathOf(directory, /^msgs/);
  appendFileSync(path, 'torn');
  const { count, lines } = await verified(directory);
  t.equal(count, 0);
  t.match(lines[0], /^note: .*msgs\.0000000001: at \d+: what follows, up to \d+, was never synced/);
});

t.test(
  'damage before the end of the log is told with its place, and the rest is counted',
  async (t) => {
    const directory = copyOf(t, stopped);
    const path = pathOf(directory, /^msgs/);
    const at = readFileSync(path).indexOf('first task');
    flip(path, at);
    const { findings, lines } = await verified(directory);
    t.match(findings, [
      new RegExp(`^${path}: at \\d+: bytes \\d+ to \\d+ are damaged$`),
      /queue 'everything': 1 messages cannot be read$/,
      /queue 'tasks': 1 messages cannot be read$/,
    ]);
    t.ok(lines.some((line) => /^ {2}queue "held": 3 messages/.test(line)));
  },
);

t.test(
  'a compacted segment is as good as what it came from, and as carefully checked',
  async (t) => {
    const directory = copyOf(t, small);
    const path = pathOf(directory, /^msgs/);
    const sink = new TextCollector();
    await dump(realFileSystem, [path], sink, { json: true, bodies: false });
    const offsets = sink
      .lines()
      .map((line) => JSON.parse(line) as { kind: string; offset: number })
      .filter(({ kind }) => kind === 'message')
      .map(({ offset }) => offset);
    await writeCompactedCopy(path, `${path}.new`, offsets);
    renameSync(`${path}.new`, path);
    t.match(await verified(directory), {
      count: 0,
      lines: [/"\/": 1 queues, 3 messages with 16 bytes/],
    });
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at++) {
      flip(path, at);
      if ((await verified(directory)).count === 0) t.fail(`byte ${at} is not found`);
      writeFileSync(path, bytes);
    }
    await writeCompactedCopy(pathOf(small, /^msgs/), `${path}.new`, offsets.slice(1));
    renameSync(`${path}.new`, path);
    t.match((await verified(directory)).findings, [/queue 'q': 1 messages cannot be read/]);
  },
);

t.test(
  'a file that takes the place of a segment from an offset on is read from there',
  async (t) => {
    const directory = copyOf(t, small);
    const path = pathOf(directory, /^msgs/);
    const bytes = readFileSync(path);
    const [, , from] = await batchOffsets(path);
    const second = `${path}.${String(from).padStart(10, '0')}`;
    const sparse = Buffer.from(bytes);
    sparse.fill(0, 40, from);
    writeFileSync(second, sparse);
    // What the first file has behind it counts no more.
    bytes.fill(0xee, from);
    writeFileSync(path, bytes);
    t.match(await verified(directory), { count: 0, lines: [/1 queues, 3 messages with 16 bytes/] });
    const dumped = await batchOffsets(second);
    t.equal(dumped[0], from);
    const body = readFileSync(second).indexOf('third');
    flip(second, body);
    const { findings } = await verified(directory);
    t.match(findings[0], new RegExp(`^${second}: at \\d+: bytes \\d+ to \\d+ are damaged$`));
    flip(second, body);
    flip(second, 17);
    t.match((await verified(directory)).findings[0], new RegExp(`^${second}: at 0: `));
  },
);

t.test('a large body is compared with its record', async (t) => {
  for (const [damage, reason] of [
    [(path: string) => flip(path, 3), /: not the file of a body$/],
    [(path: string) => flip(path, 500_000), /: the checksum of the body differs$/],
    [
      (path: string) => truncateSync(path, 1_000_000),
      /: the last 48603 bytes of the body are missing$/,
    ],
  ] as const) {
    const directory = copyOf(t, stopped);
    const path = join(folderIn(directory), 'large', '0000000000000001');
    damage(path);
    const { findings } = await verified(directory);
    t.match(findings, [reason]);
    t.ok(findings[0]?.startsWith(path));
  }
  const directory = copyOf(t, stopped);
  rmSync(join(folderIn(directory), 'large', '0000000000000001'));
  const { count, lines } = await verified(directory);
  t.equal(count, 1);
  t.ok(lines.some((line) => /queue "large": 1 messages with 20 bytes$/.test(line)));
});

t.test('documents that cannot be used are told, and folders that no vhost owns', async (t) => {
  const directory = copyOf(t, killed);
  writeFileSync(join(directory, 'users.json'), '[{}]');
  writeFileSync(join(directory, 'vhosts.json'), '[{"name": "/"}]');
  t.match((await verified(directory)).findings, [
    `${directory}/users.json: user number 1 has no name`,
    `${folderIn(directory, 'other')}: vhosts.json names no vhost for it`,
  ]);
  writeFileSync(join(directory, 'vhosts.json'), 'no JSON');
  t.match((await verified(directory)).findings, [
    /vhosts\.json: is not valid JSON/,
    /users\.json/,
    /names no vhost/,
  ]);
});

t.test('an empty directory is well, and gets nothing', async (t) => {
  const directory = temporaryDirectory(t);
  const { count, lines } = await verified(directory);
  t.equal(count, 0);
  t.match(lines, [/^note: .*no server has run here$/, /^vhost "\/": 0 queues/, 'all is well']);
  t.same(readdirSync(directory), []);
  mkdirSync(folderIn(directory));
  t.equal((await verified(directory)).count, 0);
});

t.test('what is no directory, or has a server on it, is a wrong use', async (t) => {
  await t.rejects(verified('/nowhere'), { code: 'USAGE', message: '/nowhere does not exist' });
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  await t.rejects(verified(file), { code: 'USAGE', message: `${file} is no directory` });
  const directory = copyOf(t, killed);
  const lock = await acquireDirectoryLock(directory);
  await t.rejects(verified(directory), { code: 'USAGE', message: /in use by another server/ });
  lock.release();
  t.equal((await verified(directory)).count, 0);
});

t.test('a later version ends the check by name, whichever file it is in', async (t) => {
  for (const pattern of [/^msgs/, /^checkpoint/, /^definitions/]) {
    const directory = copyOf(t, small);
    const path = pathOf(directory, pattern);
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(0x0002fffd, 8);
    writeFileSync(path, bytes);
    await t.rejects(verified(directory), {
      message: `${path} was written by a newer FirnMQ (format 2, this one reads 1)`,
    });
  }
});
