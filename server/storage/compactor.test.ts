/**
 * Goal: what is left of a segment stays where it is while the disk gets its space back, and whatever ends the machine on
 * the way, every message is there. Method: real segments on a simulated disk, compacted through the store.
 */
import t from 'tap';
import { newByteArea } from '../base/byte-area.ts';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness, type StoreOptions } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { testMessageIdAt } from '../testing/test-message.ts';
import { isCompacted } from './compacted-format.ts';
import { type CompactableSegment, isCandidate } from './compactor.ts';
import { LOG_LIMITS } from './log-limits.ts';
import { offsetOf, segmentOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import { RouteSet } from './route-set.ts';
import { segmentFileName } from './segment.ts';

const BODY_SIZE = 20_000;
/** Messages that fill more than one segment of 32 MiB. */
const COUNT = 1800;
/** One in so many stays. */
const STRAGGLER_EVERY = 50;

interface Stragglers {
  readonly h: StorageHarness;
  readonly queue: QueueIndex;
  readonly positions: readonly number[];
}

const isStraggler = (id: number) => id % STRAGGLER_EVERY === 1;

/** A store whose first segment holds little that is still wanted, and lies before both checkpoints. */
async function stragglers(
  t: Teardown,
  fs: SimulatedFs,
  options: StoreOptions = {},
  hasSecondFile = false,
): Promise<Stragglers> {
  const h = StorageHarness.open(t, fs, options);
  const queue = h.queue(1);
  const positions: number[] = [];
  for (let id = 1; id <= COUNT; id++) {
    positions[id] = h.publish(id, [queue], BODY_SIZE);
    if (id === 50 && hasSecondFile) {
      fs.failNext('sync', 'EIO');
      await h.store.log.syncAll().catch(() => {});
      h.clock.advance(LOG_LIMITS.retryMsMax);
    }
    if (id % 50 === 0) await h.store.log.syncAll();
  }
  for (let id = 1; id <= COUNT; id++) {
    queue.take(BODY_SIZE);
    if (isStraggler(id)) continue;
    h.store.settle(queue, queue.takenSequence, queue.takenPosition, BODY_SIZE, 0);
  }
  await h.checkpoint([queue]);
  await h.checkpoint([queue]);
  return { h, queue, positions };
}

function source(queues: readonly QueueIndex[]) {
  return {
    durableIndexes: () => queues,
    allIndexes: () => queues,
    definitions: () => [],
    nextQueueNumber: () => 2,
  };
}

async function readId(h: StorageHarness, position: number): Promise<number> {
  const area = newByteArea(BODY_SIZE + 100);
  const segment = h.store.log.segments.get(segmentOf(position))!;
  await segment.read(area.buf, area.buf.length, offsetOf(position));
  return testMessageIdAt(area, 0);
}

function sizeOnDisk(fs: SimulatedFs, segment: number): number {
  return fs.readFile(`${STORE_DIRECTORY}/${segmentFileName(segment)}`)!.length;
}

t.test('an ack that is not stable when a compaction begins is by its end', async (t) => {
  const { h, queue, positions } = await stragglers(t, new SimulatedFs());
  const acked = 1 + STRAGGLER_EVERY;
  h.store.settle(queue, acked, positions[acked]!, BODY_SIZE, 0);
  t.ok(await h.store.compact(source([queue])));
  const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
  const found: Promise<number>[] = [];
  again.queue(1).forEachUnsettled((_sequence, position) => found.push(readId(again, position)));
  const ids = await Promise.all(found);
  t.notOk(ids.includes(-1), 'every message that is back has its record');
  t.notOk(ids.includes(acked));
});

t.test('a segment of stragglers shrinks, and they are read as before', async (t) => {
  const fs = new SimulatedFs();
  const { h, queue, positions } = await stragglers(t, fs);
  const before = sizeOnDisk(fs, 1);
  t.ok(await h.store.compact(source([queue])));
  t.ok(sizeOnDisk(fs, 1) < before / 20);
  t.ok(isCompacted(fs.readFile(`${STORE_DIRECTORY}/${segmentFileName(1)}`)!));
  for (let id = 1; id <= COUNT; id++) {
    if (isStraggler(id)) t.equal(await readId(h, positions[id]!), id);
  }
  t.notOk(await h.store.compact(source([queue])), 'there is nothing more to gain');
});

t.test(
  'a read during which the segment is compacted, again, gives what it always held',
  async (t) => {
    const options = { compactedFileSizeMin: 1 };
    const { h, queue, positions } = await stragglers(t, new SimulatedFs(), options);
    t.ok(await h.store.compact(source([queue])));
    const segment = h.store.log.segments.get(1)!;
    const left = positions.flatMap((position, id) =>
      isStraggler(id) && segmentOf(position) === 1 ? [id] : [],
    );
    const wanted = left.pop()!;
    for (const id of left) {
      h.store.settle(queue, id, positions[id]!, BODY_SIZE, 0);
    }
    // The table of the first compacted file is read, and its records are not.
    const readFile = segment.readFile.bind(segment);
    const compactions: Promise<boolean>[] = [];
    segment.readFile = async (...args) => {
      const count = await readFile(...args);
      if (compactions.length === 0) {
        compactions.push(h.store.compact(source([queue])));
        await compactions[0];
      }
      return count;
    };
    t.equal(await readId(h, positions[wanted]!), wanted);
    t.same(await Promise.all(compactions), [true]);
  },
);

t.test(
  'a boot finds the messages of a compacted segment, with and without checkpoints',
  async (t) => {
    const fs = new SimulatedFs();
    const { h, queue, positions } = await stragglers(t, fs);
    await h.store.compact(source([queue]));
    await h.checkpoint([queue]);
    for (const withCheckpoint of [true, false]) {
      const disk = fs.copy();
      if (!withCheckpoint) {
        for (const name of disk.list(STORE_DIRECTORY)) {
          if (name.startsWith('checkpoint')) disk.delete(`${STORE_DIRECTORY}/${name}`);
        }
      }
      const next = StorageHarness.open(t, disk.crash('power', new Random(3)));
      const found = next.queue(1);
      const inFirst: number[] = [];
      found.forEachUnsettled((_sequence, position) => {
        if (segmentOf(position) === 1) inFirst.push(position);
      });
      const expected = positions.filter((p, id) => isStraggler(id) && segmentOf(p) === 1);
      t.same(inFirst, expected, `checkpoint: ${withCheckpoint}`);
      for (const position of inFirst) {
        t.equal(await readId(next, position), positions.indexOf(position));
      }
    }
  },
);

t.test('a machine that stops at any step of a compaction loses nothing', async (t) => {
  const whole = new SimulatedFs();
  const first = await stragglers(t, whole);
  const base = whole.copy();
  const stepsBefore = whole.steps;
  await first.h.store.compact(source([first.queue]));
  const steps = whole.steps - stepsBefore;
  t.ok(steps >= 6, 'open, writes, sync, rename, sync of the folder');
  for (let stop = 0; stop <= steps; stop++) {
    const fs = base.copy();
    const h = StorageHarness.open(t, fs);
    const queue = h.queue(1);
    const { positions } = first;
    await h.checkpoint([queue]);
    await h.checkpoint([queue]);
    fs.stopAfter(stop);
    await h.store.compact(source([queue])).catch(() => false);
    const next = StorageHarness.open(
      t,
      fs.crash(stop % 2 === 0 ? 'power' : 'kill', new Random(stop)),
    );
    t.same(next.recovered.damage, []);
    const left: number[] = [];
    next.queue(1).forEachUnsettled((_sequence, position) => left.push(position));
    t.same(
      left,
      positions.filter((_p, id) => isStraggler(id)),
      `after ${stop} steps`,
    );
    for (const position of left) {
      t.equal(await readId(next, position), positions.indexOf(position));
    }
    t.notOk(next.fs.list(STORE_DIRECTORY).some((name) => name.endsWith('.compact')));
  }
});

t.test('a message that is entered by reference meanwhile is not lost', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const settle = async (ended: Promise<unknown>) => {
    let isOver = false;
    ended.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      fs.complete();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return ended;
  };
  const opened = stragglers(t, fs);
  await settle(opened);
  const { h, queue, positions } = await opened;
  const other = h.queue(2);
  const compaction = h.store.compact(source([queue, other]));
  h.store.enqueue(positions[1]!, BODY_SIZE, new RouteSet([other]));
  other.append(positions[1]!, BODY_SIZE);
  t.equal(await settle(compaction), false, 'the result is thrown away');
  t.equal(await settle(h.store.compact(source([queue, other]))), true, 'the next one sees it');
});

t.test('a read that began before the swap ends on the old file', async (t) => {
  const fs = new SimulatedFs();
  const { h, queue, positions } = await stragglers(t, fs);
  const segment = h.store.log.segments.get(1)!;
  const area = newByteArea(BODY_SIZE + 100);
  let reads = 0;
  let isOver = false;
  const compaction = h.store.compact(source([queue])).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const id = 1 + STRAGGLER_EVERY * (reads % 20);
    await segment.read(area.buf, area.buf.length, offsetOf(positions[id]!));
    t.equal(testMessageIdAt(area, 0), id);
    reads++;
  }
  t.ok(await compaction);
  t.ok(reads > 5);
});

t.test('what the disk refuses leaves the segment as it was', async (t) => {
  const fs = new SimulatedFs();
  const { h, queue, positions } = await stragglers(t, fs);
  for (const step of ['write', 'sync', 'rename'] as const) {
    fs.failNext(step, 'EIO');
    await t.rejects(h.store.compact(source([queue])), /as the test wished/, step);
    t.equal(await readId(h, positions[1]!), 1);
    t.notOk(
      fs.list(STORE_DIRECTORY).some((name) => name.endsWith('.compact')),
      step,
    );
  }
  t.ok(await h.store.compact(source([queue])));
});

t.test(
  'a segment is a candidate when little of it is left, and again when that has shrunk',
  async (t) => {
    const segment = {
      live: 1000,
      liveBytes: 1_000_000,
      fileSize: 10_000_000,
      fullLive: 10_000,
      examinedLive: Number.POSITIVE_INFINITY,
    } as CompactableSegment;
    t.ok(isCandidate(segment));
    t.notOk(isCandidate({ ...segment, live: 0 }), 'a dead one is deleted instead');
    t.notOk(isCandidate({ ...segment, fileSize: 10_000 }), 'a small one is not worth it');
    t.notOk(isCandidate({ ...segment, liveBytes: 9_000_000, live: 9000 }));
    t.ok(
      isCandidate({ ...segment, liveBytes: 9_000_000 }),
      'copies of one message count many times',
    );
    t.notOk(isCandidate({ ...segment, examinedLive: 1100 }), 'it was looked at');
    t.ok(isCandidate({ ...segment, examinedLive: 1500 }));
    t.notOk(isCandidate({ ...segment, isDraining: true }));
  },
);

t.test('a segment that is being emptied is left alone until that stops', async (t) => {
  const { h, queue, positions } = await stragglers(t, new SimulatedFs());
  const left: number[] = [];
  for (let id = 1; segmentOf(positions[id]!) === 1; id++) if (isStraggler(id)) left.push(id);
  h.store.sweep();
  t.ok(h.store.compactionDue);
  for (let i = 0; i < 3; i++) {
    const taken = left.splice(0, Math.ceil(left.length / 9));
    for (const id of taken) h.store.settle(queue, id, positions[id]!, BODY_SIZE, 0);
    h.store.sweep();
    t.notOk(h.store.compactionDue);
  }
  h.store.sweep();
  t.ok(h.store.compactionDue);
});

t.test('a boot makes a compacted file stable before it deletes what that replaced', async (t) => {
  const fs = new SimulatedFs();
  const { h, queue, positions } = await stragglers(t, fs, {}, true);
  t.equal(fs.list(STORE_DIRECTORY).filter((name) => name.startsWith('msgs.0000000001')).length, 2);
  fs.failNext('syncDirectory', 'EIO');
  await t.rejects(h.store.compact(source([queue])));
  const killed = fs.crash('kill', new Random(1));
  let deleted: SimulatedFs | null = null;
  killed.onStep = ({ step, phase }) => {
    if (step === 'delete' && phase === 'after') deleted ??= killed.copy();
  };
  t.same(StorageHarness.open(t, killed).recovered.damage, []);
  for (let seed = 1; seed <= 20; seed++) {
    const disk = deleted!.copy().crash('power', new Random(seed));
    const third = StorageHarness.open(t, disk);
    t.same(third.recovered.damage, []);
    t.equal(third.queue(1).readyCount, COUNT / STRAGGLER_EVERY);
    t.equal(await readId(third, positions[1]!), 1);
  }
});
