import t from 'tap';
import { shuffled } from './shuffled.ts';

t.test(
  'a shuffle loses nothing, is the same for a seed, and is far from the first order',
  async (t) => {
    const numbers = Uint32Array.from({ length: 10_000 }, (_, i) => i + 1);
    const first = shuffled(numbers, 1);
    t.equal(shuffled(numbers, 1).join(), first.join());
    t.not(shuffled(numbers, 2).join(), first.join());
    t.equal(first.slice().sort().join(), numbers.join());
    t.ok(first.filter((number, i) => number === i + 1).length < 10);
  },
);
