import { join } from 'node:path';
import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_SIZE } from './batch-format.ts';
import { checkpointFileName } from './checkpoint-format.ts';
import { DEFINITIONS_FILE } from './definitions-format.ts';
import { LOG_LIMITS } from './log-limits.ts';
import { readSegment } from './log-reader.ts';
import { positionAt } from './position.ts';
import { DEFINITION_ACTIONS } from './record-format.ts';
import { segmentFileName } from './segment.ts';

const FIRST_SEGMENT = join(STORE_DIRECTORY, segmentFileName(1));

/** Lost power: only what was synced is left. */
function powerCycle(fs: SimulatedFs, seed: number = 1): SimulatedFs {
  return fs.crash('power', new Random(seed));
}

function flip(fs: SimulatedFs, path: string, offset: number): void {
  const byte = Buffer.from([fs.readFile(path)![offset]! ^ 0xff]);
  const file = fs.openForWriting(path);
  file.writeAt(byte, 0, 1, offset);
  file.datasyncNow();
}

/** The first segment's batches: offset and length. */
function batchesOf(fs: SimulatedFs): { at: number; length: number }[] {
  const bytes = fs.readFile(FIRST_SEGMENT)!;
  const header = decodeSegmentHeader(bytes);
  if (typeof header === 'string') throw new Error(header);
  return readSegment(bytes, header).batches.map(({ position, length }) => ({
    at: position % 2 ** 28,
    length,
  }));
}

/** What was kept aside, but for the list of what was told. */
function asideOf(fs: SimulatedFs): readonly string[] {
  return fs.list(join(STORE_DIRECTORY, 'aside')).filter((name) => name !== 'damage.json');
}

function reasonsOf(h: StorageHarness): readonly string[] {
  return h.recovered.damage.map(({ reason }) => reason);
}

/** A disk with messages 1 to `count` in queue 1, one batch each, all synced; closed without a checkpoint. */
async function diskWithMessages(t: Teardown, count: number): Promise<SimulatedFs> {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  for (let id = 1; id <= count; id++) {
    h.publish(id, [queue]);
    await h.store.log.syncAll();
  }
  return powerCycle(fs);
}

t.test('after a stop in order everything is as it was, and nothing is redelivered', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  for (let id = 1; id <= 6; id++) h.publish(id, [queue], 4 + id);
  queue.reservedUpTo = 1024;
  h.store.log.reserveDeliveries(queue, 1024);
  for (let id = 1; id <= 3; id++) queue.take(4 + id);
  h.store.settle(queue, 2, queue.takenPosition, 6, 0);
  const position = (sequence: number): number => queue.positionOf(sequence);
  h.store.requeue(queue, [1, position(1), 5, 3, position(3), 7]);
  await h.checkpoint([queue], true);
  h.store.close();

  const again = StorageHarness.open(t, powerCycle(fs));
  t.ok(again.recovered.clean);
  t.same(again.idsOf(1), [1, 3, 4, 5, 6]);
  const back = again.queue(1);
  t.match(back, { readyCount: 5, readyBytes: 5 + 7 + 8 + 9 + 10, nextSequence: 7 });
  t.equal(back.deliveryCount(1), 1);
  const redelivered = [5, 7, 8, 9, 10].map((size) => {
    back.take(size);
    return back.takenRedelivered;
  });
  t.same(redelivered, [true, true, false, false, false], 'but for what had come back');
});

t.test(
  'messages published after a stop in order are not redelivered for a reservation before it',
  async (t) => {
    let fs = new SimulatedFs();
    const first = StorageHarness.open(t, fs);
    const queue = first.queue(1);
    first.publish(1, [queue]);
    queue.reservedUpTo = 1024;
    first.store.log.reserveDeliveries(queue, 1024);
    first.consume(queue, 1);
    await first.checkpoint([queue], true);
    fs = powerCycle(fs);
    const second = StorageHarness.open(t, fs);
    second.publish(2, [second.queue(1)]);
    await second.store.log.syncAll();
    const third = StorageHarness.open(t, powerCycle(fs));
    t.notOk(third.recovered.clean);
    t.same(third.idsOf(1), [2]);
    t.equal(third.queue(1).redeliveredUpTo, 0);
  },
);

t.test(
  'after an unclean stop all that may have been delivered is redelivered, and new numbers lie behind',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs);
    const queue = h.queue(1);
    for (let id = 1; id <= 3; id++) h.publish(id, [queue]);
    h.store.log.reserveDeliveries(queue, 2);
    await h.store.log.syncAll();
    const again = StorageHarness.open(t, powerCycle(fs));
    t.match(again.queue(1), { redeliveredUpTo: 2, deliverableUpTo: 2, nextSequence: 4 });
  },
);

t.test(
  'restarts without writes in between change nothing, even when no segment is left',
  async (t) => {
    let fs = new SimulatedFs();
    const first = StorageHarness.open(t, fs);
    const queue = first.queue(1);
    for (let id = 1; id <= 3; id++) first.publish(id, [queue]);
    first.consume(queue, 2);
    await first.checkpoint([queue], true);
    for (let restart = 0; restart < 3; restart++) {
      fs = powerCycle(fs, restart);
      const h = StorageHarness.open(t, fs);
      t.same([h.idsOf(1), h.recovered.clean, reasonsOf(h)], [[3], true, []], `restart ${restart}`);
      await h.checkpoint([h.queue(1)], true);
    }
    // Now the last message goes, and with it the last segment.
    fs = powerCycle(fs);
    let h = StorageHarness.open(t, fs);
    h.consume(h.queue(1), 1);
    const hasSegments = (): boolean =>
      fs.list(STORE_DIRECTORY).some((name) => name.startsWith('msgs.'));
    for (let restart = 0; restart < 5 && hasSegments(); restart++) {
      await h.checkpoint([h.queue(1)], true);
      await h.cache.deletionsEnded;
      fs = powerCycle(fs);
      h = StorageHarness.open(t, fs);
    }
    t.notOk(hasSegments());
    h.publish(4, [h.queue(1)]);
    await h.store.log.syncAll();
    t.same(StorageHarness.open(t, powerCycle(fs)).idsOf(1), [4], 'a position is not used again');
  },
);

t.test(
  'a new segment says where the log ended, though that part was not read at the start',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs);
    h.publish(1, [h.queue(1)], 500);
    await h.checkpoint([h.queue(1)], true);
    const second = StorageHarness.open(t, powerCycle(fs));
    await second.checkpoint([second.queue(1)], true);
    const third = StorageHarness.open(t, powerCycle(second.fs));
    third.publish(2, [third.queue(1)]);
    await third.store.log.syncAll();
    const [first, next] = third.fs
      .list(STORE_DIRECTORY)
      .filter((name) => name.startsWith('msgs.'))
      .map((name) => third.fs.readFile(join(STORE_DIRECTORY, name))!);
    t.match(decodeSegmentHeader(next!), { previousEnd: positionAt(1, first!.length) });
  },
);

t.test('a torn tail is cut off and kept aside, and is no damage', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  h.publish(1, [queue]);
  await h.store.log.syncAll();
  const whole = fs.readFile(FIRST_SEGMENT)!.length;
  h.publish(2, [queue], 5000);
  h.store.log.writeAll();
  const torn = fs.crash('kill', new Random(1));
  torn.openForWriting(FIRST_SEGMENT).truncate(whole + 3000);
  const again = StorageHarness.open(t, torn);
  t.same(again.recovered.damage, []);
  t.same(again.idsOf(1), [1]);
  t.equal(torn.readFile(FIRST_SEGMENT)!.length, whole);
  t.same(asideOf(torn), [`${segmentFileName(1)}.${whole}`]);
});

t.test(
  'what a kill left in the page cache is made stable before anybody builds on it',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs);
    const queue = h.queue(1);
    h.store.define(DEFINITION_ACTIONS.declare, 1, Buffer.from('queue 1'));
    h.publish(1, [queue]);
    h.store.log.writeAll();
    const killed = fs.crash('kill', new Random(1));
    t.same(StorageHarness.open(t, killed).idsOf(1), [1]);
    for (let seed = 0; seed < 20; seed++) {
      const again = StorageHarness.open(t, powerCycle(killed.copy(), seed));
      t.same(again.idsOf(1), [1]);
      t.equal(again.recovered.definitions.length, 1);
    }
  },
);

t.test(
  'a damaged batch before the last known sync costs itself alone, and is kept aside',
  async (t) => {
    const disk = await diskWithMessages(t, 5);
    const batches = batchesOf(disk);
    for (let n = 0; n < 3; n++) {
      const { at, length } = batches[n]!;
      for (const offset of [0, 5, 41, length - 1]) {
        const fs = disk.copy();
        flip(fs, FIRST_SEGMENT, at + offset);
        const h = StorageHarness.open(t, fs);
        t.same(
          h.idsOf(1),
          [1, 2, 3, 4, 5].filter((id) => id !== n + 1),
        );
        t.match(reasonsOf(h), [/are damaged: they are skipped/]);
        const name = `${segmentFileName(1)}.${at}`;
        t.same(asideOf(fs), [name]);
        t.equal(fs.readFile(join(STORE_DIRECTORY, 'aside', name))!.length, length);
        t.equal(h.queue(1).nextSequence, 6);
      }
    }
  },
);

t.test('a lost or headless segment costs its messages, and is told', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  const segments: number[] = [];
  for (let id = 1; h.store.log.segments.size < 4; id++) {
    const position = h.publish(id, [queue], 3_000_000);
    segments[id] = Math.floor(position / 2 ** 28);
    await h.store.log.syncAll();
  }
  const idsBut = (lost: number): number[] =>
    segments.map((_s, id) => id).filter((id) => id > 0 && segments[id] !== lost);
  const middle = join(STORE_DIRECTORY, segmentFileName(2));
  const withoutCheckpoint = fs.copy();
  await h.checkpoint([queue]);
  for (const disk of [withoutCheckpoint, fs]) {
    const missing = disk.copy();
    missing.delete(middle);
    const h1 = StorageHarness.open(t, missing);
    t.same(h1.idsOf(1), idsBut(2));
    t.ok(h1.recovered.damage.length > 0);

    const headless = disk.copy();
    flip(headless, middle, 3);
    const h2 = StorageHarness.open(t, headless);
    t.same(h2.idsOf(1), idsBut(2));
    t.match(h2.recovered.damage, [{ path: middle, reason: /the segment is skipped/ }]);
    t.ok(headless.readFile(middle), 'it stays for whoever can mend it');
  }
});

t.test('a log that ends before what a checkpoint knows is told', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  for (let id = 1; id <= 3; id++) {
    h.publish(id, [queue]);
    await h.store.log.syncAll();
  }
  await h.checkpoint([queue]);
  const cut = powerCycle(fs);
  cut.openForWriting(FIRST_SEGMENT).truncate(batchesOf(cut)[2]!.at);
  t.match(reasonsOf(StorageHarness.open(t, cut)), [/the log ends at position/]);
});

t.test(
  'a damaged newest checkpoint costs a longer replay and nothing else, wherever the damage is',
  async (t) => {
    const fs = new SimulatedFs();
    const h = StorageHarness.open(t, fs);
    const queue = h.queue(1);
    h.store.define(DEFINITION_ACTIONS.declare, 1, Buffer.from('queue 1'));
    h.publish(1, [queue]);
    await h.checkpoint([queue]);
    h.publish(2, [queue]);
    h.consume(queue, 1);
    await h.checkpoint([queue]);
    h.publish(3, [queue]);
    await h.store.log.syncAll();
    const disk = powerCycle(fs);
    const newest = join(STORE_DIRECTORY, checkpointFileName(1));
    const older = join(STORE_DIRECTORY, checkpointFileName(0));
    const { length } = disk.readFile(newest)!;
    for (let offset = 0; offset < length; offset += 7) {
      const one = disk.copy();
      flip(one, newest, offset);
      const withOlder = StorageHarness.open(t, one);
      t.same(withOlder.idsOf(1), [2, 3]);
      t.match(reasonsOf(withOlder), [/an older checkpoint is used/]);
      t.same(asideOf(one), [checkpointFileName(1)]);

      const both = disk.copy();
      flip(both, newest, offset);
      flip(both, older, offset);
      const withLog = StorageHarness.open(t, both);
      t.same(withLog.idsOf(1), [2, 3]);
      t.equal(withLog.recovered.damage.length, 2);
      t.equal(withLog.recovered.definitions.length, 1);
    }
  },
);

t.test('damaged definitions are told and kept aside, and cost no message', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queues = [h.queue(1), h.queue(2)];
  for (const { number } of queues) {
    h.store.define(DEFINITION_ACTIONS.declare, number, Buffer.from(`queue ${number}`));
  }
  h.publish(1, queues);
  await h.checkpoint(queues);
  const disk = powerCycle(fs);
  const path = join(STORE_DIRECTORY, DEFINITIONS_FILE);
  const { length } = disk.readFile(path)!;
  for (let offset = 0; offset < length; offset++) {
    const copy = disk.copy();
    flip(copy, path, offset);
    const again = StorageHarness.open(t, copy);
    t.same([again.idsOf(1), again.idsOf(2)], [[1], [1]]);
    t.ok(again.recovered.damage.length > 0, `byte ${offset} goes unnoticed`);
    t.same(asideOf(copy), [DEFINITIONS_FILE]);
    t.ok(again.recovered.nextQueueNumber > 2);
  }
});

t.test('definitions that a failed checkpoint did not write are in the next one', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  h.store.define(DEFINITION_ACTIONS.declare, 1, Buffer.from('queue 1'));
  h.publish(1, [queue]);
  await h.store.log.syncAll();
  fs.failNext('rename', 'ENOSPC');
  await t.rejects(h.checkpoint([queue]), { code: 'STORAGE_ENOSPC' });
  // So far that the record of the declare lies before all that a boot reads.
  while (h.store.log.segments.size < 3) h.publish(2, [queue], 3_000_000);
  for (let i = 0; i < 3; i++) await h.checkpoint([queue]);
  const again = StorageHarness.open(t, powerCycle(fs));
  t.match(again.recovered.definitions, [{ queue: 1 }]);
  t.equal(again.idsOf(1)[0], 1);
});

t.test('a checkpoint in slices never knows a message that became a gap', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queues = Array.from({ length: 200 }, (_, i) => h.queue(i + 1));
  await h.checkpoint(queues);
  for (const [i, queue] of queues.entries()) h.publish(i + 1, [queue]);
  // No sync comes before the first slice of this one: the definitions have not changed.
  const checkpoint = h.checkpoint(queues);
  for (const queue of queues) h.consume(queue, 1);
  await checkpoint;
  await h.store.log.syncAll();
  const again = StorageHarness.open(t, powerCycle(fs));
  for (const { number } of queues) t.same(again.idsOf(number), [], `queue ${number}`);
});

t.test('a purge keeps what is with consumers, with its bytes', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  for (let id = 1; id <= 6; id++) h.publish(id, [queue], 10 * id);
  await h.store.log.syncAll();
  queue.take(10);
  queue.take(20);
  t.equal(h.store.purge(queue), 4);
  h.publish(7, [queue], 5);
  await h.store.log.syncAll();
  const again = StorageHarness.open(t, powerCycle(fs));
  t.same(again.idsOf(1), [1, 2, 7]);
  t.match(again.queue(1), { readyCount: 3, readyBytes: 10 + 20 + 5 });
});

t.test('a return of a message that never went to the file is not remembered', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  h.publish(1, [queue]);
  h.store.log.endTurn();
  queue.take(8);
  h.store.requeue(queue, [1, queue.takenPosition, 8]);
  h.store.purge(queue);
  await h.store.log.syncAll();
  const again = StorageHarness.open(t, powerCycle(fs));
  t.same(again.queue(1).deliveryCountEntries(), []);
});

t.test('segments go when nothing in them is wanted and both checkpoints lie behind', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  const keeper = h.queue(2);
  const fill = async (id: number): Promise<void> => {
    const { size } = h.store.log.segments;
    while (h.store.log.segments.size === size) h.publish(id, [queue], 3_000_000);
    await h.store.log.syncAll();
  };
  h.publish(1, [keeper]);
  await fill(2);
  await fill(3);
  await fill(4);
  while (queue.readyCount > 0) h.consume(queue, 1, 3_000_000);
  const names = (): readonly string[] =>
    fs.list(STORE_DIRECTORY).filter((name) => name.startsWith('msgs.'));
  await h.checkpoint([queue, keeper]);
  t.equal(names().length, 4, 'one checkpoint could be damaged');
  await h.checkpoint([queue, keeper]);
  await h.cache.deletionsEnded;
  t.same(names(), [segmentFileName(1), segmentFileName(4)], 'a straggler keeps its segment');
  await fill(5);
  while (queue.readyCount > 0) h.consume(queue, 1, 3_000_000);
  await h.checkpoint([queue, keeper]);
  t.ok(names().includes(segmentFileName(4)), 'the older checkpoint still begins there');
  const again = StorageHarness.open(t, powerCycle(fs));
  t.same(again.recovered.damage, []);
  t.same([again.idsOf(1), again.idsOf(2)], [[], [1]]);
});

t.test('a first segment whose name was lost before any sync leaves an empty log', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const h = StorageHarness.open(t, fs, { limits: { segmentBytes: 1000 } });
  const queue = h.queue(1);
  for (let id = 1; id <= 5; id++) {
    h.publish(id, [queue], 400);
    h.store.log.writeAll();
  }
  const disk = fs.crash('kill', new Random(1));
  const names = disk.list(STORE_DIRECTORY).filter((name) => name.startsWith('msgs.'));
  t.ok(names.length > 1);
  disk.delete(join(STORE_DIRECTORY, names[0]!));

  const again = StorageHarness.open(t, disk);
  t.same(again.recovered.damage, []);
  t.equal(again.recovered.queues.size, 0, 'nothing was promised of what follows, either');
});

t.test('a gap at the end of the log, and a checkpoint behind it, is no damage', async (t) => {
  const fs = new SimulatedFs();
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  h.publish(1, [queue]);
  h.consume(queue, 1);
  await h.store.log.syncAll();
  // Nothing of this is ever written: a gap header stands for it, and the file ends with that.
  h.publish(2, [queue], 1000);
  h.consume(queue, 1, 1000);
  await h.checkpoint([queue]);
  await h.checkpoint([queue]);
  const next = StorageHarness.open(t, fs.crash('power', new Random(1)));
  t.same(next.recovered.damage, []);
  t.equal(next.queue(1).readyCount, 0);
});

t.test('what comes back of a segment that was deleted in order is no damage', async (t) => {
  let headlessCount = 0;
  let shortCount = 0;
  for (const diskSeed of [1, 2, 3, 4]) {
    const fs = new SimulatedFs({ seed: diskSeed });
    const h = StorageHarness.open(t, fs);
    const { log } = h.store;
    const queue = h.queue(1);
    h.publish(1, [queue]);
    // What the first file holds may never reach the disk: another takes over, and has what comes behind.
    fs.failNext('sync', 'EIO');
    await t.rejects(log.syncAll());
    h.clock.advance(LOG_LIMITS.retryMsMax);
    await log.syncAll();
    h.publish(2, [queue]);
    await h.checkpoint([queue]);
    h.consume(queue, 2);
    await log.syncAll();
    log.beginSegment();
    for (let i = 0; i < 2; i++) await h.checkpoint([queue]);
    await h.cache.deletionsEnded;
    t.equal(fs.peek(FIRST_SEGMENT, 0, 0), null);

    for (let seed = 1; seed <= 20; seed++) {
      const disk = powerCycle(fs.copy(), seed);
      const header = disk.peek(FIRST_SEGMENT, 0, SEGMENT_HEADER_SIZE);
      const isHeadless = header !== null && typeof decodeSegmentHeader(header) === 'string';
      const names = disk.list(STORE_DIRECTORY).filter((name) => name.startsWith('msgs.'));
      if (isHeadless) headlessCount++;
      else if (header !== null && names.length === 1) shortCount++;
      const again = StorageHarness.open(t, disk);
      t.same(again.recovered.damage, []);
      if (isHeadless) t.equal(disk.peek(FIRST_SEGMENT, 0, 0), null, 'it goes again');
    }
  }
  t.ok(headlessCount > 0 && shortCount > 0, `${headlessCount} headless, ${shortCount} short`);
});

t.test('a checkpoint at the start of a segment that was never written is no damage', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queue = h.queue(1);
  h.publish(1, [queue]);
  // The definitions are written here, inside a segment that goes afterwards.
  await h.checkpoint([queue]);
  h.consume(queue, 1);
  await h.store.log.syncAll();
  h.store.log.beginSegment();
  for (let i = 0; i < 2; i++) await h.checkpoint([queue]);
  await h.cache.deletionsEnded;
  const disk = h.fs.crash('kill', new Random(1));
  const isSegment = (name: string): boolean => name.startsWith('msgs.');
  t.notOk(disk.list(STORE_DIRECTORY).some(isSegment), 'nothing is left but the checkpoints');

  const again = StorageHarness.open(t, disk);
  t.same(again.recovered.damage, []);
  again.publish(2, [again.queue(1)]);
  await again.store.log.syncAll();
  const third = StorageHarness.open(t, powerCycle(disk));
  t.same(third.recovered.damage, []);
  t.same(third.idsOf(1), [2]);
});

t.test(
  'a boot that ends after any step leaves no torn end that could come back as damage',
  async (t) => {
    const h = StorageHarness.open(t, new SimulatedFs());
    h.publish(1, [h.queue(1)]);
    await h.checkpoint([h.queue(1)]);
    await h.store.log.syncAll();
    await h.checkpoint([h.queue(1)], true);
    const torn = h.fs.copy();
    const file = torn.openForWriting(FIRST_SEGMENT);
    file.writeAt(Buffer.alloc(20, 7), 0, 20, file.size());
    file.datasyncNow();
    for (let steps = 0; steps < 12; steps++) {
      const disk = torn.copy();
      disk.stopAfter(steps);
      try {
        StorageHarness.open(t, disk);
      } catch {
        // The machine has stopped: what it has left is looked at.
      }
      const again = StorageHarness.open(t, disk.crash('kill', new Random(steps)));
      again.publish(2, [again.queue(1)]);
      await again.store.log.syncAll();
      for (let seed = 1; seed <= 4; seed++) {
        const third = StorageHarness.open(t, powerCycle(again.fs.copy(), seed));
        t.same(third.recovered.damage, [], `after ${steps} steps`);
      }
    }
  },
);

t.test('segments that a boot has cut off stay away, whatever the disk loses then', async (t) => {
  const options = { limits: { segmentBytes: 4096 } };
  const h = StorageHarness.open(t, new SimulatedFs({ completion: 'manual' }), options);
  const queue = h.queue(1);
  for (let id = 1; id <= 9; id++) {
    h.publish(id, [queue], 1500);
    h.store.log.writeAll();
  }
  // The page cache has all of it; one segment's name is lost.
  const disk = h.fs.crash('kill', new Random(1));
  disk.delete(join(STORE_DIRECTORY, segmentFileName(2)));
  const again = StorageHarness.open(t, disk, options);
  t.same(again.idsOf(1), [1, 2]);
  again.publish(10, [again.queue(1)]);
  const synced = again.store.log.syncAll();
  await answer(disk, synced);
  for (let seed = 1; seed <= 5; seed++) {
    const third = StorageHarness.open(t, disk.copy().crash('power', new Random(seed)), options);
    t.same(third.idsOf(1), [1, 2, 10]);
  }
});

/** The disk answers until `promise` is settled; what nobody waits for, it has not done yet. */
async function answer(disk: SimulatedFs, promise: Promise<void>): Promise<void> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  while (!isSettled) {
    disk.complete();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
