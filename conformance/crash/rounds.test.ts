import t from 'tap';
import { playKillRounds } from './rounds.ts';

t.test('a server killed twice under load has lost nothing and invents nothing', async (t) => {
  const { violations, confirmedCount } = await playKillRounds(2, 7);
  t.same(violations, []);
  t.ok(confirmedCount > 0);
});
