import fc from 'fast-check';
import t from 'tap';
import { NumberSet } from './number-set.ts';

t.test('it counts what a set counts, whatever the order, over pages', async () => {
  const numbers = fc.array(fc.oneof(fc.nat(200), fc.integer({ min: 65_500, max: 65_600 })));
  fc.assert(
    fc.property(numbers, (added) => {
      const set = new NumberSet();
      const model = new Set<number>();
      for (const number of added) {
        if (set.add(number) !== !model.has(number)) return false;
        model.add(number);
      }
      const highest = Math.max(-1, ...model);
      return (
        set.count === model.size &&
        set.highest === highest &&
        set.missing === highest + 1 - model.size
      );
    }),
  );
});

t.test('a full page knows its numbers still', async (t) => {
  const set = new NumberSet();
  for (let number = 0; number < 70_000; number++) set.add(number);
  t.equal(set.missing, 0);
  t.notOk(set.add(5), 'it has come');
  t.notOk(set.add(69_999), 'it has come');
  t.ok(set.add(70_000));
  t.equal(set.count, 70_001);
});

t.test('a number on the wire is the nearest of those that it may stand for', async (t) => {
  const set = new NumberSet();
  t.equal(set.unwrap(7), 7);
  set.add(2 ** 32 - 1);
  t.equal(set.unwrap(0), 2 ** 32);
  t.equal(set.unwrap(2 ** 32 - 2), 2 ** 32 - 2);
  set.add(3 * 2 ** 32 + 5);
  t.equal(set.unwrap(6), 3 * 2 ** 32 + 6);
});
