import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { folderNameOf } from '../broker/vhost-document.ts';
import { decodeSegmentHeader, encodeGap } from '../storage/batch-format.ts';
import { realFileSystem } from '../storage/fs.ts';
import { encodeLargeHeader, largeFileName } from '../storage/large-file-format.ts';
import { readSegment } from '../storage/log-reader.ts';
import { positionAt } from '../storage/position.ts';
import { writeCompactedCopy } from '../testing/compacted-copy.ts';
import { contentOf, filesIn } from '../testing/directory-content.ts';
import { SAMPLE_LARGE_BODY, sampleDirectory } from '../testing/sample-directory.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { TextCollector } from '../testing/text-collector.ts';
import { dump } from './dump.ts';

// One server for each ending serves all tests: nothing here writes to what it left.
const stopped = await sampleDirectory(t, 'stopped');
const killed = await sampleDirectory(t, 'killed');

type Line = Readonly<Record<string, unknown>>;

async function dumpJson(...paths: readonly string[]) {
  const sink = new TextCollector();
  const problems = await dump(realFileSystem, paths, sink, { json: true, bodies: true });
  return { problems, lines: sink.lines().map((line) => JSON.parse(line) as Line) };
}

async function dumpText(path: string) {
  const sink = new TextCollector();
  const problems = await dump(realFileSystem, [path], sink, { json: false, bodies: false });
  return { problems, text: sink.text };
}

/** Writes `bytes` under the name that a file of this kind has. */
function fileOf(t: Teardown, name: string, bytes: Buffer): string {
  const path = join(temporaryDirectory(t), name);
  writeFileSync(path, bytes);
  return path;
}

const ofKind = (lines: readonly Line[], kind: string) =>
  lines.filter((line) => line['kind'] === kind);

/** The vhost `/` in a sample directory. */
const folderIn = (directory: string) => join(directory, folderNameOf('/'));

function pathOf(directory: string, pattern: RegExp): string {
  const folder = folderIn(directory);
  return join(folder, readdirSync(folder).find((name) => pattern.test(name))!);
}

t.test(
  'every file of a good directory is printed without a problem, and none is touched',
  async (t) => {
    for (const directory of [stopped, killed]) {
      const before = contentOf(directory);
      for (const name of filesIn(directory)) {
        const { problems, lines } = await dumpJson(join(directory, name));
        t.equal(problems, 0, name);
        t.ok(lines.length > 1, name);
      }
      t.same(contentOf(directory), before);
    }
  },
);

t.test(
  'a segment shows each record with its queues, numbers, names, properties and body',
  async (t) => {
    const { lines } = await dumpJson(pathOf(killed, /^msgs\./));
    t.match(ofKind(lines, 'segment'), [{ offset: 0, segment: 1, previous_end: 0 }]);
    t.match(ofKind(lines, 'message')[0], {
      to: [
        { queue: 1, sequence: 1 },
        { queue: 2, sequence: 1 },
      ],
      time: /^20\d\d-.*Z$/,
      exchange: 'logs',
      routing_key: 'task.1',
      payload_bytes: 10,
      payload: 'first task',
      payload_encoding: 'string',
    });
    t.same(ofKind(lines, 'message')[0]?.['properties'], {
      content_type: 'text/plain',
      content_encoding: 'utf-8',
      headers: {
        text: 'ünï',
        number: 42,
        large: '1152921504606846976',
        half: 0.5,
        yes: true,
        nothing: null,
        bytes: 'AP8=',
        when: 1_700_000_000,
        list: ['a', { deep: 1 }],
      },
      delivery_mode: 2,
      priority: 3,
      correlation_id: 'correlation',
      reply_to: 'reply',
      expiration: '86400000',
      message_id: 'id-1',
      timestamp: 1_700_000_000,
      type: 'sample',
      user_id: 'guest',
      app_id: 'test',
    });
    t.match(ofKind(lines, 'message')[1], {
      to: [
        { queue: 1, sequence: 2 },
        { queue: 2, sequence: 2 },
      ],
      payload: '/wCACg==',
      payload_encoding: 'base64',
    });
    t.match(ofKind(lines, 'requeue'), [{ messages: [{ delivery_count: 1 }] }]);
    t.match(ofKind(lines, 'settle'), [{ reason: 'acked', sequences: [[1, 1]] }]);
    t.match(ofKind(lines, 'purge'), [{ up_to: 3, kept: [[1, 1]], kept_bytes: 15 }]);
    t.ok(ofKind(lines, 'deliverable').length > 0);
    t.match(
      ofKind(lines, 'definition').find((line) => line['action'] !== undefined),
      { action: 'deleteQueue', method: 'queue.delete', queue: 'deleted' },
    );
  },
);

t.test('definitions are shown as methods', async (t) => {
  const { lines } = await dumpJson(join(folderIn(stopped), 'definitions.amqp'));
  t.match(ofKind(lines, 'definitions'), [{ next_queue_number: 8 }]);
  const definitions = ofKind(lines, 'definition');
  t.match(definitions[0], {
    method: 'exchange.declare',
    exchange: 'logs',
    type: 'topic',
    durable: true,
  });
  t.ok(definitions.find((line) => line['method'] === 'queue.declare' && line['number'] === 1));
  t.match(
    definitions.find((line) => line['exchange'] === 'by-header' && 'routing_key' in line),
    { method: 'queue.bind', queue: 'tasks', arguments: { colour: 'red' } },
  );
  t.notOk(definitions.some((line) => line['exchange'] === 'gone' || line['queue'] === 'deleted'));
});

t.test('a checkpoint shows its queues, users their tags and not their hashes', async (t) => {
  const directory = stopped;
  const checkpoint = await dumpJson(pathOf(directory, /^checkpoint\.0000000001$/));
  t.match(ofKind(checkpoint.lines, 'checkpoint'), [{ clean: true }]);
  t.match(
    ofKind(checkpoint.lines, 'queue').find((line) => line['number'] === 2),
    { messages: 5, next_sequence: 6 },
  );
  const users = await dumpJson(join(directory, 'users.json'));
  t.match(users.lines.slice(1), [
    { kind: 'user', name: 'guest', has_password: true, tags: ['administrator'] },
    { kind: 'user', name: 'nobody', has_password: false },
  ]);
  t.notMatch(JSON.stringify(users.lines), /password_hash|[0-9A-Za-z+/]{48}/);
  const vhosts = await dumpJson(join(directory, 'vhosts.json'));
  t.match(vhosts.lines[2], { kind: 'vhost', name: 'other', folder: folderNameOf('other') });
});

t.test('text says the same on lines that begin with the offset, with bodies cut', async (t) => {
  const { text } = await dumpText(pathOf(killed, /^msgs\./));
  t.match(text, /^ {9}0 {2}segment segment=1 salt=0x[0-9a-f]{8} created=20\S+Z previous_end=0:0$/m);
  t.match(text, /^ +\d+ {4}message to=\[\{queue: 1, sequence: 1\}, \{queue: 2, sequence: 1\}\] /m);
  t.match(text, /payload="first task" payload_encoding=string$/m);
  t.match(text, /payload_bytes=300 payload="(long ){12}long" .*payload_cut=true$/m);
});

t.test('text cannot steer a terminal', async (t) => {
  const document = JSON.stringify([{ name: 'a\u009b2J\u001b[2J\u202e' }]);
  const { text } = await dumpText(fileOf(t, 'vhosts.json', Buffer.from(document)));
  t.match(text, 'name="a\\u009b2J\\u001b[2J\\u202e"');
});

t.test('a gap is one line', async (t) => {
  const bytes = readFileSync(pathOf(killed, /^msgs\./));
  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string') throw new Error(header);
  const { length } = readSegment(bytes, header);
  t.ok(length < bytes.length, 'zeros are laid out behind it');
  const gap = encodeGap(positionAt(1, length), 5000, 0, 0, header.salt);
  const { problems, lines } = await dumpJson(
    fileOf(t, 'msgs.0000000001', Buffer.concat([bytes.subarray(0, length), gap])),
  );
  t.equal(problems, 0);
  t.match(ofKind(lines, 'gap'), [{ offset: length, length: 5000, time: /^1970/ }]);
});

t.test('a compacted segment shows what is left, under its old offsets', async (t) => {
  const original = pathOf(killed, /^msgs\./);
  const messages = ofKind((await dumpJson(original)).lines, 'message');
  const kept = [messages[1]!, messages[4]!];
  const path = join(temporaryDirectory(t), 'msgs.0000000001');
  const offsets = kept.map(({ offset }) => Number(offset));
  await writeCompactedCopy(original, path, offsets);
  const { problems, lines } = await dumpJson(path);
  t.equal(problems, 0);
  t.match(ofKind(lines, 'compacted'), [{ segment: 1, messages: 2 }]);
  t.same(
    ofKind(lines, 'entry').map((line) => line['original_offset']),
    offsets,
  );
  t.match(
    ofKind(lines, 'message'),
    kept.map(({ to, payload, time }) => ({ to, payload, time })),
  );
  t.match(ofKind(lines, 'table'), [{ rows: 2 }]);
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at]! ^= 0x20;
    writeFileSync(path, bytes);
    bytes[at]! ^= 0x20;
    if ((await countLines(path)).damaged === 0) t.fail(`byte ${at}`);
  }
  for (let size = bytes.length - 1; size >= 0; size--) {
    truncateSync(path, size);
    if ((await countLines(path)).damaged === 0) t.fail(`cut to ${size}`);
  }
});

t.test('a large message names its file, which shows the beginning of the body', async (t) => {
  const { lines } = await dumpJson(pathOf(killed, /^msgs\./));
  const [message] = ofKind(lines, 'large message');
  t.match(message, { routing_key: 'large', payload_bytes: SAMPLE_LARGE_BODY.length });
  const path = join(folderIn(killed), String(message?.['file']));
  const { text, problems } = await dumpText(path);
  t.equal(problems, 0);
  t.match(
    text,
    /body file=1 payload_bytes=1048579 payload_crc32=\d+ payload="large body .*payload_cut=true/,
  );
  t.match(text, `crc32=${String(message?.['crc32'])}`);
  const damaged = join(temporaryDirectory(t), '0000000000000001');
  copyFileSync(path, damaged);
  truncateSync(damaged, 23);
  t.match(await countLines(damaged), { valid: 1, damaged: 1 });
});

/** Lines about what is valid, and about what is not. */
async function countLines(path: string) {
  const sink = new TextCollector();
  await dump(realFileSystem, [path], sink, { json: true, bodies: true });
  const damaged = sink.lines().filter((line) => line.startsWith('{"kind":"damage"')).length;
  return { valid: sink.lines().length - damaged, damaged };
}

t.test('a file cut anywhere is printed as far as it goes, with what is missing', async (t) => {
  for (const name of readdirSync(folderIn(killed)).filter((found) => found !== 'large')) {
    const path = join(temporaryDirectory(t), name);
    copyFileSync(join(folderIn(killed), name), path);
    let longer = (await countLines(path)).valid;
    const whole = longer;
    for (let size = readFileSync(path).length - 1; size >= 0; size--) {
      truncateSync(path, size);
      const { valid } = await countLines(path);
      if (valid > longer) t.fail(`${name} cut to ${size} shows more than one that is longer`);
      // A checkpoint has one checksum over all; a cut tears one batch or entry.
      if (valid < longer - 8 && !name.startsWith('checkpoint')) t.fail(`${name} cut to ${size}`);
      longer = valid;
    }
    t.equal(longer, 1, `${name}: of nothing only the file's own line is left`);
    t.ok(whole > 5);
  }
});

t.test(
  'any byte damaged in a segment or in definitions is told, and hides its batch alone',
  async (t) => {
    for (const pattern of [/^msgs\./, /^definitions/]) {
      const path = join(
        temporaryDirectory(t),
        pattern.test('msgs.1') ? 'msgs.0000000001' : 'definitions.amqp',
      );
      copyFileSync(pathOf(killed, pattern), path);
      const bytes = readFileSync(path);
      const whole = (await countLines(path)).valid;
      const file = openSync(path, 'r+');
      for (let at = 0; at < bytes.length; at++) {
        writeSync(file, Buffer.from([bytes[at]! ^ (1 << (at & 7))]), 0, 1, at);
        const { valid, damaged } = await countLines(path);
        writeSync(file, bytes, at, 1, at);
        if (damaged === 0) t.fail(`byte ${at} of ${path}`);
        // The salt of a segment and the header of definitions are needed to read the rest.
        if (at >= 40 && valid < whole - 8) t.fail(`byte ${at} of ${path} hides the rest`);
      }
      closeSync(file);
      t.ok(whole > 8);
    }
  },
);

t.test('a file of a later version is refused by name', async (t) => {
  const bytes = readFileSync(pathOf(killed, /^msgs\./));
  bytes.writeUInt32BE(0x0002fffd, 8);
  const path = fileOf(t, 'msgs.0000000001', bytes);
  await t.rejects(dumpJson(path), {
    message: `${path} was written by a newer FirnMQ (format 2, this one reads 1)`,
  });
});

t.test('what is no data file is told, and a missing one is a wrong use', async (t) => {
  t.match(await dumpJson(fileOf(t, 'notes', Buffer.from('something else'))), {
    problems: 1,
    lines: [{}, { kind: 'damage', reason: /no data file/ }],
  });
  t.match(await dumpJson(fileOf(t, 'msgs.0000000001', Buffer.alloc(0))), { problems: 1 });
  await t.rejects(dumpJson('/nowhere/file'), { code: 'USAGE', message: /does not exist/ });
});

t.test('a large body shows its number, size, checksum and beginning', async (t) => {
  const body = Buffer.alloc(3_000_000, 'large ');
  const path = fileOf(t, largeFileName(12), Buffer.concat([encodeLargeHeader(12), body]));
  const { problems, text } = await dumpText(path);
  t.equal(problems, 0);
  t.match(text, /3000000/);
  t.match(text, /large large/);
  const { lines } = await dumpJson(path);
  t.match(ofKind(lines, 'body'), [
    { file: 12, payload_bytes: body.length, payload_crc32: crc32(body), payload: String(body) },
  ]);
  const damaged = fileOf(t, largeFileName(12), encodeLargeHeader(12).subarray(0, 20));
  t.equal((await dumpJson(damaged)).problems, 1);
});
