import assert from 'node:assert/strict';
import t from 'tap';
import { eventually } from '../testing/eventually.ts';
import { LoopDelay } from './loop-delay.ts';

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

t.test('a long turn shows in its window, and not in the next', async (t) => {
  let nowMs = 1000;
  const delay = new LoopDelay(() => nowMs);
  t.teardown(() => delay.stop());
  delay.start();
  t.same(delay.latest, { windowMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  await eventually(() => {
    block(100);
    assert.ok(delay.latest.maxMs >= 80);
  });
  nowMs += 10_000;
  delay.endWindow();
  const { windowMs, maxMs } = delay.latest;
  t.equal(windowMs, 10_000);
  t.ok(maxMs >= 80);
  delay.endWindow();
  t.equal(delay.latest.maxMs, 0);
});
