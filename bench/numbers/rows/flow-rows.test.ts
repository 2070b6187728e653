import t from 'tap';
import { expectNumbersRow } from '../../testing/expect-numbers-row.ts';
import { FLOW_ROWS, ONE_TO_ONE } from './flow-rows.ts';

for (const row of FLOW_ROWS) {
  t.test(`${row.id} in small`, async (t) => {
    const outcomes = await expectNumbersRow(t, row, 0.001, row.id === ONE_TO_ONE);
    for (const { figures } of outcomes) t.ok(figures[0]?.costs[0]?.serverNsPerMessage !== null);
  });
}
