import t from 'tap';
import { parseDurationMs } from './duration.ts';

t.test('a time is a number of milliseconds, or has a unit', async (t) => {
  const cases: readonly [string, number | null][] = [
    ['0', 0],
    ['250', 250],
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5 s', 1500],
    ['2M', 120_000],
    ['1h', 3_600_000],
    ['', null],
    ['-1s', null],
    ['s', null],
    ['10 apples', null],
    ['1d', null],
    ['1s 2', null],
    ['1e3', null],
  ];
  for (const [text, timeMs] of cases) t.equal(parseDurationMs(text), timeMs, text);
});
