import t from 'tap';
import { Random } from '../testing/random.ts';
import type { SimulatedCall } from '../testing/simulated-faults.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import { testMessageIdAt } from '../testing/test-message.ts';
import { SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { LOG_LIMITS } from './log-limits.ts';
import { READ_BYTES_MIN } from './message-store.ts';
import { offsetOf } from './position.ts';
import type { QueueIndex } from './queue-index.ts';
import { segmentFileName } from './segment.ts';

/** Lets syncs and reads under way end, and those that follow from them. */
async function settleDisk(fs: SimulatedFs): Promise<void> {
  for (let idle = 0; idle < 40; idle++) {
    if (fs.waitingCount > 0) idle = 0;
    fs.complete();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Time passes, a turn ends, and the disk has answered. */
async function later(h: StorageHarness, ms: number): Promise<void> {
  h.clock.advance(ms);
  h.store.log.endTurn();
  await settleDisk(h.fs);
}

function segmentFiles(fs: SimulatedFs): readonly string[] {
  return fs.list(STORE_DIRECTORY).filter((name) => name.startsWith('msgs.'));
}

/** A store whose queue holds message 1, stable; message 2 follows, and its waiter is to be served. */
async function withOneWaiting(
  t: Parameters<typeof StorageHarness.open>[0],
): Promise<{ h: StorageHarness; queue: QueueIndex; served: () => boolean; offset: number }> {
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
  const { log } = h.store;
  const queue = h.queue(1);
  h.publish(1, [queue]);
  const stable = log.syncAll();
  await settleDisk(h.fs);
  await stable;
  const offset = offsetOf(log.end);
  const position = h.publish(2, [queue]);
  let isServed = false;
  log.waitForAll({
    durableAdvanced() {
      isServed = log.durableUpTo > position;
      return isServed;
    },
  });
  return { h, queue, served: () => isServed, offset };
}

function idsAfterPowerLoss(
  t: Parameters<typeof StorageHarness.open>[0],
  fs: SimulatedFs,
): number[] {
  const again = StorageHarness.open(t, fs.copy().crash('power', new Random(1)));
  return again.idsOf(1);
}

t.test('after a failed sync what it was to make stable goes into a second file', async (t) => {
  for (const step of ['sync', 'syncDirectory'] as const) {
    const { h, queue, served, offset } = await withOneWaiting(t);
    const { log } = h.store;
    if (step === 'syncDirectory') {
      // Only a new file makes the log sync its folder.
      while (log.segments.size === 1) h.publish(2, [h.queue(2)], 3_000_000);
    }
    h.fs.failNext(step, 'EIO');
    log.endTurn();
    h.publish(3, [queue]);
    await settleDisk(h.fs);
    t.equal(log.state.failing?.errno, 'EIO');
    const { durableUpTo } = log;
    await later(h, LOG_LIMITS.retryMs - 1);
    t.equal(log.durableUpTo, durableUpTo, 'there is a pause');
    t.notOk(served());
    await later(h, 1);
    t.ok(served());
    t.equal(log.state.failing, null);
    t.ok(segmentFiles(h.fs).includes(segmentFileName(1, offset)));
    t.same(
      h.states.map(({ failing }) => failing?.errno ?? ''),
      ['EIO', ''],
    );
    await later(h, 1000);
    t.same(idsAfterPowerLoss(t, h.fs), [1, 2, 3]);
  }
});

t.test('a sync that failed once never counts, though the next one reports success', async (t) => {
  const { h, served, offset } = await withOneWaiting(t);
  h.fs.failNext('sync', 'EIO');
  h.store.log.endTurn();
  await settleDisk(h.fs);
  // The second file cannot be made: nothing but syncing the first again would be left.
  h.fs.failFor({ calls: ['create'], errno: 'EIO', length: 1000 });
  for (let i = 0; i < 5; i++) await later(h, LOG_LIMITS.retryMsMax);
  t.notOk(served());
  t.same(segmentFiles(h.fs), [segmentFileName(1)]);
  h.fs.heal();
  await later(h, LOG_LIMITS.retryMsMax);
  t.ok(served());
  t.same(segmentFiles(h.fs), [segmentFileName(1), segmentFileName(1, offset)]);
});

t.test('whichever step of the second file fails, it is made anew', async (t) => {
  const steps: readonly SimulatedCall[] = [
    'create',
    'open',
    'write',
    'sync',
    'rename',
    'syncDirectory',
  ];
  for (const step of steps) {
    const { h, queue, served } = await withOneWaiting(t);
    h.fs.failNext('sync', 'EIO');
    h.store.log.endTurn();
    await settleDisk(h.fs);
    h.fs.failFor({ calls: [step], errno: 'EIO', length: 2 });
    await later(h, LOG_LIMITS.retryMs);
    await later(h, LOG_LIMITS.retryMs);
    t.notOk(served(), `${step}: the second pause is longer`);
    await later(h, LOG_LIMITS.retryMs);
    t.notOk(served(), `${step} failed twice`);
    await later(h, LOG_LIMITS.retryMsMax);
    t.ok(served(), step);
    h.publish(3, [queue]);
    const all = h.store.log.syncAll();
    await settleDisk(h.fs);
    await all;
    t.same(idsAfterPowerLoss(t, h.fs), [1, 2, 3], step);
    t.equal(h.fs.list(STORE_DIRECTORY).filter((name) => name.endsWith('.tmp')).length, 0);
  }
});

t.test('a crash at any step of the second file loses nothing confirmed', async (t) => {
  const outcomes = new Set<string>();
  for (let steps = 0; steps < 12; steps++) {
    for (const kind of ['power', 'kill'] as const) {
      const { h, queue, served } = await withOneWaiting(t);
      h.fs.failNext('sync', 'EIO');
      h.store.log.endTurn();
      await settleDisk(h.fs);
      h.fs.stopAfter(steps);
      await later(h, LOG_LIMITS.retryMs);
      h.publish(3, [queue]);
      await later(h, LOG_LIMITS.retryMsMax);
      await later(h, LOG_LIMITS.unwrittenMs);
      const wasServed = served();
      const boot = StorageHarness.open(t, h.fs.crash(kind, new Random(steps)));
      t.same(boot.recovered.damage, [], `${kind} after ${steps} steps`);
      const ids = boot.idsOf(1);
      t.same(ids, [1, 2, 3].slice(0, ids.length), 'a beginning of what was published');
      t.ok(ids.length >= (wasServed ? 2 : 1), `${kind} after ${steps} steps`);
      // What the boot showed stays, whatever the disk had of it.
      const again = StorageHarness.open(t, boot.fs.crash('power', new Random(steps)));
      t.same(again.idsOf(1), ids);
      t.notOk(again.fs.list(STORE_DIRECTORY).some((name) => name.endsWith('.tmp')));
      outcomes.add(`${wasServed} ${ids.length}`);
    }
  }
  t.ok(outcomes.size >= 3, [...outcomes].join());
});

t.test(
  'a write that fails goes into a second file; a full disk is tried again in the first',
  async (t) => {
    for (const [errno, files] of [
      ['EIO', 2],
      ['ENOSPC', 1],
      ['EMFILE', 1],
    ] as const) {
      const { h, served } = await withOneWaiting(t);
      h.fs.failNext('write', errno);
      h.store.log.endTurn();
      await settleDisk(h.fs);
      t.notOk(served());
      await later(h, LOG_LIMITS.retryMs);
      await later(h, LOG_LIMITS.retryMs);
      t.ok(served(), errno);
      t.equal(segmentFiles(h.fs).length, files, errno);
      t.equal(h.store.log.state.failing, null);
      t.same(idsAfterPowerLoss(t, h.fs), [1, 2], errno);
    }
  },
);

t.test('a gap that waits for its header when a write fails is in the second file', async (t) => {
  const { h, queue } = await withOneWaiting(t);
  const { log } = h.store;
  log.endTurn();
  await settleDisk(h.fs);
  h.publish(3, [queue]);
  // Behind the stable messages 1 and 2.
  queue.take(8);
  queue.take(8);
  h.consume(queue, 1);
  await later(h, 10);
  const gapAt = offsetOf(log.end);
  h.publish(4, [queue]);
  h.fs.failNext('write', 'EIO');
  await later(h, 10);
  await later(h, LOG_LIMITS.retryMs);
  const all = log.syncAll();
  await settleDisk(h.fs);
  await all;
  const [, second] = segmentFiles(h.fs);
  t.ok(second !== undefined && second < segmentFileName(1, gapAt), 'it begins where the gap does');
  t.same(idsAfterPowerLoss(t, h.fs), [1, 2, 4]);
});

t.test(
  'failure after failure: each file takes over from its offset, for reads and deletes',
  async (t) => {
    const { h, queue, served } = await withOneWaiting(t);
    const { log } = h.store;
    const positions = [queue.positionOf(1), queue.positionOf(2)];
    for (let id = 3; id <= 5; id++) {
      h.fs.failNext('sync', 'EIO');
      await later(h, 1000);
      positions.push(h.publish(id, [queue]));
      await later(h, 1000);
      await later(h, 1000);
      t.ok(served());
    }
    t.equal(segmentFiles(h.fs).length, 4);
    const block = h.pool.acquire(positions[0]!, 4096);
    await Promise.all([log.read(block, positions[0]!, 4096), settleDisk(h.fs)]);
    t.equal(block.used, offsetOf(log.end) - offsetOf(positions[0]!));
    const ids = positions.map((position) => testMessageIdAt(block.area, position - block.start));
    t.same(ids, [1, 2, 3, 4, 5], 'one read crosses all files');
    const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
    t.same(again.idsOf(1), [1, 2, 3, 4, 5]);
    again.consume(again.queue(1), 5);
    again.publish(6, [again.queue(1)]);
    for (let i = 0; i < 2; i++) {
      const checkpoint = again.checkpoint([again.queue(1)]);
      while (again.store.log.segments.size > 0 && again.fs.waitingCount === 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all([checkpoint, settleUntil(again.fs, checkpoint)]);
    }
    await settleUntil(again.fs, again.cache.deletionsEnded);
    t.same(segmentFiles(again.fs), [segmentFileName(2)], 'all its files go with a segment');
  },
);

t.test('a second file that is damaged is set aside, and the first one used', async (t) => {
  const { h } = await withOneWaiting(t);
  h.fs.failNext('sync', 'EIO');
  h.store.log.endTurn();
  await settleDisk(h.fs);
  await later(h, LOG_LIMITS.retryMs);
  const [, second] = segmentFiles(h.fs);
  const disk = h.fs.crash('kill', new Random(1));
  const file = disk.openForWriting(`${STORE_DIRECTORY}/${second!}`);
  file.writeAt(Buffer.from('x'), 0, 1, 9);
  file.close();
  const again = StorageHarness.open(t, disk);
  t.match(again.recovered.damage, [{ reason: /format version/ }]);
  t.same(again.idsOf(1), [1, 2], 'a kill leaves the first file readable');
  t.same(segmentFiles(again.fs), [segmentFileName(1)]);
  t.same(again.fs.list(`${STORE_DIRECTORY}/aside`), ['damage.json', second]);
});

t.test('what the first file has behind the offset of the second is never looked at', async (t) => {
  const { h, queue } = await withOneWaiting(t);
  h.fs.failNext('sync', 'EIO');
  h.store.log.endTurn();
  h.publish(3, [queue]);
  await settleDisk(h.fs);
  await later(h, LOG_LIMITS.retryMs);
  const [, second] = segmentFiles(h.fs);
  const offset = Number(second!.slice(-10));
  const disk = h.fs.crash('kill', new Random(1));
  // The second file loses its tail, as an unsynced one may: the first still shows those batches.
  const file = disk.openForWriting(`${STORE_DIRECTORY}/${second!}`);
  file.truncate(offset);
  file.close();
  const again = StorageHarness.open(t, disk);
  t.same(again.idsOf(1), [1]);
  t.ok(offset > SEGMENT_HEADER_SIZE);
});

t.test('publishes go on in memory while the disk refuses, until the log is behind', async (t) => {
  const limits = { behindBytes: 3_000_000, caughtUpBytes: 1_000_000 };
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }), { limits });
  const { log } = h.store;
  const queue = h.queue(1);
  h.fs.failFor({ calls: ['write'], errno: 'EIO', length: 1000 });
  for (let id = 1; id <= 29; id++) {
    h.publish(id, [queue], 100_000);
    await later(h, 10);
  }
  t.notOk(log.state.behind);
  for (let id = 30; id <= 40; id++) h.publish(id, [queue], 100_000);
  await later(h, 10);
  t.ok(log.state.behind);
  t.not(log.state.failing, null);
  t.ok(queue.readyCount === 40 && h.store.locate(queue.positionOf(1)) !== null, 'all is readable');
  h.consume(queue, 1, 100_000);
  h.fs.heal();
  await later(h, LOG_LIMITS.retryMsMax);
  await later(h, 10);
  t.match(log.state, { behind: false, failing: null });
  t.same(
    idsAfterPowerLoss(t, h.fs),
    Array.from({ length: 39 }, (_, i) => i + 2),
  );
});

t.test(
  'a sync of everything tells that the disk refuses, and works again when it does not',
  async (t) => {
    const { h, queue } = await withOneWaiting(t);
    const { log } = h.store;
    for (const call of ['write', 'sync'] as const) {
      h.publish(3, [queue]);
      h.fs.failFor({ calls: [call], errno: 'EIO', length: 2 });
      const refused = log.syncAll();
      refused.catch(() => {});
      await settleDisk(h.fs);
      await t.rejects(refused, { code: 'STORAGE_EIO' });
      t.throws(
        () => log.writeAll(),
        { code: 'STORAGE_EIO' },
        'a checkpoint could not go on either',
      );
      h.fs.heal();
      const again = log.syncAll();
      await settleUntil(h.fs, again);
      await again;
    }
    t.same(idsAfterPowerLoss(t, h.fs), [1, 2, 3, 3]);
  },
);

t.test(
  'memory that a sync under way needs is not used for anything else when the log closes',
  async (t) => {
    const { h } = await withOneWaiting(t);
    h.fs.failNext('sync', 'EIO');
    h.store.log.endTurn();
    await settleDisk(h.fs);
    h.clock.advance(LOG_LIMITS.retryMs);
    h.store.log.endTurn();
    h.store.close();
    const other = h.pool.acquire(0, 1);
    other.area.buf.fill(0xff);
    await settleDisk(h.fs);
    t.same(idsAfterPowerLoss(t, h.fs), [1, 2]);
  },
);

t.test('a read of what is not there is an error, not an endless wait', async (t) => {
  const { h, queue } = await withOneWaiting(t);
  const { log } = h.store;
  const position = queue.positionOf(1);
  const block = h.pool.acquire(0, 1);
  await t.rejects(log.read(block, position + 7 * 2 ** 28, 100), { code: 'STORAGE' });
  const missing = log.read(block, position + 2 ** 20, 100);
  missing.catch(() => {});
  await settleDisk(h.fs);
  await t.rejects(missing, { code: 'STORAGE' });

  // Cut short in the middle of the record, as a damaged disk may have it.
  const file = h.fs.openForWriting(`${STORE_DIRECTORY}/${segmentFileName(1)}`);
  file.truncate(offsetOf(position) + 20);
  let told: Error | null = null;
  h.store.fetch(position, READ_BYTES_MIN, (error) => {
    told = error;
  });
  await settleDisk(h.fs);
  t.match(told, { code: 'STORAGE', message: /ends within the record/ });
});

t.test('a second file is read whatever the first has lost: its name, or its end', async (t) => {
  for (const loss of ['name', 'end'] as const) {
    const { h, queue } = await withOneWaiting(t);
    h.fs.failNext('sync', 'EIO');
    h.store.log.endTurn();
    await settleDisk(h.fs);
    await later(h, LOG_LIMITS.retryMs);
    const disk = h.fs.crash('kill', new Random(1));
    const first = `${STORE_DIRECTORY}/${segmentFileName(1)}`;
    t.ok(disk.paths.some((path) => path.startsWith(`${first}.`)));
    if (loss === 'name') disk.delete(first);
    const again = StorageHarness.open(t, disk);
    if (loss === 'end') disk.openForWriting(first).truncate(SEGMENT_HEADER_SIZE);
    const block = again.pool.acquire(2 ** 28, 1);
    const reading = again.store.log.read(block, 2 ** 28, 4096);
    await settleUntil(disk, reading);
    await reading;
    const position = again.queue(1).positionOf(queue.nextSequence - 1);
    t.equal(testMessageIdAt(block.area, offsetOf(position)), 2, loss);
  }
});

t.test('a log that is closed with something open has no more turns', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  h.publish(1, [h.queue(1)]);
  h.store.close();
  t.doesNotThrow(() => h.store.log.endTurn());
});

t.test('what nobody waits for is synced after a second', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }));
  h.publish(1, [h.queue(1)]);
  await later(h, 0);
  await later(h, LOG_LIMITS.unwrittenMs);
  await later(h, LOG_LIMITS.unsyncedMs - 1);
  const before = h.store.log.durableUpTo;
  await later(h, 1);
  t.ok(h.store.log.durableUpTo > before);
  t.same(idsAfterPowerLoss(t, h.fs), [1]);
});

/** Lets the disk answer until `promise` is settled. */
async function settleUntil(fs: SimulatedFs, promise: Promise<unknown>): Promise<void> {
  let isSettled = false;
  const settled = (): void => {
    isSettled = true;
  };
  promise.then(settled, settled);
  while (!isSettled) {
    fs.complete();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
