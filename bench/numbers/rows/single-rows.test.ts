import t from 'tap';
import { expectNumbersRow } from '../../testing/expect-numbers-row.ts';
import { BIND_ROWS } from './bind-rows.ts';
import { DELETE_ROW } from './delete-row.ts';
import { LATENCY_ROW } from './latency-row.ts';
import { MANY_QUEUES_ROW } from './many-queues-row.ts';

for (const row of [...BIND_ROWS, DELETE_ROW, LATENCY_ROW, MANY_QUEUES_ROW]) {
  t.test(`${row.id} in small`, (t) => expectNumbersRow(t, row, 0.001));
}
