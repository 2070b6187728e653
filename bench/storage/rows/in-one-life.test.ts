// The rows in which a server lives once.
import t from 'tap';
import { expectRow } from '../../testing/expect-row.ts';
import { confirmLatencyRow } from './confirm-latency.ts';
import { confirmStallsRow } from './confirm-stalls.ts';
import { largeBodyRow } from './large-body.ts';
import { loginsRow } from './logins.ts';
import { oneUnackedRow } from './one-unacked.ts';
import { purgeDeleteRow } from './purge-delete.ts';
import { requeueRow } from './requeue.ts';
import { stragglersRow } from './stragglers.ts';

const SCALE = 0.0005;
/** A body of a megabyte, which takes several frames. */
const LARGE_BODY_SCALE = 0.002;

const ROWS = [
  confirmLatencyRow,
  confirmStallsRow,
  loginsRow,
  requeueRow,
  purgeDeleteRow,
  oneUnackedRow,
  stragglersRow,
];
for (const row of ROWS) {
  t.test(`${row.id} runs in small`, async (t) => {
    await expectRow(t, row, SCALE);
  });
}

t.test('large-body runs in small', async (t) => {
  await expectRow(t, largeBodyRow, LARGE_BODY_SCALE);
});
