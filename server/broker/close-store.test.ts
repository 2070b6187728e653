/** Goal: a stop while the disk refuses brings back nothing that was acked, or says so. Method: a simulated disk. */
import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { StorageHarness } from '../testing/storage-harness.ts';
import { closeStore } from './close-store.ts';

/** So long that a test which waits for it hangs. */
const FOREVER_MS = 1_000_000;

/** A store with ten messages, stable, of which four have been acked since. */
async function acked(h: StorageHarness) {
  const queue = h.queue(1);
  for (let id = 1; id <= 10; id++) h.publish(id, [queue]);
  await h.store.log.syncAll();
  h.consume(queue, 4);
  return {
    durableIndexes: () => [queue],
    allIndexes: () => [queue],
    definitions: () => [],
    nextQueueNumber: () => 2,
  };
}

const LEFT = [5, 6, 7, 8, 9, 10];

t.test('a disk that refuses for a while is asked again until all is on it', async (t) => {
  for (const [call, errno] of [
    ['sync', 'EIO'],
    ['write', 'EIO'],
    ['write', 'ENOSPC'],
    ['rename', 'EIO'],
  ] as const) {
    const h = StorageHarness.open(t, new SimulatedFs());
    const source = await acked(h);
    h.fs.failFor({ calls: [call], errno, length: 3 });
    t.match(
      await closeStore(h.store, source, FOREVER_MS, FOREVER_MS),
      { kind: 'clean' },
      `${call} ${errno}`,
    );
    const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
    t.same(again.idsOf(1), LEFT);
    t.ok(again.recovered.clean);
  }
});

t.test('a disk that refuses to the end is told, with the time that is at stake', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const source = await acked(h);
  h.store.log.endTurn();
  h.clock.advance(1234);
  h.fs.failFor({ calls: ['sync'], errno: 'EIO', length: 1000 });
  t.match(await closeStore(h.store, source, 0, FOREVER_MS), {
    kind: 'unstable',
    error: { code: 'STORAGE_EIO' },
    unstableMs: 1234,
  });
});

t.test('a disk that does not answer is waited for as long, and no longer', async (t) => {
  const fs = new SimulatedFs({ completion: 'manual' });
  const h = StorageHarness.open(t, fs);
  const queue = h.queue(1);
  h.publish(1, [queue]);
  const source = {
    durableIndexes: () => [queue],
    allIndexes: () => [queue],
    definitions: () => [],
    nextQueueNumber: () => 2,
  };
  t.match(await closeStore(h.store, source, 0, 1), {
    kind: 'unstable',
    error: { message: 'the disk does not answer' },
  });
  fs.complete();
});

t.test('a checkpoint that is refused to the end brings nothing back', async (t) => {
  const h = StorageHarness.open(t, new SimulatedFs());
  const source = await acked(h);
  h.fs.failFor({ calls: ['create'], errno: 'EIO', length: 1000, path: /checkpoint/ });
  t.match(await closeStore(h.store, source, 0, FOREVER_MS), { kind: 'stable' });
  h.fs.heal();
  const again = StorageHarness.open(t, h.fs.crash('power', new Random(1)));
  t.same(again.idsOf(1), LEFT);
  t.notOk(again.recovered.clean);
});
