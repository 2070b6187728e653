import fc from 'fast-check';
import t from 'tap';
import { checkProperty } from '../../codegen/runtime/testing/check-property.ts';
import { ConfirmTracker } from './confirm-tracker.ts';

t.test(
  'what is settled is the longest run of publishes that need no more of the log',
  async (t) => {
    // A publish into the log, one without, the end of a batch, or a sync of so many of the positions open.
    const plan = fc.array(fc.oneof(fc.constantFrom('log', 'none', 'batch'), fc.nat(20)), {
      maxLength: 200,
    });
    checkProperty(
      t,
      fc.property(plan, (steps) => {
        const tracker = new ConfirmTracker();
        /** Position of each publish; -1 without one. */
        const positions: number[] = [];
        let batchId = 1;
        let end = 100;
        let durableUpTo = 100;
        for (const step of steps) {
          if (step === 'log') {
            positions.push(end);
            const isFirst = positions.filter((position) => position >= 0).length === 1;
            const asks = tracker.publishedToLog(batchId, end, 1);
            if (isFirst && !asks) return false;
            end += 10;
          } else if (step === 'none') {
            positions.push(-1);
            tracker.publishedWithoutLog(1);
          } else if (step === 'batch') {
            batchId++;
          } else {
            // What is durable ends with a batch.
            durableUpTo = Math.min(end, durableUpTo + 10 * step);
            if (durableUpTo === end) batchId++;
            tracker.durableAdvanced(durableUpTo);
          }
          const waitingAt = positions.findIndex((position) => position >= durableUpTo);
          const settled = waitingAt < 0 ? positions.length : waitingAt;
          if (tracker.published !== positions.length) return false;
          // Publishes of one batch are settled together, so it may lag behind inside of one.
          if (tracker.settled > settled) return false;
          if (durableUpTo === end && tracker.settled !== settled) return false;
          if (durableUpTo === end && tracker.isWaiting) return false;
        }
        return true;
      }),
      { numRuns: 500 },
    );
  },
);

t.test('the log is asked once for each batch', async (t) => {
  const tracker = new ConfirmTracker();
  t.same(
    [
      tracker.publishedToLog(1, 10, 1),
      tracker.publishedToLog(1, 20, 1),
      tracker.publishedToLog(2, 30, 1),
      tracker.publishedToLog(2, 40, 1),
    ],
    [true, false, true, false],
  );
  tracker.durableAdvanced(30);
  t.equal(tracker.settled, 2);
  t.ok(tracker.isWaiting);
  tracker.durableAdvanced(50);
  t.equal(tracker.settled, 4);
  t.notOk(tracker.isWaiting);
  t.equal(tracker.publishedToLog(2, 60, 1), true, 'also for one that it had asked for before');
});

t.test('a publish at the end of what is durable still waits', async (t) => {
  const tracker = new ConfirmTracker();
  tracker.publishedToLog(1, 10, 1);
  tracker.durableAdvanced(10);
  t.equal(tracker.settled, 0);
  tracker.durableAdvanced(11);
  t.equal(tracker.settled, 1);
});
