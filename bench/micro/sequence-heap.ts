/** Messages that come back in any order and leave in their own. */
import { SequenceHeap } from '../../server/base/sequence-heap.ts';
import type { MicroBenchmark } from './harness.ts';

const ENTRIES = 10_000;
/** Coprime to ENTRIES: visits every number once, in a scattered order. */
const STEP = 7919;

/** One push and one pop, in a heap of up to 10,000. */
export const sequenceHeapBenchmark: MicroBenchmark = {
  name: 'sequence-heap',
  operation: 'push and pop',
  prepare: () => {
    const heap = new SequenceHeap();
    return {
      operationsPerRound: ENTRIES,
      round: () => {
        for (let i = 0; i < ENTRIES; i++) heap.push((i * STEP) % ENTRIES, i, 1);
        let hash = 0;
        while (heap.size > 0) {
          hash = (Math.imul(hash, 31) + heap.topSequence() + heap.topPosition()) | 0;
          heap.pop();
        }
        return hash;
      },
    };
  },
};
