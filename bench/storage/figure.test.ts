import t from 'tap';
import { Figure, type Goal } from './figure.ts';

function figure(goal: Goal, samples: readonly number[]): Figure {
  const made = new Figure('what', 'ms', goal);
  for (const sample of samples) made.add(sample);
  return made;
}

t.test('a goal for the median forgives a sample, one for every sample does not', async (t) => {
  const samples = [1, 10, 2];
  t.equal(figure({ kind: 'at most', bound: 2, of: 'median' }, samples).verdict, 'pass');
  t.equal(figure({ kind: 'at most', bound: 1.9, of: 'median' }, samples).verdict, 'FAIL');
  t.equal(figure({ kind: 'at most', bound: 10, of: 'every sample' }, samples).verdict, 'pass');
  t.equal(figure({ kind: 'at most', bound: 9.9, of: 'every sample' }, samples).verdict, 'FAIL');
  t.equal(figure({ kind: 'at least', bound: 2, of: 'median' }, samples).verdict, 'pass');
  t.equal(figure({ kind: 'at least', bound: 2.1, of: 'median' }, samples).verdict, 'FAIL');
  t.equal(figure({ kind: 'at least', bound: 1, of: 'every sample' }, samples).verdict, 'pass');
  t.equal(figure({ kind: 'at least', bound: 1.1, of: 'every sample' }, samples).verdict, 'FAIL');
});

t.test('what was not measured fails, what has no goal is not judged', async (t) => {
  t.equal(figure({ kind: 'at most', bound: 1, of: 'median' }, []).verdict, 'FAIL');
  t.equal(figure(null, []).verdict, 'FAIL');
  t.equal(figure(null, [1]).verdict, 'not judged');
});

t.test('a figure tells goal, median, range and remarks in its unit', async (t) => {
  const shown = new Figure('rate', 'msg/s', { kind: 'at least', bound: 0.5e6, of: 'median' });
  shown.add(1e6, { generator: 0.2, server: 0.9 });
  t.equal(shown.measured, '1.00 M/s');
  shown.add(3e6, { generator: 0.4, server: 1 });
  shown.note('beside', 7e6);
  t.equal(shown.mustReach, 'at least 0.50 M/s');
  t.equal(shown.measured, '2.00 M/s (1.00 M/s to 3.00 M/s)');
  t.equal(shown.remarks, 'beside 7.00 M/s, server 95 % of a core, generator 30 %');
});

t.test('a generator that was the limit is told', async (t) => {
  const shown = new Figure('rate', 'msg/s', null);
  shown.add(1e6, { generator: 0.97, server: 0.5 });
  t.match(shown.remarks, 'generator 97 %: it was the limit');
});
