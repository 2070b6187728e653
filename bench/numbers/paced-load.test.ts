import t from 'tap';
import { PacedLoad } from './paced-load.ts';

t.test('every message that came back after the warm-up is counted once', async (t) => {
  let sent = 0;
  const load = new PacedLoad(10_000, 20, 16, (count) => {
    t.ok(count <= 16);
    sent += count;
    setImmediate(() => load.add(count));
  });
  await load.run();
  t.equal(sent, 400);
  t.equal(load.latencyUs.count, 200);
});

t.test('a stall shows in all messages that were due meanwhile', async (t) => {
  // Method: the process does nothing else for 40 ms, in which 40 messages were due. Nothing here can be too fast.
  let sent = 0;
  const load = new PacedLoad(1000, 100, 1000, (count) => {
    if (sent <= 120 && sent + count > 120) {
      const endMs = performance.now() + 40;
      while (performance.now() < endMs);
    }
    sent += count;
    load.add(count);
  });
  await load.run();
  const { maxMs = 0, p75Ms = 0 } = load.latencyUs.summary() ?? {};
  t.ok(maxMs >= 35, `${maxMs} ms`);
  // 40 of 100: at least a quarter of them waited for 10 ms and more.
  t.ok(p75Ms >= 10, `${p75Ms} ms`);
});
