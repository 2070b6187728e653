// The rows that drain queues.
import t from 'tap';
import { expectRow } from '../../testing/expect-row.ts';
import { drainRow } from './drain.ts';
import { hugeQueueRow } from './huge-queue.ts';

for (const row of [drainRow, hugeQueueRow]) {
  t.test(`${row.id} runs in small`, async (t) => {
    await expectRow(t, row, 0.0002);
  });
}
