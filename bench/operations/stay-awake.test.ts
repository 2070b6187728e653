import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { stayAwake } from './stay-awake.ts';

/** The share of 50 ms in which the event loop did not sleep. */
async function busyShare(): Promise<number> {
  const before = performance.eventLoopUtilization();
  await delay(50);
  return performance.eventLoopUtilization(before).utilization;
}

t.test('the event loop does not sleep until it may', async (t) => {
  const sleepAgain = stayAwake();
  t.ok((await busyShare()) > 0.9);
  sleepAgain();
  await delay(1);
  t.ok((await busyShare()) < 0.5);
});
