import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import { DiskReserve } from './disk-reserve.ts';
import { LOG_LIMITS, type LogLimits } from './log-limits.ts';
import type { QueueIndex } from './queue-index.ts';
import { segmentFileName } from './segment.ts';

const RESERVE = 64 * 1024;
const LIMITS = { segmentBytes: 64 * 1024 };
const BODY = 1000;

interface Full {
  readonly h: StorageHarness;
  readonly queue: QueueIndex;
  readonly reserve: DiskReserve;
  /** Messages published, and those confirmed when the disk was full. */
  readonly published: number;
  readonly confirmed: number;
}

async function settleDisk(): Promise<void> {
  for (let i = 0; i < 60; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function later(h: StorageHarness, ms: number): Promise<void> {
  h.clock.advance(ms);
  h.store.log.endTurn();
  await settleDisk();
}

/** What the broker does now and then. */
async function keepHouse(h: StorageHarness, queue: QueueIndex): Promise<void> {
  if (h.store.checkpointDue) await h.checkpoint([queue]).catch(() => {});
  h.store.deleteSpentSegments();
}

/** Publishes until the disk is full, as a publisher does who pauses when he is told. */
async function fill(
  t: Parameters<typeof StorageHarness.open>[0],
  fs: SimulatedFs,
  limits: Partial<LogLimits> = LIMITS,
): Promise<Full> {
  const reserve = new DiskReserve(fs, '/data', RESERVE);
  const h = StorageHarness.open(t, fs, { limits, reserve });
  await reserve.take();
  const queue = h.queue(1);
  const { log } = h.store;
  let id = 0;
  let confirmed = 0;
  while (!log.state.diskFull) {
    for (let i = 0; i < 5; i++) {
      const position = h.publish(++id, [queue], BODY);
      const count = id;
      log.waitForAll({
        durableAdvanced() {
          if (log.durableUpTo <= position) return false;
          confirmed = Math.max(confirmed, count);
          return true;
        },
      });
    }
    await later(h, 1);
  }
  return { h, queue, reserve, published: id, confirmed };
}

function ids(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

t.test('a full disk gives up the reserve, and what was published is confirmed on it', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 20 });
  const { h, reserve, published, confirmed } = await fill(t, fs);
  t.ok(confirmed > 500);
  t.notOk(reserve.isTaken);
  t.match(h.states.at(-1), { diskFull: true, failing: null });
  for (let i = 0; i < 4; i++) await later(h, LOG_LIMITS.retryMsMax);
  t.ok(h.store.log.state.diskFull, 'nothing has been consumed');
  const again = StorageHarness.open(t, fs.copy().crash('power', new Random(1)));
  t.same(again.idsOf(1), ids(1, published));
});

t.test('a full disk that only its consumers empty becomes writable again', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 20 });
  const { h, queue, reserve, published } = await fill(t, fs);
  const free = fs.freeBytes('/');
  let rounds = 0;
  while (h.store.log.state.diskFull && rounds++ < 100) {
    h.consume(queue, Math.min(queue.readyCount, 50), BODY);
    await later(h, 10);
    await keepHouse(h, queue);
    await later(h, LOG_LIMITS.retryMsMax);
  }
  t.notOk(h.store.log.state.diskFull);
  t.ok(queue.readyCount > 0, 'not all had to go');
  t.ok(reserve.isTaken, 'the reserve is taken again');
  t.ok(fs.freeBytes('/') > free);
  h.publish(published + 1, [queue], BODY);
  await h.store.log.syncAll();
  const first = published - queue.readyCount + 2;
  const again = StorageHarness.open(t, fs.crash('power', new Random(1)));
  t.same(again.idsOf(1), ids(first, published + 1));
});

t.test('with everything consumed, even the segment that is written to is given back', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 18 });
  const { h, queue } = await fill(t, fs);
  h.consume(queue, queue.readyCount, BODY);
  for (let i = 0; i < 10; i++) {
    await later(h, LOG_LIMITS.retryMsMax);
    await keepHouse(h, queue);
  }
  t.notOk(h.store.log.state.diskFull);
  t.notOk(h.store.checkpointDue, 'there is an end of checkpoints');
  t.ok(h.store.log.fileBytes < 2 * LIMITS.segmentBytes);
  t.equal(h.store.log.segments.get(1), undefined);
});

t.test('a disk smaller than one segment becomes writable again, and stays sound', async (t) => {
  const limits = { segmentBytes: 2 ** 20 };
  const fs = new SimulatedFs({ capacityBytes: 2 ** 19 });
  const { h, queue } = await fill(t, fs, limits);
  h.consume(queue, queue.readyCount, BODY);
  for (let i = 0; i < 10 && h.store.log.state.diskFull; i++) {
    await later(h, LOG_LIMITS.retryMsMax);
    await keepHouse(h, queue);
  }
  t.notOk(h.store.log.state.diskFull);
  for (const kind of ['kill', 'power'] as const) {
    const again = StorageHarness.open(t, fs.copy().crash(kind, new Random(1)), { limits });
    t.match(again.recovered, { damage: [] });
    t.same(again.idsOf(1), []);
  }
  h.publish(9999, [queue]);
  await h.store.log.syncAll();
  t.same(StorageHarness.open(t, fs.crash('power', new Random(1))).idsOf(1), [9999]);
});

t.test('a boot on a full disk works, consumers empty it, and it becomes writable', async (t) => {
  for (const kind of ['kill', 'power'] as const) {
    const fs = new SimulatedFs({ capacityBytes: 2 ** 20 });
    const full = await fill(t, fs);
    const disk = fs.crash(kind, new Random(3));
    const reserve = new DiskReserve(disk, '/data', RESERVE);
    const h = StorageHarness.open(t, disk, { limits: LIMITS, reserve });
    t.same(
      h.recovered.damage.filter(({ reason }) => !reason.includes('aside')),
      [],
    );
    const queue = h.queue(1);
    const found = h.idsOf(1);
    t.same(found.slice(0, full.confirmed), ids(1, full.confirmed));
    h.publish(9999, [queue], BODY);
    await later(h, 10);
    for (let i = 0; i < 100 && queue.readyCount > 200; i++) {
      h.consume(queue, 50, BODY);
      await later(h, LOG_LIMITS.retryMsMax);
      await keepHouse(h, queue);
    }
    for (let i = 0; i < 5; i++) {
      await later(h, LOG_LIMITS.retryMsMax);
      await keepHouse(h, queue);
    }
    t.match(h.store.log.state, { diskFull: false, failing: null }, kind);
    await h.store.log.syncAll();
    const again = StorageHarness.open(t, disk.crash('power', new Random(1)));
    t.equal(again.idsOf(1).at(-1), 9999);
  }
});

t.test('a boot on a disk without a free byte works, and shows what is there', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 19 });
  const { h, queue, published, confirmed } = await fill(t, fs);
  for (let id = published + 1; fs.freeBytes('/') > 0; id++) {
    h.publish(id, [queue], BODY);
    await later(h, 10);
  }
  for (const kind of ['kill', 'power'] as const) {
    const disk = fs.copy().crash(kind, new Random(3));
    const again = StorageHarness.open(t, disk, { limits: LIMITS });
    t.same(again.idsOf(1).slice(0, confirmed), ids(1, confirmed));
  }
});

t.test('what a boot cannot copy aside for want of space does not stop it', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs({ capacityBytes: 2 ** 20 }));
  h.publish(1, [h.queue(1)], BODY);
  await h.store.log.syncAll();
  const disk = h.fs.crash('kill', new Random(1));
  const torn = disk.openForWriting(`${STORE_DIRECTORY}/msgs.0000000001`);
  torn.writeAt(Buffer.alloc(100, 1), 0, 100, torn.size());
  torn.close();
  const filler = disk.openForWriting('/filler');
  const rest = disk.freeBytes('/');
  filler.writeAt(Buffer.alloc(rest), 0, rest, 0);
  filler.close();
  const before = disk.freeBytes('/');
  const again = StorageHarness.open(t, disk);
  t.same(again.idsOf(1), [1]);
  t.match(again.recovered.damage, [{ reason: /could not be kept aside/, isMended: true }]);
  t.equal(disk.freeBytes('/'), before, 'nor does it take the space that is left');
});

t.test('where the end of the log could not be kept aside, segments go all the same', async (t) => {
  const disk = new SimulatedFs({ capacityBytes: 2 ** 20 });
  const { h, queue } = await fill(t, disk);
  const name = `${STORE_DIRECTORY}/${segmentFileName(h.store.log.segments.size)}`;
  const torn = disk.openForWriting(name);
  torn.writeAt(Buffer.alloc(BODY, 1), 0, BODY, torn.size());
  const filler = disk.openForWriting('/filler');
  const rest = disk.freeBytes('/');
  filler.writeAt(Buffer.alloc(rest), 0, rest, 0);
  const next = disk.crash('kill', new Random(1));
  const reserve = new DiskReserve(next, '/data', RESERVE);
  const again = StorageHarness.open(t, next, { limits: LIMITS, reserve });
  t.match(again.recovered.damage, [{ reason: /could not be kept aside/ }]);
  next.delete('/filler');
  const back = again.queue(1);
  again.consume(back, queue.readyCount, BODY);
  for (let i = 0; i < 5; i++) {
    await later(again, LOG_LIMITS.retryMsMax);
    await again.checkpoint([back]);
    again.store.deleteSpentSegments();
  }
  t.ok(again.store.log.fileBytes < LIMITS.segmentBytes);
});

t.test(
  'a reserve takes real space, survives a restart, and is left alone where space is short',
  async (t) => {
    const fs = new SimulatedFs({ capacityBytes: 4 * RESERVE });
    fs.makeDirectory('/data');
    const reserve = new DiskReserve(fs, '/data', RESERVE);
    t.ok(await reserve.take());
    t.equal(fs.freeBytes('/'), 3 * RESERVE);
    t.same(fs.unsyncedWrites(), []);
    const next = new DiskReserve(fs, '/data', RESERVE);
    t.ok(next.isTaken);
    t.ok(next.giveUp());
    t.notOk(next.giveUp(), 'there is only one');
    t.equal(fs.freeBytes('/'), 4 * RESERVE);
    const filler = fs.openForWriting('/filler');
    filler.writeAt(Buffer.alloc(2.5 * RESERVE), 0, 2.5 * RESERVE, 0);
    filler.close();
    t.notOk(await next.take(), 'it would leave too little');
    fs.delete('/filler');
    const taking = next.take();
    next.giveUp();
    t.notOk(await taking, 'given up while it was being taken');
    t.ok(next.isGivenUp, 'and remembered');
    t.equal(fs.freeBytes('/'), 4 * RESERVE);
    for (const call of ['create', 'write', 'sync', 'rename'] as const) {
      fs.failNext(call, 'ENOSPC');
      t.notOk(await next.take(), call);
      t.equal(fs.freeBytes('/'), 4 * RESERVE, call);
    }
    t.ok(await next.take());
  },
);

t.test('a reserve that grows is held all the time, and shrinks by no failure', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 8 * RESERVE });
  fs.makeDirectory('/data');
  const reserve = new DiskReserve(fs, '/data', RESERVE);
  const heldBytes = (): number => fs.readFile('/data/reserve')?.length ?? 0;
  await reserve.hold(reserve.firstBytes);
  t.equal(heldBytes(), RESERVE / 32);
  const free = fs.freeBytes('/');
  for (const call of ['create', 'write', 'sync', 'rename'] as const) {
    fs.failNext(call, 'ENOSPC');
    await reserve.hold(RESERVE);
    t.equal(heldBytes(), RESERVE / 32, call);
    t.notOk(reserve.isGivenUp, call);
    t.equal(fs.freeBytes('/'), free, call);
  }
  const growing = reserve.hold(RESERVE);
  t.ok(reserve.giveUp(), 'there is one to give up meanwhile');
  await growing;
  t.equal(fs.freeBytes('/'), 8 * RESERVE);
  await reserve.hold(RESERVE);
  t.equal(heldBytes(), 0, 'only a log that is well again takes it back');
  t.ok(await reserve.take());
  t.equal(heldBytes(), RESERVE / 32);
  await Promise.all([reserve.hold(reserve.firstBytes), reserve.hold(RESERVE)]);
  t.equal(heldBytes(), RESERVE);
  t.equal(fs.freeBytes('/'), 7 * RESERVE);
  t.same(fs.list('/data'), ['reserve']);
  await reserve.hold(reserve.firstBytes);
  t.equal(heldBytes(), RESERVE, 'nor does it shrink because less is wanted');
});

t.test(
  'a server that is killed with its reserve given up begins as one whose disk is full',
  async (t) => {
    const fs = new SimulatedFs({ capacityBytes: 8 * RESERVE });
    fs.makeDirectory('/data');
    const reserve = new DiskReserve(fs, '/data', RESERVE);
    t.ok(await reserve.take());
    t.notOk(reserve.isGivenUp);
    t.ok(reserve.giveUp());
    t.equal(fs.freeBytes('/'), 8 * RESERVE, 'to remember it takes no space');
    for (const kind of ['kill', 'power'] as const) {
      const disk = fs.copy();
      await disk.syncDirectory('/data');
      const next = new DiskReserve(disk.crash(kind, new Random(1)), '/data', RESERVE);
      t.ok(next.isGivenUp);
      t.notOk(next.isTaken);
      t.ok(await next.take(), 'of the size that it had');
      t.notOk(next.isGivenUp);
    }
    const filler = fs.openForWriting('/filler');
    filler.writeAt(Buffer.alloc(7 * RESERVE), 0, 7 * RESERVE, 0);
    const full = new DiskReserve(fs, '/data', RESERVE);
    t.notOk(await full.take(), 'there is no room for one of that size');
    t.ok(full.isGivenUp);
  },
);

t.test(
  'a disk that is nearly full gets no reserve, which would be too small to help',
  async (t) => {
    const fs = new SimulatedFs({ capacityBytes: RESERVE });
    fs.makeDirectory('/data');
    const filler = fs.openForWriting('/filler');
    filler.writeAt(Buffer.alloc(RESERVE - 4096), 0, RESERVE - 4096, 0);
    const reserve = new DiskReserve(fs, '/data', RESERVE);
    t.notOk(await reserve.take());
    t.notOk(reserve.isTaken);
    t.equal(fs.freeBytes('/'), 4096);
  },
);

t.test('on a small disk the reserve is a part of it, and does the same', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 18 });
  const reserve = new DiskReserve(fs, '/data', 2 ** 18);
  const h = StorageHarness.open(t, fs, { limits: LIMITS, reserve });
  t.ok(await reserve.take());
  t.equal(fs.freeBytes('/'), 0.75 * 2 ** 18);
  const queue = h.queue(1);
  for (let id = 1; !h.store.log.state.diskFull; id++) {
    h.publish(id, [queue], BODY);
    await later(h, 10);
  }
  for (let i = 0; i < 100 && h.store.log.state.diskFull; i++) {
    h.consume(queue, Math.min(10, queue.readyCount), BODY);
    await later(h, LOG_LIMITS.retryMsMax);
    await keepHouse(h, queue);
  }
  t.notOk(h.store.log.state.diskFull);
});

t.test('a reserve of the usual size does the same on a disk of some MiB', async (t) => {
  for (const capacityBytes of [2 ** 20, 2.5 * 2 ** 20, 6 * 2 ** 20]) {
    const fs = new SimulatedFs({ capacityBytes });
    fs.makeDirectory('/data');
    const reserve = new DiskReserve(fs, '/data');
    t.ok(reserve.isSpaceShort);
    await reserve.hold(reserve.firstBytes);
    t.equal(fs.freeBytes('/'), 0.75 * capacityBytes);
    const h = StorageHarness.open(t, fs, { reserve });
    const queue = h.queue(1);
    for (let id = 1; !h.store.log.state.diskFull; id++) {
      h.publish(id, [queue], BODY);
      if (id % 20 === 0) await later(h, 10);
    }
    t.notOk(reserve.isTaken);
    for (let i = 0; i < 200 && h.store.log.state.diskFull; i++) {
      h.consume(queue, Math.min(100, queue.readyCount), BODY);
      await later(h, LOG_LIMITS.retryMsMax);
      await keepHouse(h, queue);
    }
    t.notOk(h.store.log.state.diskFull, `${capacityBytes} bytes`);
    t.ok(reserve.isTaken);
  }
});

t.test('where less than a MiB is free no reserve is held, and a MiB ends the state', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 21 });
  fs.makeDirectory('/data');
  const filler = fs.openForWriting('/filler');
  filler.writeAt(Buffer.alloc(2 ** 20 + 4096), 0, 2 ** 20 + 4096, 0);
  filler.close();
  const reserve = new DiskReserve(fs, '/data');
  await reserve.hold(reserve.firstBytes);
  t.notOk(reserve.isTaken);
  t.notOk(await reserve.take());
  fs.delete('/filler');
  t.ok(await reserve.take());
  t.ok(reserve.isTaken);
});

t.test('a full disk that a chunk file meets is a state, and leaves no file behind', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 20 });
  const h = StorageHarness.open(t, fs, { indexRowEntries: 16 });
  const queue = h.queue(1);
  const folder = `${STORE_DIRECTORY}/enq`;
  for (const call of ['create', 'write'] as const) {
    fs.failFor({ calls: [call], errno: 'ENOSPC', length: 1, path: /enq/ });
    for (let id = 1; id <= 64; id++) {
      h.publish(id, [queue]);
      h.store.log.writeAll();
    }
    t.ok(h.store.log.state.diskFull, call);
    t.same(fs.list(folder), [], call);
    for (let i = 0; i < 3; i++) await later(h, LOG_LIMITS.retryMsMax);
    t.notOk(h.store.log.state.diskFull, 'it ends by itself');
    fs.heal();
    h.store.purge(queue);
  }
  for (let id = 1; id <= 64; id++) {
    h.publish(id, [queue]);
    h.store.log.writeAll();
  }
  t.equal(fs.list(folder).length, 1);
});

t.test(
  'a full disk that definitions or a checkpoint meet is a state without half a file',
  async (t) => {
    for (const path of [/definitions/, /checkpoint/]) {
      for (const call of ['create', 'write', 'sync', 'rename'] as const) {
        const fs = new SimulatedFs({ capacityBytes: 2 ** 20 });
        const h = StorageHarness.open(t, fs);
        const queue = h.queue(1);
        h.publish(1, [queue], BODY);
        fs.failFor({ calls: [call], errno: 'ENOSPC', length: 1, path });
        await t.rejects(h.checkpoint([queue]), { code: 'STORAGE_ENOSPC' });
        t.ok(h.store.log.state.diskFull, `${path} ${call}`);
        t.notOk(fs.list(STORE_DIRECTORY).some((name) => name.endsWith('.tmp')));
        for (let i = 0; i < 3; i++) await later(h, LOG_LIMITS.retryMsMax);
        t.notOk(h.store.log.state.diskFull);
        await h.checkpoint([queue]);
      }
    }
  },
);
