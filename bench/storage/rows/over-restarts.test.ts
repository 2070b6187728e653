// The rows in which servers are stopped or killed.
import t from 'tap';
import { expectRow } from '../../testing/expect-row.ts';
import { killRow } from './kill.ts';
import { restartRow } from './restart.ts';
import { waitingMemoryRow } from './waiting-memory.ts';

for (const row of [restartRow, killRow, waitingMemoryRow]) {
  t.test(`${row.id} runs in small`, async (t) => {
    await expectRow(t, row, 0.0005);
  });
}
