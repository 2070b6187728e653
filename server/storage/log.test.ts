import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import { testMessageIdAt } from '../testing/test-message.ts';
import type { SegmentHeader } from './batch-format.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import type { SegmentContent } from './log-reader.ts';
import { readSegment } from './log-reader.ts';
import { BLOCK_SIZE } from './memory-block.ts';
import { positionAt, segmentOf } from './position.ts';
import { QueueIndex } from './queue-index.ts';
import { segmentFileName } from './segment.ts';

function segmentOnDisk(
  fs: SimulatedFs,
  number: number,
): { header: SegmentHeader; content: SegmentContent } | null {
  const bytes = fs.readFile(`${STORE_DIRECTORY}/${segmentFileName(number)}`);
  if (bytes === null) return null;
  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string') throw new Error(header);
  return { header, content: readSegment(bytes, header) };
}

/** Lets syncs and reads under way end, and those that follow from them. */
async function settleDisk(fs: SimulatedFs): Promise<void> {
  do {
    fs.complete();
    await new Promise((resolve) => setImmediate(resolve));
  } while (fs.waitingCount > 0);
}

t.test('a turn’s records make one batch, cut at 64 KiB', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queue = h.queue(1);
  for (let id = 1; id <= 1000; id++) h.publish(id, [queue], 500);
  h.store.log.writeAll();
  const { batches, invalid } = segmentOnDisk(h.fs, 1)!.content;
  t.same(invalid, []);
  t.equal(batches.length, Math.ceil((1000 * (16 + 6 + 2 + 500)) / 65536));
  for (const { length } of batches) t.ok(length < 65536 + 1000);
});

t.test('a large message gets a block of its own, and is found there and on the disk', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queue = h.queue(1);
  const before = h.publish(1, [queue]);
  const large = h.publish(2, [queue], 5_000_000);
  const after = h.publish(3, [queue]);
  const idOf = (position: number): number => {
    const block = h.store.locate(position)!;
    return testMessageIdAt(block.area, position - block.start);
  };
  t.same([before, large, after].map(idOf), [1, 2, 3]);
  await h.store.log.syncAll();
  const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
  t.same(again.idsOf(1), [1, 2, 3]);
});

t.test('a full segment is followed by another that says where the log left it', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queue = h.queue(1);
  let position = 0;
  for (let id = 1; segmentOf(position) < 2; id++) position = h.publish(id, [queue], 3_000_000);
  await h.store.log.syncAll();
  const first = segmentOnDisk(h.fs, 1)!;
  const second = segmentOnDisk(h.fs, 2)!;
  t.equal(first.header.previousEnd, 0);
  t.equal(second.header.previousEnd, positionAt(1, first.content.validEnd));
  t.not(first.header.salt, second.header.salt);
  t.equal(h.store.log.segments.get(2)!.live, second.content.batches.length);
});

t.test('what is written after a sync began is not durable when it ends', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
  const { log } = h.store;
  const queue = h.queue(1);
  const calls: number[] = [];
  const first = h.publish(1, [queue]);
  log.waitForAll({ durableAdvanced: () => calls.push(log.durableUpTo) > 99 });
  log.endTurn();
  const firstEnd = log.end;
  const second = h.publish(2, [queue]);
  log.writeAll();
  t.ok(log.writtenUpTo > firstEnd, 'the second message is written meanwhile');
  t.ok(log.durableUpTo <= first);
  await settleDisk(h.fs);
  t.same(calls, [firstEnd]);
  t.ok(log.durableUpTo > first);
  t.ok(log.durableUpTo <= second);
  log.waitForAll({ durableAdvanced: () => log.durableUpTo > second });
  log.endTurn();
  await settleDisk(h.fs);
  t.ok(log.durableUpTo > second, 'the next sync covers it');
});

t.test('one sync serves all who wait for the same turn', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
  const { log } = h.store;
  const queue = h.queue(1);
  let served = 0;
  for (let id = 1; id <= 5; id++) {
    const position = h.publish(id, [queue]);
    log.waitForAll({
      durableAdvanced() {
        if (log.durableUpTo <= position) return false;
        served++;
        return true;
      },
    });
  }
  log.endTurn();
  t.equal(h.fs.waitingCount, 1);
  await settleDisk(h.fs);
  t.equal(served, 5);
  t.equal(h.durableCalls, 1);
  log.endTurn();
  t.equal(h.fs.waitingCount, 0, 'nobody waits any more');
});

t.test('without a waiter, batches wait to be written for 1 MiB or 5 ms', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const { log } = h.store;
  const queue = h.queue(1);
  h.publish(1, [queue]);
  log.endTurn();
  t.equal(segmentOnDisk(h.fs, 1), null);
  h.clock.advance(5);
  log.endTurn();
  t.equal(segmentOnDisk(h.fs, 1)!.content.batches.length, 1);
  h.publish(2, [queue], 2 ** 20);
  log.endTurn();
  t.equal(segmentOnDisk(h.fs, 1)!.content.batches.length, 2);
});

t.test('what was consumed unwritten needs no memory, however long a sync takes', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
  const { log } = h.store;
  const [stays, passes] = [h.queue(1), h.queue(2)];
  h.publish(1, [stays]);
  log.waitForAll({ durableAdvanced: () => true });
  log.endTurn();
  t.equal(h.fs.waitingCount, 1, 'a sync that takes its time');
  for (let id = 2; id <= 300; id++) {
    if (id === 150) h.publish(1000, [stays], 100_000);
    h.publish(id, [passes], 100_000);
    h.consume(passes, 1, 100_000);
    log.endTurn();
    t.ok(h.pool.usedBytes <= 6 * BLOCK_SIZE);
  }
  h.fs.failNext('sync', 'EIO');
  await settleDisk(h.fs);
  h.clock.advance(1000);
  log.endTurn();
  await settleDisk(h.fs);
  const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
  t.same(again.idsOf(1), [1, 1000]);
});

t.test(
  'a batch whose messages all left before it was written becomes a gap, durable at once',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
    const { log } = h.store;
    const queue = h.queue(1);
    const position = h.publish(1, [queue]);
    h.consume(queue, 1);
    let confirmed = false;
    log.waitForAll({
      durableAdvanced() {
        confirmed = log.durableUpTo > position;
        return confirmed;
      },
    });
    const { steps } = h.fs;
    log.endTurn();
    t.ok(confirmed, 'its confirm needs no sync');
    t.equal(h.fs.steps, steps, 'nothing went to the disk');

    const kept = h.publish(2, [queue]);
    log.writeAll();
    const { batches, invalid } = segmentOnDisk(h.fs, 1)!.content;
    t.same(invalid, [], 'the gap that holds its place is written before what follows');
    t.match(batches, [{ isGap: true }, { isGap: false }]);
    t.equal(batches[0]!.position + batches[0]!.length, batches[1]!.position);
    t.ok(batches[1]!.position < kept);
    t.ok(
      batches[1]!.syncedUpTo <= batches[0]!.position,
      'a gap that is not synced is not called so',
    );
    t.ok(log.durableUpTo <= kept);
    const stopped = log.syncAll();
    await settleDisk(h.fs);
    await stopped;
    t.same(StorageHarness.open(t, h.fs.crash('power', new Random(1))).idsOf(1), [2]);
  },
);

t.test('where consumed messages are to be written, no gap takes their place', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs(), { limits: { writesConsumed: true } });
  const queue = h.queue(1);
  h.publish(1, [queue]);
  h.consume(queue, 1);
  h.publish(2, [queue]);
  await h.store.log.syncAll();
  const { batches } = segmentOnDisk(h.fs, 1)!.content;
  t.ok(batches.length > 0);
  t.ok(batches.every(({ isGap }) => !isGap));
  t.same(StorageHarness.open(t, h.fs.crash('power', new Random(1))).idsOf(1), [2]);
});

t.test(
  'a batch that settles a message of the file is written though all its own have left',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    const queue = h.queue(1);
    h.publish(1, [queue]);
    await h.store.log.syncAll();
    h.consume(queue, 1);
    h.publish(2, [queue]);
    h.consume(queue, 1);
    await h.store.log.syncAll();
    t.match(segmentOnDisk(h.fs, 1)!.content.batches, [{ isGap: false }, { isGap: false }]);
    const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
    t.same(again.idsOf(1), []);
    t.equal(again.queue(1).readyBytes, 0);
  },
);

t.test('a settle that goes to the file takes the messages it concerns along', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const { log } = h.store;
  const queue = h.queue(1);
  h.publish(1, [queue], 100);
  await log.syncAll();
  // Turn by turn: a message, its acknowledgement together with that of the first, and one that stays.
  h.publish(2, [queue], 50);
  log.endTurn();
  h.consume(queue, 1, 100);
  h.consume(queue, 1, 50);
  log.endTurn();
  h.publish(3, [queue], 7);
  await log.syncAll();
  t.match(segmentOnDisk(h.fs, 1)!.content.batches, [{}, { isGap: false }, {}, {}]);
  const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
  t.same(again.idsOf(1), [3]);
  t.equal(again.queue(1).readyBytes, 7, 'the bytes are those of what is left');
});

t.test(
  'a sync of everything writes the last gap: the file reaches the end of the log',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    const { log } = h.store;
    const queue = h.queue(1);
    h.publish(1, [queue]);
    h.consume(queue, 1);
    await log.syncAll();
    const { batches, validEnd } = segmentOnDisk(h.fs, 1)!.content;
    t.match(batches, [{ isGap: true }]);
    t.equal(positionAt(1, validEnd), log.end);
  },
);

t.test('a message that also went to a transient queue stays while that one wants it', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const durable = h.queue(1);
  const transient = new QueueIndex(0, false);
  h.publish(1, [durable, transient]);
  h.consume(durable, 1);
  t.equal(h.store.log.segments.get(1)!.live, 1);
  h.consume(transient, 1);
  t.equal(h.store.log.segments.get(1)!.live, 0);
});

t.test('an idle log holds no file, and its first write makes the name durable', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  t.same(h.fs.list(STORE_DIRECTORY), []);
  h.publish(1, [h.queue(1)]);
  await h.store.log.syncAll();
  for (let seed = 0; seed < 20; seed++) {
    const copy = h.fs.copy().crash('power', new Random(seed));
    t.same(copy.list(STORE_DIRECTORY), [segmentFileName(1)]);
    t.ok(copy.readFile(`${STORE_DIRECTORY}/${segmentFileName(1)}`)!.length > SEGMENT_HEADER_SIZE);
  }
});
