import t from 'tap';
import { ConsumePace } from './consume-pace.ts';
import { Pacer } from './pacer.ts';
import { Schedule } from './schedule.ts';

t.test('messages are due at a steady rate, however late somebody asks', async (t) => {
  const schedule = new Schedule(1000);
  schedule.start(5000);
  t.equal(schedule.intervalUs, 1000);
  t.equal(schedule.dueUs(0), 6000);
  t.equal(schedule.dueUs(9), 15_000);
  t.equal(schedule.dueCount(5999), 0);
  t.equal(schedule.dueCount(6000), 1);
  t.equal(schedule.dueCount(15_999), 10);
});

t.test('schedules of several producers need not coincide', async (t) => {
  const schedules = [1, 2, 3, 4].map((which) => new Schedule(1000, which / 4));
  for (const schedule of schedules) schedule.start(0);
  t.same(
    schedules.map((schedule) => schedule.dueUs(0)),
    [250, 500, 750, 1000],
  );
});

t.test('the pacer wakes nobody early, and everybody in the order of time', async (t) => {
  const pacer = new Pacer();
  const startedUs = performance.now() * 1000;
  const woken: number[] = [];
  await new Promise<void>((resolve) => {
    for (const dueUs of [6000, 100, 3000, 300]) {
      pacer.wakeAt(startedUs + dueUs, () => {
        t.ok(performance.now() * 1000 >= startedUs + dueUs, 'not early');
        woken.push(dueUs);
        if (woken.length === 4) resolve();
      });
    }
  });
  t.same(
    [...woken].sort((a, b) => a - b),
    woken,
  );
});

t.test('a pacer that was stopped wakes nobody', async (t) => {
  const pacer = new Pacer();
  pacer.wakeAt(0, () => t.fail('woken'));
  pacer.stop();
  await new Promise(setImmediate);
  await new Promise(setImmediate);
});

/** Wakes at once, and keeps for when that was asked. */
class InstantPacer extends Pacer {
  readonly dueUs: number[] = [];

  override wakeAt(dueUs: number, wake: () => void): void {
    this.dueUs.push(dueUs);
    wake();
  }
}

t.test('a consumer takes what is due, and does not make up for a long rest', async (t) => {
  const pacer = new InstantPacer();
  const pace = new ConsumePace(new Schedule(1000), pacer);
  const granted: number[] = [];
  const grant = (count: number): void => void granted.push(count);
  pace.whenDue(grant, 10_000);
  pace.whenDue(grant, 11_000);
  pace.whenDue(grant, 15_960);
  pace.whenDue(grant, 10_000_000);
  t.same(pacer.dueUs, [11_000, 12_000, 16_010, 10_001_000]);
  t.same(granted, [1, 1, 4, 1]);
});
