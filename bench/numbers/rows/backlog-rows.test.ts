import t from 'tap';
import { expectNumbersRow } from '../../testing/expect-numbers-row.ts';
import { BACKLOG_ROWS } from './backlog-rows.ts';

for (const row of BACKLOG_ROWS) {
  t.test(`${row.id} in small`, (t) => expectNumbersRow(t, row, 0.001));
}
