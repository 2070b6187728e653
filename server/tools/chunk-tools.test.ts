/** What the tools make of the positions of long queues, of the reserve, and of what is wrong with either. */
import {
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { declareQueue } from '../broker/queues.ts';
import { folderNameOf } from '../broker/vhost-document.ts';
import {
  CHUNK_FOLDER,
  CHUNK_HEADER_SIZE,
  encodeChunkHeader,
} from '../storage/chunk-file-format.ts';
import { realFileSystem } from '../storage/fs.ts';
import { ROW_ENTRIES } from '../storage/index-row.ts';
import { contentOf } from '../testing/directory-content.ts';
import { openBroker, publishAll, testActor } from '../testing/open-broker.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { dump } from './dump.ts';
import { recoverMessages } from './recover.ts';
import { verify } from './verify.ts';

const COUNT = 20_000;
const SLOT_BYTES = 8 * ROW_ENTRIES;

/** The directory of a server that stopped in order with a long queue. */
async function longDirectory(t: Teardown): Promise<string> {
  const { vhost, dataDir, close } = await openBroker(t);
  const declaration = {
    name: 'q',
    durable: true,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  };
  declareQueue(vhost, testActor(), declaration);
  for (let i = 0; i < COUNT; i += 500) {
    publishAll(
      vhost,
      'q',
      Array.from({ length: 500 }, (_, n) => `m${i + n}`),
    );
    vhost.store.log.writeAll();
  }
  await close();
  return dataDir;
}

const long = await longDirectory(t);

function copyOf(t: Teardown): string {
  const copy = temporaryDirectory(t);
  cpSync(long, copy, { recursive: true });
  return copy;
}

function chunkPath(directory: string): string {
  const folder = join(directory, folderNameOf('/'), CHUNK_FOLDER);
  return join(folder, readdirSync(folder)[0]!);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0x10;
  writeFileSync(path, bytes);
}

type Line = Readonly<Record<string, unknown>>;

async function dumped(path: string) {
  const sink = new TextCollector();
  const problems = await dump(realFileSystem, [path], sink, { json: true, bodies: false });
  const lines = sink.lines().map((line) => JSON.parse(line) as Line);
  return { problems, ofKind: (kind: string) => lines.filter((line) => line['kind'] === kind) };
}

async function verified(directory: string) {
  const sink = new TextCollector();
  const count = await verify(realFileSystem, directory, sink);
  return { count, findings: sink.lines().filter((line) => line.startsWith(directory)) };
}

async function recovered(directory: string) {
  const messages = new TextCollector();
  const report = new TextCollector();
  const damaged = await recoverMessages(realFileSystem, directory, { messages, report });
  const bodies = messages.lines().map((line) => (JSON.parse(line) as { payload: string }).payload);
  return { damaged, bodies, report: report.lines() };
}

const ALL = Array.from({ length: COUNT }, (_, i) => `m${i}`);

t.test('a chunk file shows its queue, its slots with their rows, and every position', async (t) => {
  const { problems, ofKind } = await dumped(chunkPath(long));
  t.equal(problems, 0);
  t.match(ofKind('chunks'), [{ queue: 1, entries: ROW_ENTRIES }]);
  const rows = ofKind('slot').map((line) => [
    line['offset'],
    line['slot'],
    (line['rows'] as { first: number; count: number }[]).map(({ first, count }) => [first, count]),
  ]);
  t.same(
    rows.map(([offset]) => offset),
    [0, 1, 2].map((slot) => CHUNK_HEADER_SIZE + slot * SLOT_BYTES),
  );
  const named = rows.map((row) => String((row[2] as unknown[])[0])).sort();
  t.same(named, ['1,8192', '16385,3616', '8193,8192']);
  const positions = ofKind('positions').flatMap((line) => line['positions'] as number[]);
  t.equal(positions.filter((position) => position > 0).length, COUNT);
  const { ofKind: inSegment } = await dumped(join(long, folderNameOf('/'), 'msgs.0000000001'));
  const offsets = new Set(inSegment('message').map((line) => 2 ** 28 + Number(line['offset'])));
  t.ok(positions.every((position) => position === 0 || offsets.has(position)));
});

t.test('a checkpoint shows the rows of its queues', async (t) => {
  const folder = join(long, folderNameOf('/'));
  const name = readdirSync(folder)
    .filter((each) => each.startsWith('checkpoint.'))
    .at(-1)!;
  const { ofKind } = await dumped(join(folder, name));
  t.match(ofKind('row'), [
    { first: 1, count: 8192, messages: 8192, segments: [{ segment: 1, messages: 8192 }] },
    { first: 8193, count: 8192 },
    { first: 16_385, count: 3616 },
  ]);
  t.ok(ofKind('row').every((line) => Number(line['slot']) >= 0));
});

t.test(
  'damage anywhere in a chunk file is told by dump and verify, and costs nothing',
  async (t) => {
    const directory = copyOf(t);
    const path = chunkPath(directory);
    const bytes = readFileSync(path);
    t.equal((await verified(directory)).count, 0);
    const places = [
      0,
      9,
      11,
      13,
      20,
      33,
      5000,
      CHUNK_HEADER_SIZE + SLOT_BYTES + 3,
      bytes.length - 5,
    ];
    for (const at of places) {
      flip(path, at);
      t.ok((await dumped(path)).problems > 0, `byte ${at}`);
      const { findings } = await verified(directory);
      t.ok(findings.length > 0, `byte ${at}`);
      t.ok(
        findings.every((line) => line.startsWith(`${path}: `)),
        findings.join(),
      );
      writeFileSync(path, bytes);
    }
    const before = contentOf(directory);
    for (const size of [bytes.length - 8, bytes.length - 3, 70_000, 40, 20, 0]) {
      truncateSync(path, size);
      t.ok((await dumped(path)).problems > 0, `cut to ${size}`);
      t.ok((await verified(directory)).findings.every((line) => line.startsWith(`${path}: `)));
      const { bodies, damaged } = await recovered(directory);
      t.same(bodies, ALL, `cut to ${size}`);
      t.ok(damaged > 0);
      writeFileSync(path, bytes);
    }
    t.same(contentOf(directory), before, 'nothing else was touched');
    rmSync(path);
    t.match((await verified(directory)).findings, [`${path}: the file is missing`]);
    t.same((await recovered(directory)).bodies, ALL);
  },
);

t.test('recover tells of a damaged slot, once, and exports what the log has', async (t) => {
  const directory = copyOf(t);
  flip(chunkPath(directory), CHUNK_HEADER_SIZE + 100);
  flip(chunkPath(directory), CHUNK_HEADER_SIZE + SLOT_BYTES + 100);
  const { bodies, damaged, report } = await recovered(directory);
  t.same(bodies, ALL);
  t.equal(damaged, report.length - 1);
  t.ok(report.some((line) => /rows of positions were damaged: they were found again/.test(line)));
});

t.test('a chunk file of another queue, or of a later version, is refused by name', async (t) => {
  const directory = copyOf(t);
  const path = chunkPath(directory);
  const bytes = readFileSync(path);
  const foreign = Buffer.from(bytes);
  encodeChunkHeader({ queue: 7, entries: ROW_ENTRIES }).copy(foreign);
  writeFileSync(path, foreign);
  const reason = /: it is of the queue number 7$/;
  t.match((await verified(directory)).findings, [reason]);
  t.match((await dumped(path)).ofKind('damage'), [{ reason: /queue number 7/ }]);
  bytes.writeUInt32BE(0x0002fffd, 8);
  writeFileSync(path, bytes);
  const message = `${path} was written by a newer FirnMQ (format 2, this one reads 1)`;
  await t.rejects(dumped(path), { message });
  await t.rejects(verified(directory), { message });
  await t.rejects(recovered(directory), { message });
});

t.test(
  'a compacted segment, a second file and a body of a later version are refused',
  async (t) => {
    const directory = copyOf(t);
    const folder = join(directory, folderNameOf('/'));
    const head = (magic: string) => {
      const bytes = Buffer.alloc(100);
      bytes.write(magic, 'latin1');
      bytes.writeUInt32BE(0x0003fffc, 8);
      return bytes;
    };
    for (const [name, magic] of [
      ['msgs.0000000009', 'FIRNCOMP'],
      ['msgs.0000000001.0000065576', 'FIRNSEGM'],
      ['large/0000000000000001', 'FIRNBODY'],
    ] as const) {
      const path = join(folder, name);
      realFileSystem.makeDirectory(join(folder, 'large'));
      writeFileSync(path, head(magic));
      const message = new RegExp(`^${path} was written by a newer FirnMQ \\(format 3,`);
      await t.rejects(dumped(path), { message });
      await t.rejects(verified(directory), { message });
      await t.rejects(recovered(directory), { message });
      rmSync(path);
    }
    t.equal((await verified(directory)).count, 0);
  },
);

t.test('the reserve is known by its name, and what is in it means nothing', async (t) => {
  const path = join(temporaryDirectory(t), 'reserve');
  writeFileSync(path, Buffer.alloc(5000, 0xa7));
  const { problems, ofKind } = await dumped(path);
  t.equal(problems, 0);
  t.match(ofKind('reserve'), [{ bytes: 5000 }]);
  writeFileSync(path, '');
  t.match((await dumped(path)).ofKind('damage'), [{ reason: /no space is held back/ }]);
  writeFileSync(`${path}.given`, '');
  truncateSync(`${path}.given`, 7000);
  const given = await dumped(`${path}.given`);
  t.equal(given.problems, 0);
  t.match(given.ofKind('reserve given up'), [{ bytes: 7000 }]);
});

t.test(
  'what lies among the chunk files and is none is noted, and a copy elsewhere is printed',
  async (t) => {
    const directory = copyOf(t);
    const path = chunkPath(directory);
    writeFileSync(join(path, '..', 'notes.txt'), 'a line that somebody wrote');
    const sink = new TextCollector();
    t.equal(await verify(realFileSystem, directory, sink), 0);
    t.match(sink.text, /^note: .*notes\.txt: a file that is no chunk file/m);
    const moved = join(temporaryDirectory(t), basename(path));
    renameSync(path, moved);
    const { problems, ofKind } = await dumped(moved);
    t.equal(problems, 0, 'without its checkpoints');
    t.equal(ofKind('slot').length, 3);
  },
);
