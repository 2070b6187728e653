import t from 'tap';
import { describeMachine } from './describe-machine.ts';

t.test('a page of results says what the machine is, and what it can do just then', async (t) => {
  const [when, machine, speed, pages] = describeMachine();
  t.match(when, /^\d{4}-\d\d-\d\d, commit ./);
  t.match(machine, /, \d+ cores, Linux .+, Node v\d+/);
  t.match(speed, /^memory copied at \d+\.\d GB\/s, TCP congestion control \w+$/);
  t.match(
    pages,
    /^a new file of 64 MiB written at \d+\.\d\d GB\/s, written over at \d+\.\d\d GB\/s$/,
  );
});
