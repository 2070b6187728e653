import { mock } from 'node:test';
import t from 'tap';
import { ManualClock } from '../testing/manual-clock.ts';
import { Alarm } from './alarm.ts';

t.test('it goes off once, at the earliest time that was asked for', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  let rings = 0;
  const clock = new ManualClock();
  const alarm = new Alarm(clock, () => rings++);
  const pass = (ms: number): void => {
    clock.advance(ms);
    mock.timers.tick(ms);
  };
  alarm.set(clock.monotonicMs + 1000);
  alarm.set(clock.monotonicMs + 5);
  alarm.set(clock.monotonicMs + 100);
  pass(4);
  t.equal(rings, 0);
  pass(1);
  t.equal(rings, 1);
  pass(2000);
  t.equal(rings, 1, 'what was asked for later is forgotten: whoever rings asks anew');
  alarm.set(clock.monotonicMs - 50);
  pass(1);
  t.equal(rings, 2, 'a time that has passed is now');
  alarm.set(clock.monotonicMs + 5);
  alarm.cancel();
  pass(100);
  t.equal(rings, 2);
  t.end();
});
