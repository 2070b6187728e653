import t from 'tap';
import { expectNumbersRow } from '../../testing/expect-numbers-row.ts';
import { SIZE_ROWS } from './size-rows.ts';

for (const row of SIZE_ROWS) {
  t.test(`${row.id} in small`, (t) => expectNumbersRow(t, row, 0.001));
}
