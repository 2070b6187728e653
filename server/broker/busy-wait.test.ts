import t from 'tap';
import { nextTurn } from '../base/next-turn.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { BusyWait } from './busy-wait.ts';

const WAIT_MS = 1;
/** As many answered turns as make it pay. */
const ANSWERS = 8;

/** One turn after another that sends something; each but the first begins `gapMs` after it. */
function setUp(t: Teardown, waitMs = WAIT_MS) {
  const clock = new ManualClock();
  t.teardown(() => clock.advance(10 * WAIT_MS));
  const wait = new BusyWait(clock, waitMs);
  const turn = ({ gapMs = WAIT_MS, answered = true } = {}) => {
    clock.advance(gapMs);
    if (answered) wait.answered();
    wait.turnBegins();
    wait.turnSent();
  };
  return { clock, wait, turn };
}

/** So many turns, answered, make it wait. */
function answeredTurns({ turn }: ReturnType<typeof setUp>, count = ANSWERS): void {
  for (let i = 0; i < count; i++) turn();
}

t.test('the loop stays awake once clients have answered some turns in time', async (t) => {
  const it = setUp(t);
  it.turn({ answered: false });
  answeredTurns(it, ANSWERS - 1);
  t.notOk(it.wait.isAwake);
  it.turn();
  t.ok(it.wait.isAwake);
  await nextTurn();
  await nextTurn();
  t.ok(it.wait.isAwake, 'as long as the time is not over');
  it.clock.advance(WAIT_MS * 1.5);
  await nextTurn();
  await nextTurn();
  t.notOk(it.wait.isAwake);
});

t.test('a turn that sends nothing ends it', async (t) => {
  const it = setUp(t);
  answeredTurns(it, ANSWERS + 1);
  t.ok(it.wait.isAwake);
  it.wait.turnBegins();
  await nextTurn();
  await nextTurn();
  t.notOk(it.wait.isAwake);
});

t.test('answers that come late do not count, nor do words of others', async (t) => {
  for (const useless of [{ gapMs: WAIT_MS * 1.5 }, { answered: false }]) {
    const it = setUp(t);
    for (let i = 0; i < 10 * ANSWERS; i++) it.turn(useless);
    t.notOk(it.wait.isAwake);
  }
});

t.test('it ends when it does not pay any more, and begins again when it does', async (t) => {
  const it = setUp(t);
  answeredTurns(it, 10 * ANSWERS);
  it.turn({ gapMs: WAIT_MS * 2 });
  it.turn({ gapMs: WAIT_MS * 2 });
  t.ok(it.wait.isAwake, 'of many that were answered two may be late');
  it.turn({ gapMs: WAIT_MS * 2 });
  it.clock.advance(WAIT_MS * 2);
  await nextTurn();
  await nextTurn();
  it.turn({ gapMs: 0 });
  t.notOk(it.wait.isAwake);
  answeredTurns(it);
  t.ok(it.wait.isAwake);
});

t.test('without a time the loop always sleeps', async (t) => {
  const it = setUp(t, 0);
  for (let i = 0; i < 10 * ANSWERS; i++) it.turn({ gapMs: 0 });
  t.notOk(it.wait.isAwake);
});
