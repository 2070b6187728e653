import fc from 'fast-check';
import t from 'tap';
import { SequenceHeap } from './sequence-heap.ts';

t.test(
  'pairs leave by ascending sequence number, whatever the order in which they came',
  async () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 300 }),
        (sequences) => {
          const heap = new SequenceHeap();
          for (const sequence of sequences) heap.push(sequence, -sequence, 1);
          for (const sequence of [...sequences].sort((a, b) => a - b)) {
            if (heap.topSequence() !== sequence || heap.topPosition() !== -sequence) return false;
            heap.pop();
          }
          return heap.size === 0;
        },
      ),
    );
  },
);

t.test('pushes between pops keep the order', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: 1, max: 1000 })), { maxLength: 200 }),
      (steps) => {
        const heap = new SequenceHeap();
        const model: number[] = [];
        for (const sequence of steps) {
          if (sequence !== null) {
            heap.push(sequence, sequence, 1);
            model.push(sequence);
            model.sort((a, b) => a - b);
          } else if (model.length > 0) {
            if (heap.topSequence() !== model.shift()) return false;
            heap.pop();
          }
          if (heap.size !== model.length) return false;
        }
        return true;
      },
    ),
  );
});
