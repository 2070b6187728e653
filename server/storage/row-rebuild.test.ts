/**
 * Goal: a damaged chunk file costs no message and stops no queue, while the server runs and at its start. Method: rows
 * of 16 entries over a simulated disk, damaged behind the store's back; what is consumed must be what was published.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness, type StoreOptions } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { CHUNK_FOLDER, CHUNK_HEADER_SIZE, chunkFileName } from './chunk-file-format.ts';
import type { QueueIndex } from './queue-index.ts';
import { RouteSet } from './route-set.ts';
import { segmentFileName } from './segment.ts';

const ROWS = { indexRowEntries: 16 };
const SLOT_BYTES = 16 * 8;

interface Watched {
  readonly h: StorageHarness;
  /** What the store has told of damage. */
  readonly told: string[];
}

function open(t: Teardown, fs: SimulatedFs, options: StoreOptions = ROWS): Watched {
  const told: string[] = [];
  const damaged = (_path: string, reason: string) => told.push(reason);
  return { h: StorageHarness.open(t, fs, { ...options, damaged }), told };
}

function powerCycle(fs: SimulatedFs): SimulatedFs {
  return fs.crash('power', new Random(1));
}

const chunkPath = (queue: number) => join(STORE_DIRECTORY, CHUNK_FOLDER, chunkFileName(queue));

function overwrite(fs: SimulatedFs, path: string, offset: number, bytes: Buffer): void {
  const file = fs.openForWriting(path);
  file.writeAt(bytes, 0, bytes.length, offset);
  file.close();
}

/** Damages every slot of a queue's chunk file. */
function damageAll(fs: SimulatedFs, queue: number): void {
  const size = fs.readFile(chunkPath(queue))!.length;
  for (let at = CHUNK_HEADER_SIZE; at < size; at += SLOT_BYTES) {
    overwrite(fs, chunkPath(queue), at + 9, Buffer.from([0xee]));
  }
}

/** Publishes a message, and has it written: only then may its row leave memory. */
function publish(h: StorageHarness, id: number, queues: readonly QueueIndex[]): number {
  const position = h.publish(id, queues);
  h.store.log.writeAll();
  return position;
}

function idsUpTo(last: number, first: number = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Takes and settles all that is ready, waiting for rows as the broker does; the sequence numbers. */
async function drain(h: StorageHarness, queue: QueueIndex): Promise<number[]> {
  const taken: number[] = [];
  while (queue.readyCount > 0) {
    if (queue.peekPosition() < 0) {
      const error = await new Promise((resolve) => h.store.loadRow(queue, resolve));
      if (error !== null) throw error as Error;
      continue;
    }
    h.consume(queue, 1);
    taken.push(queue.takenSequence);
  }
  return taken;
}

t.test('a queue goes on over damaged slots, which are told once and whole again', async (t) => {
  const fs = new SimulatedFs();
  const { h, told } = open(t, fs);
  const [queue, other] = [h.queue(1), h.queue(2)];
  for (let id = 1; id <= 300; id++) publish(h, id, id % 3 === 0 ? [queue, other] : [queue]);
  await h.checkpoint([queue, other]);
  const before = fs.readFile(chunkPath(1))!;
  const onDisk = Array.from(queue.rows.views(), ({ positions, slot }) =>
    positions === null ? slot : -1,
  ).filter((slot) => slot >= 0);
  t.ok(onDisk.length > 10);
  for (const slot of onDisk) {
    const at = CHUNK_HEADER_SIZE + slot * SLOT_BYTES;
    overwrite(fs, chunkPath(1), at + 9, Buffer.from([0xee]));
  }
  t.same(await drain(h, queue), idsUpTo(300));
  t.equal(told.length, 1, told.join());
  t.match(told[0], /^\d+ rows of positions were damaged: they were found again in the log$/);
  t.ok(before.equals(fs.readFile(chunkPath(1))!), 'every byte is as it was');
  t.equal(queue.unackedCount, 0);
  t.equal(h.store.log.segments.get(1)!.live, 100, 'those of the other queue');
});

t.test('a chunk file that is missing or cut is made again after a start', async (t) => {
  const fs = new SimulatedFs();
  const { h } = open(t, fs);
  const queue = h.queue(1);
  for (let id = 1; id <= 200; id++) publish(h, id, [queue]);
  await h.checkpoint([queue]);
  const damages = [
    (disk: SimulatedFs) => disk.delete(chunkPath(1)),
    (disk: SimulatedFs) => disk.openForWriting(chunkPath(1)).truncate(CHUNK_HEADER_SIZE + 300),
    (disk: SimulatedFs) => disk.openForWriting(chunkPath(1)).truncate(5),
  ];
  for (const damage of damages) {
    const disk = powerCycle(fs.copy());
    damage(disk);
    const again = open(t, disk);
    const back = again.h.queue(1);
    t.match(again.h.recovered.damage, [{ reason: /the file is not whole/, isMended: true }]);
    t.equal(back.readyCount, 200);
    for (let id = 201; id <= 300; id++) publish(again.h, id, [back]);
    await again.h.checkpoint([back]);
    t.same(await drain(again.h, back), idsUpTo(300));
    for (let id = 301; id <= 400; id++) publish(again.h, id, [back]);
    await again.h.checkpoint([back]);
    await again.h.checkpoint([back]);
    const third = open(t, powerCycle(disk));
    t.same(third.h.recovered.damage, []);
    t.same(await drain(third.h, third.h.queue(1)), idsUpTo(400, 301));
    t.same(third.told, []);
  }
});

t.test('rows that replay needs are found again while the server starts', async (t) => {
  const fs = new SimulatedFs();
  const limits = { segmentBytes: 1000 };
  const { h } = open(t, fs, { ...ROWS, limits });
  const queue = h.queue(1);
  for (let id = 1; id <= 200; id++) publish(h, id, [queue]);
  await h.checkpoint([queue]);
  h.consume(queue, 1);
  while (queue.takenSequence < 50) {
    if (queue.peekPosition() < 0) await new Promise((resolve) => h.store.loadRow(queue, resolve));
    queue.take(8);
    const { takenSequence, takenPosition } = queue;
    if (takenSequence % 5 === 0) h.store.settle(queue, takenSequence, takenPosition, 8, 0);
  }
  await h.store.log.syncAll();
  const disk = powerCycle(fs);
  damageAll(disk, 1);
  const again = open(t, disk, { ...ROWS, limits });
  const left = idsUpTo(200, 2).filter((id) => id > 50 || id % 5 !== 0);
  t.same(await drain(again.h, again.h.queue(1)), left);
  t.ok(again.h.recovered.damage.length > 0);
  t.ok(again.h.recovered.damage.every(({ isMended }) => isMended));
  for (const { live } of again.h.store.log.segments.values()) t.equal(live, 0);
});

t.test('messages that entered by reference are found where the references lie', async (t) => {
  const fs = new SimulatedFs();
  const limits = { segmentBytes: 1000 };
  const { h, told } = open(t, fs, { ...ROWS, limits });
  const [first, second] = [h.queue(1), h.queue(2)];
  const set = new RouteSet([second]);
  const positions = idsUpTo(100).map((id) => publish(h, id, [first]));
  // In segments that hold none of the messages.
  for (const position of positions) {
    h.store.enqueue(position, 8, set);
    second.append(position, 8);
    h.store.log.writeAll();
  }
  await h.checkpoint([first, second]);
  damageAll(fs, 2);
  const found: number[] = [];
  while (second.readyCount > 0) {
    if (second.peekPosition() < 0) {
      await new Promise((resolve) => h.store.loadRow(second, resolve));
      continue;
    }
    h.consume(second, 1);
    found.push(second.takenPosition);
  }
  t.same(found, positions);
  t.equal(told.length, 1);
});

t.test('a row that was found again has another slot in the next checkpoint', async (t) => {
  const fs = new SimulatedFs();
  const { h } = open(t, fs);
  const queue = h.queue(1);
  for (let id = 1; id <= 200; id++) publish(h, id, [queue]);
  await h.checkpoint([queue]);
  const disk = powerCycle(fs);
  damageAll(disk, 1);
  const again = open(t, disk);
  const back = again.h.queue(1);
  await again.h.checkpoint([back]);
  // Nothing but the slots changes between two checkpoints.
  back.forEachUnsettled(() => {});
  t.equal(again.told.length, 13);
  await again.h.checkpoint([back]);
  const third = open(t, powerCycle(again.h.fs));
  t.same(third.h.idsOf(1), idsUpTo(200));
  t.same(third.h.recovered.damage, []);
  t.same(third.told, []);
});

t.test('what is in no batch any more leaves the queue, told and counted, alone', async (t) => {
  const fs = new SimulatedFs();
  const { h, told } = open(t, fs);
  const queue = h.queue(1);
  const positions = idsUpTo(200).map((id) => publish(h, id, [queue]));
  await h.checkpoint([queue]);
  // Two batches of one message each, in rows that lie on disk.
  for (const id of [100, 101]) {
    const offset = positions[id - 1]! % 2 ** 28;
    overwrite(fs, join(STORE_DIRECTORY, segmentFileName(1)), offset + 20, Buffer.from('damage'));
  }
  damageAll(fs, 1);
  t.same(
    await drain(h, queue),
    idsUpTo(200).filter((id) => id !== 100 && id !== 101),
  );
  t.match(told, [/2 messages were in no batch, and are dropped/]);
  t.match(queue, { readyCount: 0, readyBytes: 0, unackedCount: 0 });
  t.equal(h.store.log.segments.get(1)!.live, 0);
  await h.store.log.syncAll();
  t.same(open(t, powerCycle(fs)).h.idsOf(1), []);
});

t.test('what the disk only refuses to read is not given up, though no batch has it', async (t) => {
  const fs = new SimulatedFs();
  const { h, told } = open(t, fs);
  const queue = h.queue(1);
  const positions = idsUpTo(200).map((id) => publish(h, id, [queue]));
  await h.checkpoint([queue]);
  const offset = positions[99]! % 2 ** 28;
  overwrite(fs, join(STORE_DIRECTORY, segmentFileName(1)), offset + 20, Buffer.from('damage'));
  fs.failFor({ calls: ['read'], errno: 'EIO', length: Number.POSITIVE_INFINITY, path: /enq/ });
  await t.rejects(drain(h, queue), /EIO|as the test wished/);
  const { readyCount } = queue;
  t.ok(readyCount >= 101);
  await t.rejects(drain(h, queue), /EIO|as the test wished/);
  t.equal(queue.readyCount, readyCount);
  t.notMatch(told.join(), /dropped/);
  fs.heal();
  t.same(await drain(h, queue), idsUpTo(200, 201 - readyCount));
});

t.test(
  'a log that cannot be read for the moment keeps the queue waiting, and no more',
  async (t) => {
    const fs = new SimulatedFs();
    const { h, told } = open(t, fs);
    const queue = h.queue(1);
    for (let id = 1; id <= 200; id++) publish(h, id, [queue]);
    await h.checkpoint([queue]);
    damageAll(fs, 1);
    fs.failFor({ calls: ['read'], errno: 'EIO', length: 1, path: /msgs/ });
    await t.rejects(drain(h, queue), { code: 'STORAGE_EIO' });
    t.same(told, []);
    const rest = await drain(h, queue);
    t.equal(rest.at(-1), 200);
    t.equal(told.length, 1, told.join());
  },
);

t.test('messages that are settled while their rows are looked for are not missed', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const { h, told } = open(t, fs);
  const queue = h.queue(1);
  const until = async (promise: Promise<unknown>): Promise<void> => {
    let isOver = false;
    void promise.then(() => {
      isOver = true;
    });
    while (!isOver) {
      fs.complete();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  for (let id = 1; id <= 200; id++) publish(h, id, [queue]);
  await until(h.checkpoint([queue]));
  damageAll(fs, 1);
  const loaded: (Error | null)[] = [];
  const row = queue.rows.at(5)!;
  h.store.chunks.load(queue, row, (error) => loaded.push(error));
  for (let i = 0; i < 3; i++) {
    fs.complete();
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.same(loaded, [], 'it is under way');
  t.equal(h.store.purge(queue), 200);
  for (let i = 0; i < 200; i++) {
    fs.complete();
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.same(loaded, [null]);
  t.match(queue, { readyCount: 0, readyBytes: 0 });
  t.notOk(told.some((reason) => reason.includes('dropped')));
});

t.test('whatever of the chunk files is damaged, everything comes out', async (t) => {
  const run = async (
    bodies: readonly number[],
    taken: number,
    damage: readonly number[],
    restarts: boolean,
  ): Promise<void> => {
    const fs = new SimulatedFs();
    const options = { ...ROWS, limits: { segmentBytes: 3000 } };
    const first = open(t, fs, options).h;
    const queues = [first.queue(1), first.queue(2)];
    const expected: number[][] = [[], []];
    for (const [at, size] of bodies.entries()) {
      const own = queues.filter((_queue, i) => (size & (i + 1)) !== 0);
      if (own.length === 0) continue;
      for (const queue of own) expected[queues.indexOf(queue)]!.push(queue.nextSequence);
      first.publish(at + 1, own, 8);
      if (size % 5 === 0) first.store.log.writeAll();
    }
    await first.checkpoint(queues);
    if (restarts) {
      for (const [i, queue] of queues.entries()) {
        const count = Math.min(taken, queue.readyCount);
        for (let n = 0; n < count; n++) {
          if (queue.peekPosition() < 0) {
            await new Promise((resolve) => first.store.loadRow(queue, resolve));
          }
          first.consume(queue, 1);
        }
        expected[i]!.splice(0, count);
      }
      await first.store.log.syncAll();
    }
    const disk = restarts ? powerCycle(fs) : fs;
    for (const [i, where] of damage.entries()) {
      const path = chunkPath(1 + (i % 2));
      const bytes = disk.readFile(path);
      if (bytes === null) continue;
      const at = where % bytes.length;
      overwrite(disk, path, at, Buffer.from([bytes[at]! ^ (1 + (where % 255))]));
    }
    const h = restarts ? open(t, disk, options).h : first;
    const again = restarts ? [h.queue(1), h.queue(2)] : queues;
    for (const [i, queue] of again.entries()) {
      const drained = await drain(h, queue);
      if (drained.join() !== expected[i]!.join()) throw new Error(`queue ${i}: ${drained.join()}`);
      if (queue.readyBytes !== 0) throw new Error(`${queue.readyBytes} bytes are left`);
    }
    for (const { live, number } of h.store.log.segments.values()) {
      if (live !== 0) throw new Error(`segment ${number} has ${live} references`);
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(15), { minLength: 60, maxLength: 300 }),
      fc.nat(80),
      fc.array(fc.nat(20_000), { maxLength: 12 }),
      fc.boolean(),
      run,
    ),
    { numRuns: 60 },
  );
});
