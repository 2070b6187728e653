import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import { testMessage } from '../testing/test-message.ts';
import { decodeSegmentHeader } from './batch-format.ts';
import { ATOMIC_BYTES_MAX } from './log.ts';
import type { SegmentContent } from './log-reader.ts';
import { readSegment } from './log-reader.ts';
import { sizeOfMessage, sizeOfRequeue, sizeOfSettle } from './record-format.ts';
import { RouteSet } from './route-set.ts';
import { segmentFileName } from './segment.ts';

function contentOf(fs: SimulatedFs, number: number): SegmentContent {
  const bytes = fs.readFile(`${STORE_DIRECTORY}/${segmentFileName(number)}`)!;
  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string') throw new Error(header);
  return readSegment(bytes, header);
}

/** Room for `count` messages of `bodySize` bytes, each with a route set of its own of one queue. */
function roomFor(count: number, bodySize: number): [number, number] {
  return [count * sizeOfMessage(testMessage(1, bodySize)), count * (4 + 4 + 16)];
}

t.test('what is appended atomically lies in one batch, however large it is', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queues = [h.queue(1), h.queue(2)];
  h.publish(1, queues);
  h.store.log.beginAtomic(...roomFor(300, 10_000));
  for (let id = 2; id <= 301; id++) h.publish(id, [queues[id % 2]!], 10_000);
  h.store.log.endAtomic();
  h.publish(302, queues);
  await h.store.log.syncAll();
  const { batches, invalid } = contentOf(h.fs, 1);
  t.same(invalid, []);
  t.equal(batches.length, 3);
  t.ok(batches[1]!.length > 3_000_000);
  const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
  t.equal(again.idsOf(1).length + again.idsOf(2).length, 304);
});

t.test('a small atomic batch shares its block with what surrounds it', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queue = h.queue(1);
  const before = h.publish(1, [queue]);
  h.store.log.beginAtomic(...roomFor(2, 8));
  const inside = h.publish(2, [queue]);
  h.publish(3, [queue]);
  h.store.log.endAtomic();
  const after = h.publish(4, [queue]);
  t.equal(h.store.log.locate(inside), h.store.log.locate(before));
  t.equal(h.store.log.locate(after), h.store.log.locate(before));
  await h.store.log.syncAll();
  t.same(
    contentOf(h.fs, 1).batches.map(({ rowCount }) => rowCount),
    [1, 1, 1],
  );
});

t.test(
  'what was settled before is written before, what is settled inside goes inside',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    const { log } = h.store;
    const queue = h.queue(1);
    for (let id = 1; id <= 4; id++) h.publish(id, [queue]);
    await log.syncAll();
    h.consume(queue, 1);
    const [records, footer] = roomFor(1, 8);
    log.beginAtomic(records + sizeOfSettle(1) + sizeOfRequeue(1), footer);
    const [before] = contentOf(h.fs, 1).batches.slice(-1);
    const beforeEnd = log.end;
    h.consume(queue, 1);
    queue.take(8);
    h.store.requeue(queue, [queue.takenSequence, queue.takenPosition, 8]);
    h.publish(5, [queue]);
    log.endAtomic();
    const end = log.end;
    await log.syncAll();
    const { batches } = contentOf(h.fs, 1);
    const starts = batches.map(({ position }) => position);
    t.same(starts.slice(-2), [before!.position + before!.length, beforeEnd]);
    t.equal(batches.at(-1)!.position + batches.at(-1)!.length, end);
    // Without the last batch only what was settled before it is gone.
    const file = h.fs.openForWriting(`${STORE_DIRECTORY}/${segmentFileName(1)}`);
    file.truncate(batches.at(-1)!.position - 2 ** 28);
    const again = StorageHarness.open(t, h.fs.crash('kill', new Random(1)));
    t.same(again.idsOf(1), [2, 3, 4]);
    t.equal(again.queue(1).readyBytes, 24);
  },
);

t.test('after a crash at any step, an atomic batch is there whole or not at all', async (t) => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 150; seed++) {
    const random = new Random(seed);
    const h = StorageHarness.open(t, new SimulatedFs());
    const { log } = h.store;
    const queues = [h.queue(1), h.queue(2)];
    for (let id = 1; id <= 10; id++) h.publish(id, queues);
    await log.syncAll();
    h.fs.stopAfter(random.below(4));
    const bodySize = random.pick([8, 9000]);
    const [records, footer] = roomFor(40, bodySize);
    log.beginAtomic(records + 10 * sizeOfSettle(1), footer);
    for (let id = 11; id <= 50; id++) h.publish(id, [queues[id % 2]!], bodySize);
    for (const queue of queues) h.consume(queue, 5);
    log.endAtomic();
    if (random.chance(0.5)) h.publish(51, queues);
    await log.syncAll().catch(() => {});
    const again = StorageHarness.open(t, h.fs.crash(random.pick(['power', 'kill']), random));
    const found = [again.idsOf(1), again.idsOf(2)].map((ids) => ids.filter((id) => id <= 50));
    const isThere = found[0]!.includes(12);
    outcomes.add(String(isThere));
    const expected = [1, 2].map((number) =>
      isThere
        ? [6, 7, 8, 9, 10, ...range(11, 50).filter((id) => id % 2 === number - 1)]
        : range(1, 10),
    );
    t.same(found, expected, `seed ${seed}`);
  }
  t.same([...outcomes].sort(), ['false', 'true'], 'both were seen');
});

t.test('more than the most, or than was announced, is refused', (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const { log } = h.store;
  t.throws(() => log.beginAtomic(ATOMIC_BYTES_MAX, 1), RangeError);
  log.beginAtomic(100, 100);
  t.throws(() => log.beginAtomic(1, 1), /is open/);
  t.throws(() => h.publish(1, [h.queue(1)], 2 ** 20), /announced/);
  log.endAtomic();
  t.ok(h.publish(2, [h.queue(1)], 2 ** 20) > 0);
  t.end();
});

t.test('an atomic batch of 128 MiB is one batch of one segment', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const { log } = h.store;
  const queue = h.queue(1);
  for (let id = 1; id <= 30; id++) h.publish(id, [queue], 2 ** 20);
  const [records, footer] = roomFor(120, 2 ** 20);
  log.beginAtomic(records, footer);
  for (let id = 31; id <= 150; id++) h.publish(id, [queue], 2 ** 20);
  log.endAtomic();
  await log.syncAll();
  t.same(h.fs.list(STORE_DIRECTORY), [segmentFileName(1), segmentFileName(2)]);
  t.equal(contentOf(h.fs, 2).batches.length, 1);
});

t.test(
  'a message enters other queues by reference, and stays while one of them wants it',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    const [source, target] = [h.queue(1), h.queue(2)];
    const position = h.publish(1, [source]);
    h.publish(2, [target]);
    await h.store.log.syncAll();
    source.take(8);
    h.store.enqueue(source.takenPosition, 8, new RouteSet([target]));
    target.append(source.takenPosition, 8);
    h.store.settle(source, source.takenSequence, source.takenPosition, 8, 0);
    h.publish(3, [target]);
    t.equal(h.store.log.segments.get(1)!.live, 3);
    await h.store.log.syncAll();
    const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
    t.same(again.idsOf(1), []);
    t.same(again.idsOf(2), [2, 1, 3]);
    t.equal(again.queue(2).readyBytes, 24);
    t.equal(again.queue(2).positionOf(2), position);
    t.equal(again.store.log.segments.get(1)!.live, 3);
    again.consume(again.queue(2), 3);
    t.equal(again.store.log.segments.get(1)!.live, 0);
  },
);

t.test(
  'an enqueue takes the message to the file, though it lies in a batch not yet written',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    const [source, target] = [h.queue(1), h.queue(2)];
    h.publish(1, [source]);
    h.store.log.endTurn();
    source.take(8);
    h.store.enqueue(source.takenPosition, 8, new RouteSet([target]));
    target.append(source.takenPosition, 8);
    h.store.settle(source, source.takenSequence, source.takenPosition, 8, 0);
    await h.store.log.syncAll();
    const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
    t.same(again.idsOf(2), [1]);
    t.same(again.idsOf(1), []);
  },
);

t.test(
  'a message of the transient lane is entered by reference into transient queues alone',
  (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    const [one, two] = [h.transientQueue(), h.transientQueue()];
    const position = h.publish(1, [one]);
    h.store.enqueue(position, 8, new RouteSet([two]));
    two.append(position, 8);
    t.throws(() => h.store.enqueue(position, 8, new RouteSet([h.queue(1)])), /durable queue/);
    h.consume(one, 1);
    t.ok(h.store.locate(position)!.live > 0, 'it stays for the other queue');
    h.consume(two, 1);
    t.equal(h.store.locate(position)!.live, 0);
    t.end();
  },
);

t.test(
  'a file added to the sync is synced before the log, and what it fails does not count',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
    const { log } = h.store;
    const calls: string[] = [];
    let end = (_error?: Error): void => {};
    const file = {
      datasync: () => {
        calls.push('file');
        return new Promise<void>((resolve, reject) => {
          end = (error) => (error === undefined ? resolve() : reject(error));
        });
      },
    };
    const position = h.publish(1, [h.queue(1)]);
    log.syncWith(file);
    log.waitForAll({ durableAdvanced: () => log.durableUpTo > position });
    log.endTurn();
    t.same(calls, ['file']);
    t.equal(h.fs.waitingCount, 0, 'the log waits for it');
    end();
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(h.fs.waitingCount, 1, 'then it is synced itself');
    while (h.fs.waitingCount > 0) {
      h.fs.complete();
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.ok(log.durableUpTo > position);
    t.same(calls, ['file'], 'the file is synced once');

    const second = h.publish(2, [h.queue(1)]);
    log.syncWith(file);
    log.waitForAll({ durableAdvanced: () => log.durableUpTo > second });
    log.endTurn();
    end(new Error('the file cannot be synced'));
    await new Promise((resolve) => setImmediate(resolve));
    t.ok(log.durableUpTo <= second);
  },
);

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
