import t from 'tap';
import { VirtualTime } from './virtual-time.ts';

t.test('timers fire in the order of their time, as time is moved', async (t) => {
  const time = new VirtualTime();
  time.install();
  t.teardown(() => time.uninstall());
  const seen: string[] = [];
  const start = performance.now();
  const note = (what: string) => seen.push(`${what} at ${performance.now() - start}`);
  setTimeout(() => note('late'), 30);
  const interval = setInterval(() => note('again'), 12).unref();
  const gone = setTimeout(() => note('never'), 20);
  setTimeout(() => {
    note('first');
    clearTimeout(gone);
  }, 5);
  time.advance(4);
  t.same(seen, []);
  time.advance(26);
  t.same(seen, ['first at 5', 'again at 12', 'again at 24', 'late at 30']);
  clearInterval(interval);
  const wall = Date.now();
  time.advance(1000);
  t.equal(Date.now() - wall, 1000);
  t.equal(seen.length, 4);
});

t.test('real time is back afterwards', async (t) => {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  const { now } = Date;
  const time = new VirtualTime();
  time.install();
  time.uninstall();
  t.same(
    [
      globalThis.setTimeout,
      globalThis.setInterval,
      globalThis.clearTimeout,
      globalThis.clearInterval,
    ],
    [setTimeout, setInterval, clearTimeout, clearInterval],
  );
  t.equal(Date.now, now);
  t.notOk(Object.hasOwn(performance, 'now'));
});
