import t from 'tap';
import { playFullDiskRounds, SMALL_DISK_BYTES } from './full-disk-rounds.ts';
import { playKillRounds } from './rounds.ts';
import { SmallDisk } from './small-disk.ts';

t.test('a server killed twice under load has lost nothing and invents nothing', async (t) => {
  const { violations, confirmedCount } = await playKillRounds(2, 7);
  t.same(violations, []);
  t.ok(confirmedCount > 0);
});

t.test('a server killed on a full disk has lost nothing, and becomes writable again', async (t) => {
  const disk = SmallDisk.mount(SMALL_DISK_BYTES);
  if (typeof disk === 'string') {
    t.pass(`skipped, since no disk can be mounted: ${disk}`);
    return;
  }
  t.teardown(() => disk.unmount());
  const { violations, confirmedCount } = await playFullDiskRounds(disk, 5, 7);
  t.same(violations, []);
  t.ok(confirmedCount > 0);
});
