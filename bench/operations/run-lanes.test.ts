import t from 'tap';
import { runLanes } from './run-lanes.ts';

const never = new AbortController().signal;

t.test('every lane goes on until its step says that it is done', async (t) => {
  const done = [0, 0, 0];
  await runLanes(3, never, async (lane) => {
    if (done[lane] === lane) return false;
    done[lane]!++;
    return true;
  });
  t.same(done, [0, 1, 2]);
});

t.test('when one fails the others come to rest before it is told', async (t) => {
  let steps = 0;
  let isAtRest = false;
  const run = runLanes(2, never, async (lane) => {
    steps++;
    if (lane === 0) throw new Error('first');
    await new Promise(setImmediate);
    isAtRest = true;
    return true;
  });
  await t.rejects(run, { message: 'first' });
  t.ok(isAtRest);
  t.equal(steps, 2);
});

t.test('the signal ends all of them', async (t) => {
  const interrupt = new AbortController();
  let steps = 0;
  await runLanes(2, interrupt.signal, async () => {
    if (++steps === 10) interrupt.abort();
    return true;
  });
  t.ok(steps >= 10 && steps <= 12);
});
