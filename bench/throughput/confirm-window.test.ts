import fc from 'fast-check';
import t from 'tap';
import { ConfirmWindow } from './confirm-window.ts';
import { LatencyHistogram } from './latency-histogram.ts';

t.test('confirms free the window, one by one and up to a tag', async (t) => {
  const window = new ConfirmWindow(5, new LatencyHistogram());
  t.equal(window.free, 5);
  window.publish(5, 0);
  t.equal(window.free, 0);
  window.settle(1, false, false, 10);
  t.equal(window.free, 1);
  window.settle(4, true, false, 10);
  t.equal(window.free, 4);
  t.equal(window.outstanding, 1);
  t.equal(window.confirmed, 4);
});

t.test(
  'a confirm that is held back holds the window, and what came after it counts once',
  async (t) => {
    const window = new ConfirmWindow(4, new LatencyHistogram());
    window.publish(4, 0);
    window.settle(3, false, false, 1);
    window.settle(2, false, true, 1);
    t.equal(window.free, 0, 'tag 1 is outstanding');
    t.equal(window.outstanding, 2);
    window.settle(3, false, false, 1);
    t.equal(window.outstanding, 2, 'a tag settled twice counts once');
    window.settle(1, false, false, 1);
    t.equal(window.free, 3);
    t.equal(window.confirmed, 2);
    t.equal(window.nacked, 1);
  },
);

t.test('the latency of every message is recorded from its own write', async (t) => {
  const latencyUs = new LatencyHistogram();
  const window = new ConfirmWindow(4, latencyUs);
  window.publish(2, 100);
  window.publish(1, 300);
  window.settle(3, true, false, 400);
  t.match(latencyUs.summary(), { count: 3, minMs: 0.1, maxMs: 0.3 });
});

t.test('with a schedule the latency of every message counts from when it was due', async (t) => {
  const latencyUs = new LatencyHistogram();
  const window = new ConfirmWindow(4, latencyUs);
  window.publish(3, 100, 50);
  window.settle(3, true, false, 400);
  t.match(latencyUs.summary(), { count: 3, minMs: 0.2, p50Ms: 0.25, maxMs: 0.3 });
});

t.test('a confirm of what was never published is an error', async (t) => {
  const window = new ConfirmWindow(4, new LatencyHistogram());
  window.publish(1, 0);
  t.throws(() => window.settle(2, false, false, 1), /never published/);
});

t.test('in any order of confirms the counts are those of a set of numbers', async () => {
  const step = fc.record({
    publish: fc.nat(7),
    pick: fc.nat(),
    multiple: fc.boolean(),
    isNack: fc.boolean(),
  });
  const runs = fc.array(step, { maxLength: 60 });
  const capacities = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(capacities, runs, (capacity, steps) => {
      const latencyUs = new LatencyHistogram();
      const window = new ConfirmWindow(capacity, latencyUs);
      let model: number[] = [];
      let nextTag = 1;
      let settled = 0;
      for (const { publish, pick, multiple, isNack } of steps) {
        const count = Math.min(publish, window.free);
        window.publish(count, 0);
        for (let i = 0; i < count; i++) model.push(nextTag++);
        const tag = model[pick % Math.max(1, model.length)];
        if (tag === undefined) continue;
        window.settle(tag, multiple, isNack, 5);
        const left = model.filter((other) => (multiple ? other > tag : other !== tag));
        settled += model.length - left.length;
        model = left;
        if (window.outstanding !== model.length) return false;
        const span = model.length === 0 ? 0 : nextTag - model[0]!;
        if (window.free !== capacity - span) return false;
      }
      return window.confirmed + window.nacked === settled && latencyUs.count === settled;
    }),
  );
});
