import t from 'tap';
import { eventually } from './eventually.ts';

t.test('an attempt is repeated until it succeeds, and gives its result', async (t) => {
  let attempts = 0;
  const result = await eventually(() => {
    attempts++;
    if (attempts < 3) throw new Error('not yet');
    return 'done';
  });
  t.same([result, attempts], ['done', 3]);
});

t.test('after the deadline the last failure is thrown', async (t) => {
  const attempt = () => Promise.reject(new Error('never'));
  await t.rejects(eventually(attempt, { deadlineMs: 0 }), { message: 'never' });
});
