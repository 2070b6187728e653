import t from 'tap';
import { expectRow } from '../../testing/expect-row.ts';
import { MEMORY_ROWS } from '../memory-command.ts';

for (const row of MEMORY_ROWS) {
  t.test(`${row.id} runs in small`, async (t) => {
    await expectRow(t, row, 0.002);
  });
}
