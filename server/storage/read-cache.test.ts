/** Reading back, through MessageStore.fetch: what is not in memory comes from the disk, shared and whole. */
import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { StorageHarness } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { testMessageIdAt } from '../testing/test-message.ts';
import { BLOCK_SIZE } from './memory-block.ts';
import { READ_BYTES_MIN } from './message-store.ts';
import type { StorageError } from './storage-error.ts';

interface Reopened {
  readonly h: StorageHarness;
  readonly positions: readonly number[];
}

/** A store opened over messages 1, 2, ... of these body sizes, none of them in memory. */
async function reopened(t: Teardown, sizes: readonly number[]): Promise<Reopened> {
  const fs = new SimulatedFs({ completion: 'manual' });
  const writer = StorageHarness.open(t, fs);
  const queue = writer.queue(1);
  const positions = sizes.map((size, i) => writer.publish(i + 1, [queue], size));
  const synced = writer.store.log.syncAll();
  while (fs.waitingCount > 0) {
    fs.complete();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await synced;
  const h = StorageHarness.open(t, fs.crash('power', new Random(1)));
  return { h, positions };
}

function idOf(h: StorageHarness, position: number): number {
  const block = h.store.locate(position);
  return block === null ? -1 : testMessageIdAt(block.area, position - block.start);
}

async function readEnds(h: StorageHarness): Promise<void> {
  h.fs.complete();
  await new Promise((resolve) => setImmediate(resolve));
}

t.test('a record is here once its read has ended, with what follows it', async (t) => {
  const { h, positions } = await reopened(t, [100, 100, 100]);
  t.equal(h.store.locate(positions[0]!), null);
  const answers: (StorageError | null)[] = [];
  h.store.fetch(positions[0]!, READ_BYTES_MIN, (error) => answers.push(error));
  t.same(answers, [], 'never from within the call');
  await readEnds(h);
  t.same(answers, [null]);
  t.same(
    positions.map((position) => idOf(h, position)),
    [1, 2, 3],
  );
});

t.test('those who ask for the same bytes share one read', async (t) => {
  const { h, positions } = await reopened(t, [100, 100]);
  let answered = 0;
  for (let i = 0; i < 3; i++) h.store.fetch(positions[0]!, READ_BYTES_MIN, () => answered++);
  t.equal(h.fs.waitingCount, 1);
  await readEnds(h);
  t.equal(answered, 3);
});

t.test('a record across the end of what was read is read whole on the second asking', async (t) => {
  const { h, positions } = await reopened(t, [READ_BYTES_MIN - 200, 5000, 70]);
  h.store.fetch(positions[0]!, READ_BYTES_MIN, () => {});
  await readEnds(h);
  t.equal(idOf(h, positions[0]!), 1);
  t.equal(h.store.locate(positions[1]!), null, 'a part of a record is no record');
  h.store.fetch(positions[1]!, READ_BYTES_MIN, () => {});
  await readEnds(h);
  t.equal(idOf(h, positions[1]!), 2);
});

t.test('a record larger than a block is read in two steps: its head, then all of it', async (t) => {
  const { h, positions } = await reopened(t, [3 * BLOCK_SIZE, 10]);
  let reads = 0;
  while (h.store.locate(positions[0]!) === null && reads < 5) {
    reads++;
    h.store.fetch(positions[0]!, READ_BYTES_MIN, () => {});
    await readEnds(h);
  }
  t.equal(reads, 2);
  t.equal(idOf(h, positions[0]!), 1);
});

t.test('what is next is read ahead of need when a block has been used up to its end', async (t) => {
  const { h, positions } = await reopened(
    t,
    Array.from({ length: 300 }, () => 10_000),
  );
  h.store.fetch(positions[0]!, BLOCK_SIZE, () => {});
  await readEnds(h);
  const block = h.store.locate(positions[0]!)!;
  const nextAt = positions.findIndex((position) => position >= block.start + block.used);
  h.store.readAhead(block);
  t.equal(h.fs.waitingCount, 1);
  await readEnds(h);
  t.equal(idOf(h, positions[nextAt]!), nextAt + 1);
  t.equal(idOf(h, positions[nextAt - 1]!), nextAt, 'and the record across the seam');
});

/** Reads the blocks of these messages one after the other, as far as they are not here; returns how many were not. */
async function readThrough(h: StorageHarness, positions: readonly number[]): Promise<number> {
  let missing = 0;
  for (const position of positions) {
    if (h.store.locate(position) === null) missing++;
    while (h.store.locate(position) === null) {
      h.store.fetch(position, BLOCK_SIZE, () => {});
      await readEnds(h);
    }
  }
  return missing;
}

t.test('the cache gives its memory back: the longest unused goes first', async (t) => {
  const sizes = Array.from({ length: 48 }, () => BLOCK_SIZE - 2000);
  const { h, positions } = await reopened(t, sizes);
  await readThrough(h, positions);
  t.equal(h.store.locate(positions[0]!), null);
  t.equal(idOf(h, positions[47]!), 48);
  t.ok(h.pool.usedBytes <= 5 * BLOCK_SIZE);
});

t.test('more is kept while it is of use: what had to go is wanted again', async (t) => {
  const sizes = Array.from({ length: 120 }, () => BLOCK_SIZE - 2000);
  const { h, positions } = await reopened(t, sizes);
  const some = positions.slice(0, 12);
  t.equal(await readThrough(h, some), 12);
  t.not(await readThrough(h, some), 0);
  t.equal(await readThrough(h, some), 0);
  await readThrough(h, positions.slice(12, 30));
  t.ok(h.pool.usedBytes > 16 * BLOCK_SIZE);
  t.ok(h.pool.usedBytes <= 33 * BLOCK_SIZE);
  await readThrough(h, positions.slice(30));
  t.ok(h.pool.usedBytes <= 5 * BLOCK_SIZE, 'nothing came of it for long');
});

t.test('neighbours are found by one read, whichever was asked for', async (t) => {
  const { h, positions } = await reopened(
    t,
    Array.from({ length: 200 }, () => 100),
  );
  let answered = 0;
  for (const at of [150, 3, 77]) h.store.fetch(positions[at]!, READ_BYTES_MIN, () => answered++);
  t.equal(h.fs.waitingCount, 1);
  await readEnds(h);
  t.equal(answered, 3);
  t.equal(idOf(h, positions[0]!), 1);
  t.equal(idOf(h, positions[199]!), 200);
});

t.test('a read that fails says so, and leaves nothing behind', async (t) => {
  const { h, positions } = await reopened(t, [100]);
  const answers: (StorageError | null)[] = [];
  h.store.fetch(positions[0]!, READ_BYTES_MIN, (error) => answers.push(error));
  h.fs.stopAfter(-1);
  await readEnds(h);
  t.match(answers, [{ name: 'StorageError' }]);
  t.equal(h.store.locate(positions[0]!), null);
});

t.test('a store that closed tells nobody of the reads that end later', async (t) => {
  const { h, positions } = await reopened(t, [100]);
  let told = false;
  h.store.fetch(positions[0]!, READ_BYTES_MIN, () => {
    told = true;
  });
  h.store.close();
  await readEnds(h);
  t.notOk(told);
});
