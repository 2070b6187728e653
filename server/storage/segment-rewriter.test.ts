/**
 * Goal: what is left of a segment is found where it always was, in any number of rewrites. Method: a real log writes
 * the segment; each message's body says which one it is.
 */
import t from 'tap';
import { newByteArea } from '../base/byte-area.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { testMessageIdAt } from '../testing/test-message.ts';
import { decodeSegmentHeader } from './batch-format.ts';
import { decodeCompactedHeader } from './compacted-format.ts';
import { CompactedReader, TableCache } from './compacted-reader.ts';
import type { OpenFile } from './fs.ts';
import { LiveOffsets } from './live-offsets.ts';
import { offsetOf } from './position.ts';
import { type RewrittenSegment, rewriteSegment } from './segment-rewriter.ts';
import { scanSegment } from './segment-scan.ts';

const ORIGINAL = `${STORE_DIRECTORY}/msgs.0000000001`;
const COMPACTED = '/data/compacted';
const GOING_ON = () => false;
const MORE_COMPACTED = '/data/compacted again';

function readerOf(file: OpenFile): (buf: Buffer, n: number, at: number) => Promise<number> {
  return (buf, length, offset) => file.readAt(buf, 0, length, offset);
}

function plainSegment(fs: SimulatedFs): RewrittenSegment {
  const file = fs.openForReading(ORIGINAL);
  const head = Buffer.alloc(40);
  file.readNow(head, 0, 40, 0);
  const header = decodeSegmentHeader(head);
  if (typeof header === 'string') throw new Error(header);
  const size = file.size();
  return {
    ...header,
    path: ORIGINAL,
    isCompacted: false,
    scanStart: 40,
    scanEnd: size,
    size,
    readFile: readerOf(file),
  };
}

function compactedSegment(fs: SimulatedFs, path: string): RewrittenSegment {
  const file = fs.openForReading(path);
  const head = Buffer.alloc(56);
  file.readNow(head, 0, 56, 0);
  const header = decodeCompactedHeader(head);
  if (typeof header === 'string') throw new Error(header);
  return {
    ...header,
    path,
    isCompacted: true,
    scanStart: 56,
    scanEnd: header.tableAt,
    size: header.endOffset,
    readFile: readerOf(file),
  };
}

function compactedReader(fs: SimulatedFs, path: string, tables: TableCache): CompactedReader {
  const file = fs.openForReading(path);
  const head = Buffer.alloc(56);
  file.readNow(head, 0, 56, 0);
  const header = decodeCompactedHeader(head);
  if (typeof header === 'string') throw new Error(header);
  return new CompactedReader(path, header, readerOf(file), tables);
}

interface Written {
  readonly fs: SimulatedFs;
  /** Offset of message `id` at index `id`. */
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
}

/** A segment of 3,000 messages to one or both of two queues, some of them large, with acks in between. */
async function writeSegment(t: Teardown): Promise<Written> {
  const fs = new SimulatedFs();
  const harness = StorageHarness.open(t, fs);
  const [a, b] = [harness.queue(7), harness.queue(8)];
  const offsets: number[] = [];
  const sizes: number[] = [];
  for (let id = 0; id < 3000; id++) {
    const size = id % 500 === 3 ? 1_300_000 : 8 + (id % 90);
    sizes.push(size);
    offsets.push(offsetOf(harness.publish(id, id % 3 === 0 ? [a, b] : [a], size)));
    if (id % 7 === 0) harness.consume(a, 1, size);
    if (id % 11 === 0) harness.store.log.endTurn();
  }
  await harness.store.log.syncAll();
  return { fs, offsets, sizes };
}

t.test('every record of a segment is shown with its queues and numbers', async (t) => {
  const { fs, offsets } = await writeSegment(t);
  const seen: { id: number; original: number; placements: readonly number[] }[] = [];
  await scanSegment(plainSegment(fs), (original, placements, area, at) => {
    seen.push({ id: testMessageIdAt(area, at), original, placements: [...placements] });
  });
  t.equal(seen.length, 3000);
  let inB = 1;
  seen.forEach(({ id, original, placements }, i) => {
    t.equal(id, i);
    t.equal(original, offsets[i]);
    t.same(placements, i % 3 === 0 ? [7, i + 1, 8, inB++] : [7, i + 1]);
  });
});

t.test(
  'live records are found at their original offsets, also after a second rewrite',
  async (t) => {
    const { fs, offsets, sizes } = await writeSegment(t);
    const isLive = (id: number) => id % 10 === 3;
    const live = new LiveOffsets();
    for (let id = 0; id < 3000; id++) if (isLive(id)) live.mark(offsets[id]!);
    const rewritten = await rewriteSegment(
      plainSegment(fs),
      live,
      fs.openForWriting(COMPACTED),
      Number.POSITIVE_INFINITY,
      GOING_ON,
    );
    t.equal(rewritten?.header.messageCount, 300);
    t.equal(rewritten?.fileSize, fs.readFile(COMPACTED)?.length);
    const tables = new TableCache();
    const reader = compactedReader(fs, COMPACTED, tables);
    for (let id = 0; id < 3000; id++) {
      if (!isLive(id)) continue;
      const area = newByteArea(sizes[id]! + 100);
      await reader.read(area.buf, area.buf.length, offsets[id]!);
      t.equal(testMessageIdAt(area, 0), id, `message ${id}`);
    }

    const fewer = new LiveOffsets();
    const stillLive = (id: number) => id % 20 === 3;
    for (let id = 0; id < 3000; id++) if (stillLive(id)) fewer.mark(offsets[id]!);
    const out = fs.openForWriting(MORE_COMPACTED);
    await rewriteSegment(
      compactedSegment(fs, COMPACTED),
      fewer,
      out,
      Number.POSITIVE_INFINITY,
      GOING_ON,
    );
    const placements: (readonly number[])[] = [];
    await scanSegment(compactedSegment(fs, MORE_COMPACTED), (original, placed, area, at) => {
      const id = testMessageIdAt(area, at);
      t.ok(stillLive(id));
      t.equal(original, offsets[id]);
      placements.push([...placed]);
    });
    t.equal(placements.length, 150);
    t.same(placements[0], [7, 4, 8, 2], 'message 3 went to both');
  },
);

t.test(
  'a stretch of a compacted segment is laid out as it was, cut where it is asked',
  async (t) => {
    const { fs, offsets } = await writeSegment(t);
    const live = new LiveOffsets();
    for (const id of [100, 101, 250]) live.mark(offsets[id]!);
    await rewriteSegment(plainSegment(fs), live, fs.openForWriting(COMPACTED), 1e9, GOING_ON);
    const reader = compactedReader(fs, COMPACTED, new TableCache());
    const from = offsets[90]!;
    const length = offsets[250]! + 10 - from;
    const area = newByteArea(length + 50);
    area.buf.fill(0xdb);
    t.equal(await reader.read(area.buf, length, from), length);
    t.equal(testMessageIdAt(area, offsets[100]! - from), 100);
    t.equal(testMessageIdAt(area, offsets[101]! - from), 101);
    t.equal(area.buf[offsets[250]! - from], 1, 'the record that is cut begins');
    t.ok(area.buf.subarray(0, offsets[100]! - from).every((byte) => byte === 0));
    t.ok(
      area.buf.subarray(length).every((byte) => byte === 0xdb),
      'nothing is written beyond',
    );
  },
);

t.test('a rewrite that would not be worth it is given up', async (t) => {
  const { fs, offsets } = await writeSegment(t);
  const live = new LiveOffsets();
  for (const offset of offsets) live.mark(offset);
  t.equal(
    await rewriteSegment(plainSegment(fs), live, fs.openForWriting(COMPACTED), 50_000, GOING_ON),
    null,
  );
});

t.test('a segment with a damaged batch is not rewritten', async (t) => {
  const { fs, offsets } = await writeSegment(t);
  const file = fs.openForWriting(ORIGINAL);
  file.writeAt(Buffer.from([0xff]), 0, 1, offsets[1500]! + 3);
  const live = new LiveOffsets();
  const out = fs.openForWriting(COMPACTED);
  await t.rejects(rewriteSegment(plainSegment(fs), live, out, 1e9, GOING_ON), /no valid batch/);
});

t.test('tables beyond the bound leave memory and come back', async (t) => {
  const { fs, offsets } = await writeSegment(t);
  const live = new LiveOffsets();
  live.mark(offsets[5]!);
  await rewriteSegment(plainSegment(fs), live, fs.openForWriting(COMPACTED), 1e9, GOING_ON);
  const tables = new TableCache();
  const readers = [1, 2].map(() => compactedReader(fs, COMPACTED, tables));
  const area = newByteArea(200);
  for (const reader of readers) {
    await reader.read(area.buf, 200, offsets[5]!);
    t.equal(testMessageIdAt(area, 0), 5);
    t.ok(tables.find(reader));
    reader.close();
    t.equal(tables.find(reader), null);
    await reader.read(area.buf, 200, offsets[5]!);
    t.equal(testMessageIdAt(area, 0), 5);
  }
});
