import t from 'tap';
import { nextTurn } from '../base/next-turn.ts';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { ChunkFile, EARLY_SYNC_SLOTS } from './chunk-file.ts';
import { FileCache } from './file-cache.ts';
import { IndexRow } from './index-row.ts';
import { QueueIndex } from './queue-index.ts';

const FOLDER = '/data/vhost/enq';
const ENTRIES = 16;

function fullRow(number: number): IndexRow {
  const row = new IndexRow(1 + number * ENTRIES);
  row.count = ENTRIES;
  row.positions = new Float64Array(ENTRIES).fill(number);
  return row;
}

/** Gives a row a slot and writes it there. */
function put(file: ChunkFile, index: QueueIndex, number: number): IndexRow {
  const row = fullRow(number);
  row.slot = file.assign();
  file.write(row);
  index.adoptRow(row);
  return row;
}

t.test(
  'slots that a run frees before it looks at the file are given to one row each',
  async (t) => {
    const fs = new SimulatedFs();
    const cache = new FileCache(fs);
    const index = new QueueIndex(3, true);
    const before = new ChunkFile(cache, FOLDER, index, ENTRIES);
    const rows = [0, 1, 2, 3, 4].map((number) => put(before, index, number));
    before.close();

    const file = new ChunkFile(cache, FOLDER, index, ENTRIES);
    for (let i = 0; i < rows.length; i++) file.adopt();
    index.rows.truncate(1);
    for (const { slot } of rows.splice(1)) file.free(slot, 0, 0);
    file.keep([1, 2]);
    rows.push(put(file, index, 5));
    // What was freed while another checkpoint was kept comes free only now.
    file.keep([2, 3]);
    for (let number = 6; number < 12; number++) rows.push(put(file, index, number));
    const slots = rows.map(({ slot }) => slot);
    t.equal(new Set(slots).size, slots.length, `slots ${slots.join()}`);
    for (const row of rows) {
      const read = new Float64Array(ENTRIES);
      file.readNow(row, read);
      t.same(read, row.positions);
    }
    file.close();
  },
);

const HEADER = 4096;
const SLOT = 8 * ENTRIES;

/** A file with a full row in each of its first `count` slots. */
function filled(count: number): {
  fs: SimulatedFs;
  cache: FileCache;
  index: QueueIndex;
  file: ChunkFile;
  rows: IndexRow[];
} {
  const fs = new SimulatedFs();
  const cache = new FileCache(fs);
  const index = new QueueIndex(3, true);
  const file = new ChunkFile(cache, FOLDER, index, ENTRIES);
  const rows = Array.from({ length: count }, (_, number) => put(file, index, number));
  return { fs, cache, index, file, rows };
}

function isReadable(file: ChunkFile, row: IndexRow): boolean {
  const read = new Float64Array(ENTRIES);
  file.readNow(row, read);
  return read.every((position, entry) => position === row.positions![entry]);
}

t.test('many slots are made stable before a checkpoint asks for it', async (t) => {
  const { fs, index, file } = filled(EARLY_SYNC_SLOTS - 1);
  const unsynced = (): number => fs.unsyncedWrites().length;
  file.syncEarly();
  await nextTurn();
  t.ok(unsynced() >= EARLY_SYNC_SLOTS - 1, 'not few');
  put(file, index, EARLY_SYNC_SLOTS);
  file.syncEarly();
  await nextTurn();
  t.equal(unsynced(), 0);
  t.notOk(file.needsSync);
});

t.test('what an early sync has lost is never taken for stable', async (t) => {
  for (const isUnderWay of [true, false]) {
    const { fs, index, file, rows } = filled(EARLY_SYNC_SLOTS);
    await fs.syncDirectory(FOLDER);
    fs.failNext('sync', 'EIO');
    file.syncEarly();
    if (!isUnderWay) await nextTurn();
    rows.push(put(file, index, EARLY_SYNC_SLOTS));
    await t.rejects(file.sync(), { message: /slots could not be synced/ });
    t.ok(file.needsSync);
    for (const row of file.suspectRows()) file.rewrite(row, row.positions!);
    await file.sync();
    t.notOk(file.needsSync);
    const disk = fs.crash('power', new Random(1));
    const next = new ChunkFile(new FileCache(disk), FOLDER, index, ENTRIES);
    for (const row of rows) t.ok(isReadable(next, row));
  }
});

t.test('a new row takes the lowest slot that is free', async (t) => {
  const { index, file } = filled(6);
  for (const slot of [4, 1]) file.free(slot, 1, 1);
  file.keep([2, 3]);
  file.free(3, 4, 3);
  const slots = [10, 11, 12, 13].map((number) => put(file, index, number).slot);
  t.same(slots, [1, 3, 4, 6]);
});

t.test(
  'the free end of a file is cut off, up to the last slot that something may name',
  async (t) => {
    const { fs, index, file, rows } = filled(10);
    const size = (): number => fs.readFile(file.path)!.length;
    for (const slot of [9, 8, 6, 1]) file.free(slot, 1, 1);
    file.free(7, 1, 2);
    t.equal(await file.cutTail(), 0, 'checkpoint 1 may be kept');
    file.keep([2, 3]);
    t.equal(await file.cutTail(), 2);
    t.equal(size(), HEADER + 8 * SLOT, 'slot 7 is named by checkpoint 2');
    file.keep([3, 4]);
    t.equal(await file.cutTail(), 2);
    t.equal(size(), HEADER + 6 * SLOT);
    t.equal(await file.cutTail(), 0);
    for (const number of [0, 2, 3, 4, 5]) t.ok(isReadable(file, rows[number]!));
    t.same([put(file, index, 20).slot, put(file, index, 21).slot], [1, 6]);
    t.equal(size(), HEADER + 7 * SLOT);
  },
);

t.test('of a long end a piece is cut off at a time', async (t) => {
  const { fs, file, rows } = filled(140);
  for (const { slot } of rows.slice(1)) file.free(slot, 1, 1);
  file.keep([2]);
  const cuts: number[] = [];
  for (let i = 0; i < 4; i++) cuts.push(await file.cutTail());
  t.same(cuts, [64, 64, 11, 0]);
  t.equal(fs.readFile(file.path)!.length, HEADER + SLOT);
});

t.test('a cut makes no file longer', async (t) => {
  const { fs, file } = filled(0);
  const row = fullRow(0);
  row.count = 3;
  row.slot = file.assign();
  file.write(row);
  file.free(file.assign(), 2, 1);
  t.equal(await file.cutTail(), 1);
  t.equal(fs.readFile(file.path)!.length, HEADER + 8 * 3);
});

t.test(
  'a file that the disk refuses to delete is as it was, and goes when asked again',
  async (t) => {
    const { fs, index, file, rows } = filled(3);
    for (const { slot } of rows) file.free(slot, 1, 1);
    index.rows.truncate(0);
    file.keep([2]);
    t.ok(file.isUnneeded);
    fs.failNext('delete', 'EIO');
    t.notOk(file.delete());
    const row = put(file, index, 4);
    t.ok(isReadable(file, row));
    file.free(row.slot, 3, 2);
    t.ok(file.delete());
    t.equal(fs.readFile(file.path), null);
  },
);

t.test('a disk that refuses a cut is asked again, and nothing is lost by it', async (t) => {
  const { fs, index, file, rows } = filled(4);
  for (const slot of [2, 3]) file.free(slot, 1, 1);
  file.keep([2]);
  fs.failNext('truncate', 'EIO');
  t.equal(await file.cutTail(), 0);
  t.equal(put(file, index, 9).slot, 2);
  t.equal(await file.cutTail(), 1);
  t.equal(fs.readFile(file.path)!.length, HEADER + 3 * SLOT);
  for (const number of [0, 1]) t.ok(isReadable(file, rows[number]!));
});

t.test('while the end is cut off a row gets a slot before it, or none', async (t) => {
  const { fs, index, file } = filled(6);
  for (const slot of [1, 4, 5]) file.free(slot, 1, 1);
  file.keep([2]);
  const cut = file.cutTail();
  const row = put(file, index, 10);
  t.equal(row.slot, 1);
  t.equal(file.assign(), -1, 'what would be written there might be cut off');
  t.equal(await cut, 2);
  t.equal(fs.readFile(file.path)!.length, HEADER + 4 * SLOT);
  t.equal(put(file, index, 11).slot, 4);
  t.ok(isReadable(file, row));
});

t.test('a file that is deleted while its end is cut off begins anew', async (t) => {
  for (const refusal of [null, 'EIO']) {
    const { fs, index, file, rows } = filled(4);
    for (const { slot } of rows) file.free(slot, 1, 1);
    index.rows.truncate(0);
    file.keep([2]);
    if (refusal !== null) fs.failNext('truncate', refusal);
    const cut = file.cutTail();
    t.ok(file.delete());
    const row = put(file, index, 7);
    t.equal(row.slot, 0);
    await cut;
    t.ok(isReadable(file, row));
    t.equal(put(file, index, 8).slot, 1);
  }
});

t.test(
  'a cut that a crash takes back leaves slots that are used, and cut off, again',
  async (t) => {
    const { fs, index, file, rows } = filled(12);
    await file.sync();
    await fs.syncDirectory(FOLDER);
    for (const { slot } of rows.splice(6)) file.free(slot, 1, 1);
    index.rows.truncate(6);
    file.keep([2, 3]);
    t.equal(await file.cutTail(), 6);
    // It lies where a slot was; the next checkpoint, which would name it, is not written any more.
    put(file, index, 6);
    index.rows.truncate(6);
    const sizes = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const disk = fs.copy().crash('power', new Random(seed));
      sizes.add(disk.readFile(file.path)!.length);
      const next = new ChunkFile(new FileCache(disk), FOLDER, index, ENTRIES);
      for (const _ of rows) next.adopt();
      t.ok(next.isComplete(), `seed ${seed}`);
      const added = [20, 21].map((number) => put(next, index, number));
      index.rows.truncate(6);
      await next.sync();
      next.keep([1, 2]);
      while ((await next.cutTail()) > 0);
      const end = 1 + Math.max(...added.map(({ slot }) => slot));
      t.equal(disk.readFile(file.path)!.length, HEADER + end * SLOT, `seed ${seed}`);
      const after = disk.crash('power', new Random(seed));
      const last = new ChunkFile(new FileCache(after), FOLDER, index, ENTRIES);
      for (const row of [...rows, ...added]) t.ok(isReadable(last, row), `seed ${seed}`);
    }
    for (const slots of [6, 7, 12]) t.ok(sizes.has(HEADER + slots * SLOT), `${slots} slots left`);
  },
);
