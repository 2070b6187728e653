/** Damage that a boot finds is told once, kept aside once, and over when a checkpoint lies behind it. */
import { join } from 'node:path';
import t from 'tap';
import { Random } from '../testing/random.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { STORE_DIRECTORY, StorageHarness } from '../testing/storage-harness.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { ASIDE_FOLDER } from './aside.ts';
import { offsetOf } from './position.ts';
import { segmentFileName } from './segment.ts';

const SEGMENT = join(STORE_DIRECTORY, segmentFileName(1));

function overwrite(disk: SimulatedFs, at: number, text: string): void {
  const file = disk.openForWriting(SEGMENT);
  file.writeAt(Buffer.from(text), 0, text.length, at);
  file.close();
}

const asideIn = (disk: SimulatedFs) => disk.list(join(STORE_DIRECTORY, ASIDE_FOLDER));

/** A disk with nine messages, each in a batch of its own, the third one damaged; and where the batches begin. */
async function damagedDisk(t: Teardown): Promise<{ disk: SimulatedFs; offsets: number[] }> {
  const h = StorageHarness.open(t, new SimulatedFs());
  const queue = h.queue(1);
  const offsets: number[] = [];
  for (let id = 1; id <= 9; id++) {
    offsets.push(offsetOf(h.store.log.end));
    h.publish(id, [queue], 100);
    await h.store.log.syncAll();
  }
  const disk = h.fs.crash('power', new Random(1));
  overwrite(disk, offsets[2]! + 60, 'damage');
  return { disk, offsets };
}

t.test('damage is told once, however often the server starts before it is behind', async (t) => {
  const { disk, offsets } = await damagedDisk(t);
  const first = StorageHarness.open(t, disk);
  t.match(first.recovered.damage, [{ reason: /are damaged: they are skipped/, isKnown: false }]);
  const kept = asideIn(disk);
  for (let i = 0; i < 2; i++) {
    const again = StorageHarness.open(t, disk.copy().crash('power', new Random(i)));
    t.match(again.recovered.damage, [{ reason: /are damaged/, isKnown: true }]);
    t.same(asideIn(again.fs), kept);
    t.same(again.idsOf(1), [1, 2, 4, 5, 6, 7, 8, 9]);
  }
  const more = disk.copy();
  overwrite(more, offsets[5]! + 60, 'damage');
  const third = StorageHarness.open(t, more);
  t.same(
    third.recovered.damage.map(({ isKnown }) => isKnown),
    [true, false],
  );
  t.equal(asideIn(more).length, kept.length + 1);
});

t.test('another damage at the same place is kept beside the first', async (t) => {
  const { disk, offsets } = await damagedDisk(t);
  StorageHarness.open(t, disk);
  const again = disk.copy();
  overwrite(again, offsets[2]! + 60, 'worse!');
  StorageHarness.open(t, again);
  const name = `${segmentFileName(1)}.${offsets[2]}`;
  t.same(asideIn(again), ['damage.json', name, `${name}.2`]);
  const kept = [name, `${name}.2`].map((each) =>
    again.readFile(join(STORE_DIRECTORY, ASIDE_FOLDER, each))!.toString('latin1'),
  );
  t.match(kept, [/damage/, /worse!/]);
});

t.test('a list of damage that cannot be read means that all is told again', async (t) => {
  const { disk } = await damagedDisk(t);
  StorageHarness.open(t, disk);
  for (const text of ['[', '{"a":1}', '']) {
    const again = disk.copy();
    const list = again.openForWriting(join(STORE_DIRECTORY, ASIDE_FOLDER, 'damage.json'));
    list.truncate(0);
    list.writeAt(Buffer.from(text), 0, text.length, 0);
    t.match(StorageHarness.open(t, again).recovered.damage, [{ isKnown: false }], text);
  }
});

t.test(
  'the start behind a checkpoint of the damaged run finds none, and deletes again',
  async (t) => {
    const { disk } = await damagedDisk(t);
    const damaged = StorageHarness.open(t, disk);
    const queue = damaged.queue(1);
    damaged.publish(10, [queue], 100);
    t.equal(damaged.store.purge(queue), 9);
    for (let i = 0; i < 3; i++) await damaged.checkpoint([queue]);
    damaged.store.deleteSpentSegments();
    t.ok(disk.readFile(SEGMENT), 'nothing is deleted while the server runs that found it');
    const next = StorageHarness.open(t, disk.crash('power', new Random(1)));
    t.same(next.recovered.damage, []);
    const back = next.queue(1);
    next.publish(11, [back], 100);
    for (let i = 0; i < 3; i++) await next.checkpoint([back]);
    next.store.deleteSpentSegments();
    t.equal(next.fs.readFile(SEGMENT), null);
    t.ok(asideIn(next.fs).length > 1, 'what was damaged is still there for people');
  },
);
