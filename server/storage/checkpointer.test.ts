/**
 * Goal: checkpoints name only what is stable, little changes cost little, and a boot reads what it must. Method: a
 * store over a simulated disk with rows of 16 entries, so that short queues have chunk files.
 */
import { join } from 'node:path';
import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { checkpointFileName, decodeCheckpoint } from './checkpoint-format.ts';
import { EARLY_SYNC_SLOTS } from './chunk-file.ts';
import { CHUNK_FOLDER, chunkFileName } from './chunk-file-format.ts';
import { DEFINITION_ACTIONS } from './record-format.ts';
import { segmentFileName } from './segment.ts';

const ROWS = { indexRowEntries: 16 };

function powerCycle(fs: SimulatedFs, seed: number = 1): SimulatedFs {
  return fs.crash('power', new Random(seed));
}

function pathOf(name: string): string {
  return join(STORE_DIRECTORY, name);
}

function chunkPath(queue: number): string {
  return join(STORE_DIRECTORY, CHUNK_FOLDER, chunkFileName(queue));
}

function read(fs: SimulatedFs, number: number) {
  const checkpoint = decodeCheckpoint(fs.readFile(pathOf(checkpointFileName(number)))!);
  if (typeof checkpoint === 'string') throw new Error(checkpoint);
  return checkpoint;
}

function idsUpTo(last: number, first: number = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

t.test(
  'a queue whose index lies on disk comes back whole, without its rows being read',
  async (t) => {
    for (const clean of [false, true]) {
      const fs = new SimulatedFs();
      const h = StorageHarness.open(t, fs, ROWS);
      const queue = h.queue(1);
      for (let id = 1; id <= 200; id++) h.publish(id, [queue]);
      await h.checkpoint([queue], clean);
      const again = StorageHarness.open(t, powerCycle(fs), ROWS);
      const back = again.queue(1);
      t.match(again.recovered, { clean, damage: [] });
      t.equal(back.readyCount, 200);
      t.ok(
        Array.from(back.rows.views(), ({ positions }) => positions).every((each) => each === null),
      );
      t.equal(again.store.log.segments.get(1)!.live, 200);
      t.same(again.idsOf(1), idsUpTo(200));
    }
  },
);

t.test(
  'what leaves, returns and is purged behind a checkpoint is replayed onto rows on disk',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, ROWS);
    const [queue, other] = [h.queue(1), h.queue(2)];
    for (let id = 1; id <= 100; id++) h.publish(id, [queue, other]);
    await h.checkpoint([queue, other]);
    const settled = [3, 7, 40];
    for (let id = 1; id <= 50; id++) {
      if (queue.peekPosition() < 0) {
        await new Promise((resolve) => h.store.loadRow(queue, resolve));
      }
      queue.take(8);
      if (settled.includes(id)) h.store.settle(queue, id, queue.takenPosition, 8, 0);
    }
    h.store.requeue(queue, [9, queue.positionOf(9), 8]);
    t.equal(h.store.purge(other), 100);
    await h.store.log.syncAll();
    const again = StorageHarness.open(t, powerCycle(fs), ROWS);
    t.same(
      again.idsOf(1),
      idsUpTo(100).filter((id) => !settled.includes(id)),
    );
    t.equal(again.queue(1).deliveryCount(9), 1);
    t.same(again.idsOf(2), []);
    t.equal(again.store.log.segments.get(1)!.live, 97);
    t.same(again.recovered.damage, []);
  },
);

t.test('only the segment where replay begins is read, from there on', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queue = h.queue(1);
  h.publish(1, [queue], 5000);
  h.publish(2, [queue], 5000);
  await h.checkpoint([queue]);
  h.publish(3, [queue]);
  await h.store.log.syncAll();
  const disk = powerCycle(fs);
  // A boot that looked at the first messages would report them.
  const file = disk.openForWriting(pathOf(segmentFileName(1)));
  file.writeAt(Buffer.alloc(100), 0, 100, 3000);
  const again = StorageHarness.open(t, disk, ROWS);
  t.same(again.recovered.damage, []);
  t.equal(again.queue(1).readyCount, 3);
});

t.test(
  'a gap that is open when a checkpoint is written does not hide where replay begins',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, ROWS);
    const [queue, kept] = [h.queue(1), h.queue(2)];
    h.publish(1, [kept]);
    await h.checkpoint([queue, kept]);
    const consumeSome = (): void => {
      for (let i = 0; i < 5; i++) {
        h.publish(2, [queue]);
        h.consume(queue, 1);
        h.store.log.writeAll();
      }
    };
    consumeSome();
    const writing = h.checkpoint([queue, kept]);
    consumeSome();
    await writing;
    consumeSome();
    h.publish(3, [kept]);
    await h.store.log.syncAll();
    const again = StorageHarness.open(t, powerCycle(fs), ROWS);
    t.same(again.recovered.damage, []);
    t.same(again.idsOf(2), [1, 3]);
  },
);

t.test('a delta holds what changed since its base, and both together are the state', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queues = idsUpTo(20).map((number) => h.queue(number));
  for (const queue of queues) h.publish(queue.number, [queue]);
  await h.checkpoint(queues);
  h.publish(77, [queues[4]!]);
  h.consume(queues[5]!, 1);
  h.store.define(DEFINITION_ACTIONS.deleteQueue, 7, Buffer.from('delete 7'));
  h.store.dropIndex(queues[6]!);
  await h.checkpoint(queues.filter(({ dropped }) => !dropped));
  const delta = read(fs, 1);
  t.match(delta, { base: 0, gone: [7] });
  t.same(
    delta.parts.map(({ index }) => index.number),
    [5, 6],
  );
  const again = StorageHarness.open(t, powerCycle(fs), ROWS);
  t.same(
    [4, 5, 6, 7, 8].map((number) => again.idsOf(number)),
    [[4], [5, 77], [], [], [8]],
  );
  for (const queue of queues) if (!queue.dropped) h.publish(99, [queue]);
  t.same(again.recovered.damage, []);
});

t.test(
  'a delta that outgrows its base becomes a base, and the old one goes when nobody names it',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, ROWS);
    const queues = idsUpTo(10).map((number) => h.queue(number));
    for (let round = 0; round < 2; round++) {
      for (const queue of queues) h.publish(queue.number, [queue]);
      await h.checkpoint(queues);
    }
    t.equal(read(fs, 1).base, 1);
    for (let round = 0; round < 3; round++) {
      h.publish(1, [queues[0]!]);
      await h.checkpoint(queues);
    }
    const names = fs.list(STORE_DIRECTORY).filter((name) => name.startsWith('checkpoint.'));
    t.same(names, [1, 3, 4].map(checkpointFileName), 'the newest two and their base');
  },
);

t.test('a damaged base makes its deltas useless, and no message is lost by it', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queues = idsUpTo(10).map((number) => h.queue(number));
  for (const queue of queues) h.publish(queue.number, [queue]);
  await h.checkpoint(queues);
  h.publish(50, [queues[0]!]);
  await h.checkpoint(queues);
  const disk = powerCycle(fs);
  disk.openForWriting(pathOf(checkpointFileName(0))).writeAt(Buffer.from([1]), 0, 1, 60);
  const again = StorageHarness.open(t, disk, ROWS);
  t.same([again.idsOf(1), again.idsOf(2)], [[1, 50], [2]]);
  t.match(again.recovered.damage, [{ reason: /its base/ }, { reason: /checksum/ }]);
});

t.test('a checkpoint counts without its chunk file, whose positions the log has', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queue = h.queue(1);
  for (let id = 1; id <= 100; id++) h.publish(id, [queue]);
  await h.checkpoint([queue]);
  const gone = powerCycle(fs);
  gone.delete(chunkPath(1));
  const again = StorageHarness.open(t, gone, ROWS);
  t.equal(again.recovered.checkpoint?.number, 0);
  t.same(again.idsOf(1), idsUpTo(100));
  t.match(again.recovered.damage, [{ reason: /the file is not whole/ }]);
});

t.test(
  'what a failed sync of a chunk file lost is written again before a checkpoint names it',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, ROWS);
    const queue = h.queue(1);
    h.publish(1, [queue]);
    await h.checkpoint([queue]);
    for (let id = 2; id <= 150; id++) h.publish(id, [queue]);
    await h.store.log.syncAll();
    fs.failFor({ calls: ['sync'], errno: 'EIO', length: 1, path: /enq/ });
    await t.rejects(h.checkpoint([queue]), { code: 'STORAGE_EIO' });
    await h.checkpoint([queue]);
    t.equal(read(fs, 1).logEnd, h.store.log.end, 'the number is not consumed');
    for (let seed = 1; seed <= 5; seed++) {
      const again = StorageHarness.open(t, powerCycle(fs.copy(), seed), ROWS);
      t.same(again.idsOf(1), idsUpTo(150));
      t.same(again.recovered.damage, []);
    }
  },
);

t.test('rows are made stable before a checkpoint where somebody waits for the disk', async (t) => {
  for (const somebodyWaits of [false, true]) {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, ROWS);
    const queue = h.queue(1);
    const unsyncedRows = (): number =>
      fs.unsyncedWrites().filter(({ path }) => path.includes('/enq/')).length;
    let most = 0;
    for (let id = 1; id <= 400; id++) {
      h.publish(id, [queue]);
      if (somebodyWaits) h.store.log.waitForAll({ durableAdvanced: () => true });
      h.store.log.endTurn();
      if (id % 8 === 0) await h.store.log.syncAll();
      most = Math.max(most, unsyncedRows());
    }
    if (somebodyWaits) t.ok(most < 2 * EARLY_SYNC_SLOTS, `${most} rows are not stable`);
    else t.ok(most >= 2 * EARLY_SYNC_SLOTS, `${most} rows are not stable`);
  }
});

t.test('the name of a chunk file that a killed run made is stable when it counts', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queue = h.queue(1);
  for (let id = 1; id <= 100; id++) h.publish(id, [queue]);
  fs.failFor({ calls: ['syncDirectory'], errno: 'EIO', length: 1, path: /enq$/ });
  await t.rejects(h.checkpoint([queue]));
  const second = StorageHarness.open(t, fs.crash('kill', new Random(1)), ROWS);
  t.ok(second.fs.paths.includes(chunkPath(1)));
  await second.checkpoint([second.queue(1)]);
  for (let seed = 1; seed <= 5; seed++) {
    const again = StorageHarness.open(t, powerCycle(second.fs.copy(), seed), ROWS);
    t.same(again.recovered.damage, []);
    t.same(again.idsOf(1), idsUpTo(100));
  }
});

t.test('slots are used again when no kept checkpoint names them, and not before', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queue = h.queue(1);
  const drain = async (): Promise<void> => {
    while (queue.readyCount > 0) {
      if (queue.peekPosition() < 0) {
        await new Promise((resolve) => h.store.loadRow(queue, resolve));
      }
      h.consume(queue, 1);
    }
  };
  let last = 0;
  let sizeMax = 0;
  for (let round = 0; round < 30; round++) {
    const first = last + 1;
    for (let i = 0; i < 160; i++) h.publish(++last, [queue]);
    await h.checkpoint([queue]);
    sizeMax = Math.max(sizeMax, fs.readFile(chunkPath(1))?.length ?? 0);
    // The older kept checkpoint is as good as the newer one.
    const disk = powerCycle(fs.copy(), round);
    disk.delete(pathOf(checkpointFileName(round)));
    t.equal(StorageHarness.open(t, disk, ROWS).recovered.damage.length, 0, `round ${round}`);
    const again = StorageHarness.open(t, powerCycle(fs.copy(), round), ROWS);
    t.same(again.idsOf(1), idsUpTo(last, first));
    await drain();
  }
  t.ok(sizeMax < 4096 + 40 * 128, `${sizeMax} bytes for ten rows at a time`);
  for (let i = 0; i < 36; i++) await h.checkpoint([queue]);
  t.equal(fs.readFile(chunkPath(1)), null, 'an empty queue has none, once its base was renewed');
});

t.test(
  'the chunk file of a queue shrinks while its oldest message stays, by slots that no kept checkpoint names',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs, ROWS);
    const queue = h.queue(1);
    const size = (): number => fs.readFile(chunkPath(1))!.length;
    for (let id = 1; id <= 320; id++) h.publish(id, [queue]);
    await h.checkpoint([queue]);
    await h.checkpoint([queue]);
    t.equal(size(), 4096 + 20 * 128);
    queue.take(8);
    while (queue.readyCount > 0) {
      if (queue.peekPosition() < 0) {
        await new Promise((resolve) => h.store.loadRow(queue, resolve));
      }
      h.consume(queue, 1);
    }
    const sizes: number[] = [];
    for (let number = 2; number < 40; number++) {
      await h.checkpoint([queue]);
      sizes.push(size());
      for (const older of [false, true]) {
        const disk = powerCycle(fs.copy(), number);
        if (older) disk.delete(pathOf(checkpointFileName(number)));
        const again = StorageHarness.open(t, disk, ROWS);
        t.same(again.recovered.damage, [], `checkpoint ${number}, the older one: ${older}`);
        t.same(again.idsOf(1), [1]);
      }
    }
    t.equal(
      sizes[0],
      4096 + 20 * 128,
      'checkpoint 1 names all of it, and so does the base of the others',
    );
    t.equal(sizes.at(-1), 4096 + 128);
  },
);

/** Two queues with chunk files, the first about to be dropped; `again` makes a checkpoint that knows only the other. */
async function deletedQueue(t: Teardown) {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const [queue, other] = [h.queue(1), h.queue(2)];
  for (let id = 1; id <= 100; id++) h.publish(id, [queue, other]);
  await h.checkpoint([queue, other]);
  h.store.define(DEFINITION_ACTIONS.deleteQueue, 1, Buffer.from('delete 1'));
  const again = async (): Promise<void> => {
    for (let id = 1; id <= 100; id++) h.publish(id, [other]);
    await h.checkpoint([other]);
  };
  return { fs, h, queue, again };
}

t.test('chunk files of deleted queues go when no kept checkpoint names them', async (t) => {
  const { fs, h, queue, again } = await deletedQueue(t);
  h.store.dropIndex(queue);
  for (let i = 0; i < 2; i++) {
    t.ok(fs.readFile(chunkPath(1)));
    await again();
  }
  t.equal(fs.readFile(chunkPath(1)), null);
  t.ok(fs.readFile(chunkPath(2)));
});

t.test('a chunk file that the disk refuses to delete stops nobody, and goes later', async (t) => {
  const { fs, h, queue, again } = await deletedQueue(t);
  fs.failFor({ calls: ['delete'], errno: 'EIO', length: 1000, path: /enq/ });
  h.store.dropIndex(queue);
  for (let i = 0; i < 3; i++) await again();
  t.ok(fs.readFile(chunkPath(1)));
  fs.heal();
  await again();
  t.equal(fs.readFile(chunkPath(1)), null);
  t.ok(fs.readFile(chunkPath(2)));
});

t.test('nothing is written behind a clean checkpoint', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queue = h.queue(1);
  for (let id = 1; id <= 10; id++) h.publish(id, [queue]);
  // The last one has waited for something else meanwhile, as one on a full disk does.
  await Promise.all([h.checkpoint([queue]), h.checkpoint([queue], true), h.checkpoint([queue])]);
  const again = StorageHarness.open(t, fs.crash('power', new Random(1)), ROWS);
  t.ok(again.recovered.clean);
});

t.test('after damage nothing of earlier runs is deleted', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs, ROWS);
  const queue = h.queue(1);
  for (let id = 1; id <= 3; id++) {
    h.publish(id, [queue], 1000);
    await h.store.log.syncAll();
  }
  const disk = powerCycle(fs);
  disk.openForWriting(pathOf(segmentFileName(1))).writeAt(Buffer.alloc(9), 0, 9, 200);
  const again = StorageHarness.open(t, disk, ROWS);
  t.ok(again.recovered.damage.length > 0);
  const back = again.queue(1);
  t.same(again.idsOf(1), [2, 3]);
  t.equal(again.store.purge(back), 2);
  for (let i = 0; i < 4; i++) await again.checkpoint([back]);
  t.ok(disk.readFile(pathOf(segmentFileName(1))), 'the segment is there for whoever can mend it');
});
