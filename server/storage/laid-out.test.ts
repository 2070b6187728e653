/** The zeros that small syncs have laid out behind them: where they come, go, and mean nothing. */
import { join } from 'node:path';
import t from 'tap';
import { ByteArea } from '../base/byte-area.ts';
import { isZero } from '../base/is-zero.ts';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import {
  decodeSegmentHeader,
  readBatch,
  SEGMENT_HEADER_SIZE,
  type SegmentHeader,
} from './batch-format.ts';
import { positionAt } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import { segmentFileName } from './segment.ts';
import { scanSegment } from './segment-scan.ts';

const FIRST_SEGMENT = join(STORE_DIRECTORY, segmentFileName(1));
const LAID_OUT = 4096;
const OPTIONS = { limits: { layOutBytes: LAID_OUT, smallSyncBytes: 2000, segmentBytes: 40_000 } };

/** Publishes as somebody does who waits until the message is stable, and lets it become so. */
async function confirmed(
  h: StorageHarness,
  id: number,
  queue: QueueIndex,
  size?: number,
): Promise<void> {
  h.publish(id, [queue], size);
  await synced(h);
}

async function synced(h: StorageHarness): Promise<void> {
  h.store.log.waitForAll({ durableAdvanced: () => true });
  h.store.log.endTurn();
  await h.store.log.syncAll();
}

/** Length of a segment's file, and of what was written to it: where its batches end, which may be in zeros. */
function lengthsOf(h: StorageHarness, number: number = 1): { file: number; written: number } {
  const bytes = h.fs.readFile(join(STORE_DIRECTORY, segmentFileName(number)))!;
  const { salt } = decodeSegmentHeader(bytes) as SegmentHeader;
  const area = new ByteArea(bytes);
  let written = SEGMENT_HEADER_SIZE;
  for (;;) {
    const batch = readBatch(area, written, bytes.length, positionAt(number, written), salt);
    if (batch === null) break;
    written += batch.length;
  }
  t.ok(isZero(bytes, written, bytes.length));
  return { file: bytes.length, written };
}

t.test('a file does not grow with each small sync that somebody waits for', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs(), OPTIONS);
  const queue = h.queue(1);
  const sizes = new Set<number>();
  for (let id = 1; id <= 20; id++) {
    await confirmed(h, id, queue);
    sizes.add(lengthsOf(h).file);
  }
  t.equal(sizes.size, 1);
  const { file, written } = lengthsOf(h);
  t.ok(file > written && file <= written + LAID_OUT);

  await confirmed(h, 21, queue, 3000);
  await confirmed(h, 22, queue, 3000);
  t.equal(lengthsOf(h).file, lengthsOf(h).written, 'nothing is laid out behind a large one');
});

t.test('nothing is laid out where nobody waits', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs(), OPTIONS);
  h.publish(1, [h.queue(1)]);
  await h.store.log.syncAll();
  t.equal(lengthsOf(h).file, lengthsOf(h).written);
});

t.test('a complete segment, and a closed log, have none', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs(), OPTIONS);
  const queue = h.queue(1);
  for (let id = 1; h.fs.readFile(join(STORE_DIRECTORY, segmentFileName(2))) === null; id++) {
    await confirmed(h, id, queue, 1000);
    t.ok(lengthsOf(h).file <= OPTIONS.limits.segmentBytes);
  }
  t.equal(lengthsOf(h).file, lengthsOf(h).written);
  t.ok(lengthsOf(h, 2).file > lengthsOf(h, 2).written);
  h.store.close();
  t.equal(lengthsOf(h, 2).file, lengthsOf(h, 2).written);
});

for (const kind of ['kill', 'power'] as const) {
  t.test(`after a ${kind} they are the end of the log, and cut off`, async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, OPTIONS);
    const queue = h.queue(1);
    for (let id = 1; id <= 3; id++) await confirmed(h, id, queue);
    for (let seed = 1; seed <= 10; seed++) {
      const again = StorageHarness.open(t, fs.crash(kind, new Random(seed)), OPTIONS);
      t.same(again.recovered.damage, []);
      t.same(again.idsOf(1), [1, 2, 3]);
      t.equal(lengthsOf(again).file, lengthsOf(again).written);
      t.same(again.fs.list(join(STORE_DIRECTORY, 'aside')), []);
    }
  });
}

t.test('behind a checkpoint they are no lost log', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, OPTIONS);
  const queue = h.queue(1);
  await confirmed(h, 1, queue);
  // Nothing of this is written; the checkpoint lies behind it, and before the zeros' end.
  h.publish(2, [queue], 1000);
  h.consume(queue, 2, 1000);
  for (let i = 0; i < 2; i++) await h.checkpoint([queue]);
  const again = StorageHarness.open(t, fs.crash('kill', new Random(1)), OPTIONS);
  t.same(again.recovered.damage, []);
  t.equal(again.queue(1).readyCount, 0);
});

t.test('zeros in place of what was synced are damage', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, OPTIONS);
  const queue = h.queue(1);
  await confirmed(h, 1, queue);
  const from = lengthsOf(h).written;
  await confirmed(h, 2, queue);
  await h.checkpoint([queue]);
  await confirmed(h, 3, queue);
  const disk = fs.crash('power', new Random(1));
  const file = disk.openForWriting(FIRST_SEGMENT);
  const size = file.size() - from;
  file.writeAt(Buffer.alloc(size), 0, size, from);
  file.datasyncNow();
  const again = StorageHarness.open(t, disk, OPTIONS);
  t.not(again.recovered.damage.length, 0);
});

t.test('a file that has them again after a crash is walked up to them', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, OPTIONS);
  const queue = h.queue(1);
  for (let id = 1; id <= 3; id++) await confirmed(h, id, queue);
  const bytes = fs.readFile(FIRST_SEGMENT)!;
  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string') throw new Error(header);
  const segment = {
    number: 1,
    salt: header.salt,
    path: FIRST_SEGMENT,
    isCompacted: false,
    scanStart: SEGMENT_HEADER_SIZE,
    scanEnd: bytes.length,
    readFile: async (buf: Buffer, length: number, offset: number) =>
      bytes.copy(buf, 0, offset, offset + length),
  };
  t.ok(isZero(bytes, bytes.length - 100, bytes.length));
  let count = 0;
  await scanSegment(segment, () => count++);
  t.equal(count, 3);

  bytes[bytes.length - 1] = 1;
  await t.rejects(
    scanSegment(segment, () => {}),
    /no valid batch/,
  );
});

t.test('where the disk refuses them the log goes on without', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, OPTIONS);
  const queue = h.queue(1);
  h.publish(1, [queue]);
  h.store.log.writeAll();
  fs.failNext('write', 'EIO');
  await synced(h);
  t.equal(lengthsOf(h).file, lengthsOf(h).written);
  t.same(h.states, []);
  await confirmed(h, 2, queue);
  t.equal(lengthsOf(h).file, lengthsOf(h).written, 'this segment is not tried again');
  t.same(StorageHarness.open(t, fs.crash('power', new Random(1)), OPTIONS).idsOf(1), [1, 2]);
});
