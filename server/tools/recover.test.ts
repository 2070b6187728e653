import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { declareQueue } from '../broker/queues.ts';
import { folderNameOf } from '../broker/vhost-document.ts';
import { realFileSystem } from '../storage/fs.ts';
import { contentOf } from '../testing/directory-content.ts';
import { openBroker, publishAll, testActor } from '../testing/open-broker.ts';
import { SAMPLE_CONTENT, sampleDirectory } from '../testing/sample-directory.ts';
import { SMALL_BODIES, SMALL_QUEUE, smallDirectory } from '../testing/small-directory.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { recoverMessages } from './recover.ts';

const stopped = await sampleDirectory(t, 'stopped');
const killed = await sampleDirectory(t, 'killed');
const small = await smallDirectory(t);

interface Line {
  readonly vhost: string;
  readonly queue: string;
  readonly exchange: string;
  readonly routing_key: string;
  readonly redelivered: boolean;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly payload: string;
  readonly payload_encoding: 'string' | 'base64';
}

async function recovered(directory: string) {
  const [messages, report] = [new TextCollector(), new TextCollector()];
  const damaged = await recoverMessages(realFileSystem, directory, { messages, report });
  const lines = messages.lines().map((line) => JSON.parse(line) as Line);
  return { damaged, lines, report: report.lines(), bodies: lines.map(({ payload }) => payload) };
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

t.test('every message of a good directory is exported, by vhost and queue, in order', async (t) => {
  for (const directory of [stopped, killed]) {
    const before = contentOf(directory);
    const { damaged, lines, report } = await recovered(directory);
    t.equal(damaged, 0);
    const expected = Object.entries(SAMPLE_CONTENT).flatMap(([vhost, queues]) =>
      Object.entries(queues)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([queue, messages]) =>
          messages.map(({ exchange, routingKey, body }) => ({
            vhost,
            queue,
            exchange,
            routing_key: routingKey,
            body: body.toString('hex'),
          })),
        ),
    );
    t.same(
      lines.map(({ vhost, queue, exchange, routing_key, payload, payload_encoding }) => ({
        vhost,
        queue,
        exchange,
        routing_key,
        body: Buffer.from(payload, payload_encoding === 'string' ? 'utf8' : 'base64').toString(
          'hex',
        ),
      })),
      expected,
    );
    t.match(report, /vhost "\/", queue "held": 3 messages exported/);
    t.same(contentOf(directory), before);
  }
});

t.test('a line has the keys of the HTTP API, properties and what was delivered', async (t) => {
  const { lines } = await recovered(stopped);
  const first = lines.find(({ queue }) => queue === 'tasks')!;
  t.match(first, {
    redelivered: false,
    payload: 'first task',
    payload_encoding: 'string',
    payload_bytes: 10,
    properties: { delivery_mode: 2, headers: { text: 'ünï', large: '1152921504606846976' } },
  });
  t.same(
    lines.filter(({ queue }) => queue === 'held').map(({ redelivered }) => redelivered),
    [true, true, false],
  );
});

t.test(
  'messages whose definition is gone are exported with the name a start gives them',
  async (t) => {
    const directory = copyOf(t, small);
    for (const name of readdirSync(folderIn(directory))) {
      const path = join(folderIn(directory), name);
      if (!name.startsWith('msgs')) writeFileSync(path, 'not any more');
      else {
        const bytes = readFileSync(path);
        // The batch of the declare, which comes first.
        bytes[100]! ^= 1;
        writeFileSync(path, bytes);
      }
    }
    const { lines, damaged } = await recovered(directory);
    t.ok(damaged > 0);
    t.same(
      lines.map(({ queue, payload }) => [queue, payload]),
      SMALL_BODIES.map((body) => ['firn.lost.1', body]),
    );
  },
);

/** A directory as a kill leaves it, whose last three batches were synced, which nothing in it tells. */
async function unknownSync(t: Teardown): Promise<string> {
  const { vhost, dataDir } = await openBroker(t);
  const declaration = { durable: true, exclusive: false, autoDelete: false, args: EMPTY_TABLE };
  declareQueue(vhost, testActor(), { ...declaration, name: SMALL_QUEUE });
  for (const body of SMALL_BODIES) {
    publishAll(vhost, SMALL_QUEUE, [body]);
    vhost.store.log.endTurn();
  }
  await vhost.store.log.syncAll();
  return copyOf(t, dataDir);
}

t.test('what follows a damaged batch is exported, though a start would cut it off', async (t) => {
  const directory = await unknownSync(t);
  t.same((await recovered(directory)).bodies, SMALL_BODIES);
  const path = pathOf(directory, /^msgs/);
  const bytes = readFileSync(path);
  bytes[bytes.indexOf('second')]! ^= 1;
  writeFileSync(path, bytes);
  const { bodies, damaged, report } = await recovered(directory);
  t.same(bodies, ['first', 'third']);
  t.equal(damaged, 1);
  t.match(report[0], /msgs\.0000000001: at \d+: bytes \d+ to \d+ are damaged$/);
});

t.test('a segment that goes on behind a missing one is exported', async (t) => {
  const dataDir = temporaryDirectory(t);
  for (const body of SMALL_BODIES) {
    // Each start that writes something begins a segment.
    const { vhost, close } = await openBroker(t, realFileSystem, dataDir);
    const declaration = { durable: true, exclusive: false, autoDelete: false, args: EMPTY_TABLE };
    declareQueue(vhost, testActor(), { ...declaration, name: SMALL_QUEUE });
    publishAll(vhost, SMALL_QUEUE, [body]);
    await vhost.store.log.syncAll();
    await close();
  }
  for (const name of readdirSync(folderIn(dataDir))) {
    if (/^checkpoint|0000000002$/.test(name)) rmSync(join(folderIn(dataDir), name));
  }
  const { bodies, damaged } = await recovered(dataDir);
  t.same(bodies, ['first', 'third']);
  t.ok(damaged > 0);
});

t.test('a large body that is not as it was costs its own message', async (t) => {
  const directory = copyOf(t, stopped);
  const path = join(folderIn(directory), 'large', '0000000000000001');
  const bytes = readFileSync(path);
  bytes[1_000_000]! ^= 1;
  writeFileSync(path, bytes);
  const { lines, damaged, report } = await recovered(directory);
  t.equal(damaged, 1);
  t.same(
    lines.filter(({ queue }) => queue === 'large').map(({ payload }) => payload),
    ['behind the large one'],
  );
  t.match(report, /queue "large": 1 messages exported, 1 cannot be read/);
});

t.test('vhosts that no document names are exported under the name of their folder', async (t) => {
  const directory = copyOf(t, killed);
  writeFileSync(join(directory, 'vhosts.json'), 'damaged');
  const { lines } = await recovered(directory);
  t.same([...new Set(lines.map(({ vhost }) => vhost))], ['/', folderNameOf('other')]);
});

t.test('of an empty directory nothing is exported, and it stays empty', async (t) => {
  const directory = temporaryDirectory(t);
  t.match(await recovered(directory), { damaged: 0, lines: [] });
  t.same(readdirSync(directory), []);
});

t.test('a directory of a later version is not exported', async (t) => {
  const directory = copyOf(t, small);
  const path = pathOf(directory, /^definitions/);
  const bytes = readFileSync(path);
  bytes.writeUInt32BE(0x0002fffd, 8);
  writeFileSync(path, bytes);
  await t.rejects(recovered(directory), {
    message: `${path} was written by a newer FirnMQ (format 2, this one reads 1)`,
  });
});
