import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { eventually } from '../testing/eventually.ts';
import { LoopUse } from './loop-use.ts';

t.test('a loop that works is busy, one that waits is not', async (t) => {
  const use = new LoopUse();
  const end = performance.now() + 50;
  while (performance.now() < end);
  t.ok(use.takeBusyShare() > 0.9);
  await eventually(async () => {
    use.takeBusyShare();
    await sleep(100);
    assert(use.takeBusyShare() < 0.5);
  });
});
