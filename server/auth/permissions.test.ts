import t from 'tap';
import { Permissions } from './permissions.ts';

t.test('each action has its own pattern', async (t) => {
  const permissions = new Permissions({ configure: '^c', write: '^w', read: '^r' });
  const answersFor = (name: string) => [
    permissions.canConfigure(name),
    permissions.canWrite(name),
    permissions.canRead(name),
  ];
  t.same(answersFor('c'), [true, false, false]);
  t.same(answersFor('w'), [false, true, false]);
  t.same(answersFor('r'), [false, false, true]);
});

t.test('a pattern may match anywhere in the name, unless it says otherwise', async (t) => {
  const permissions = new Permissions({ configure: 'b', write: '^b$', read: '.*' });
  t.ok(permissions.canConfigure('abc'));
  t.notOk(permissions.canWrite('abc'));
  t.ok(permissions.canWrite('b'));
  t.ok(permissions.canRead(''));
});

t.test('an empty pattern matches the empty name alone', async (t) => {
  const permissions = new Permissions({ configure: '', write: '', read: '' });
  t.ok(permissions.canConfigure(''));
  t.notOk(permissions.canConfigure('a'));
});

t.test('answers stay right when more names are asked for than are kept', async (t) => {
  const permissions = new Permissions({ configure: '7$', write: '', read: '' });
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 5000; index++) {
      const answer = permissions.canConfigure(`queue-${index}`);
      if (answer !== (index % 10 === 7)) t.fail(`queue-${index}`);
    }
  }
});
