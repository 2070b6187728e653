import t from 'tap';
import { expectNumbersRow } from '../../testing/expect-numbers-row.ts';
import { ROUTED_ROWS } from './routed-rows.ts';

for (const row of ROUTED_ROWS) {
  t.test(`${row.id} in small`, (t) => expectNumbersRow(t, row, 0.001));
}
