import t from 'tap';
import { spreadOf } from './samples.ts';

t.test('the median is the middle sample, or the mean of the middle two', async (t) => {
  t.same(spreadOf([3, 1, 200]), { median: 3, min: 1, max: 200 });
  t.same(spreadOf([10, 4, 2, 1]), { median: 3, min: 1, max: 10 });
  t.same(spreadOf([7]), { median: 7, min: 7, max: 7 });
});

t.test('there is no median of nothing', async (t) => {
  t.throws(() => spreadOf([]), RangeError);
});
