import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { nextTurn } from '../base/next-turn.ts';
import { eventually } from '../testing/eventually.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { openBroker, publishAll, RecordingSink } from '../testing/open-broker.ts';
import { SlowClock } from '../testing/slow-clock.ts';
import type { Queue } from './queue.ts';
import { Reactor } from './reactor.ts';

t.test('a turn ends the logs, flushes what was marked, and then lets readers go on', async (t) => {
  const reactor = new Reactor(new ManualClock(), (error) => t.fail(String(error)));
  const steps: string[] = [];
  reactor.addTurnEnder({ endTurn: () => steps.push('log') });
  reactor.resumeLater({ resume: () => steps.push('resume') });
  reactor.markOutput({ flush: () => steps.push('flush') });
  t.same(steps, []);
  await nextTurn();
  t.same(steps, ['log', 'flush', 'resume']);
  reactor.schedule();
  reactor.schedule();
  await nextTurn();
  t.same(steps, ['log', 'flush', 'resume', 'log']);
});

t.test('what a turn brings about comes in the next one', async (t) => {
  const reactor = new Reactor(new ManualClock(), (error) => t.fail(String(error)));
  let flushes = 0;
  const output = {
    flush: () => {
      flushes++;
      if (flushes < 3) reactor.markOutput(output);
    },
  };
  reactor.markOutput(output);
  await nextTurn();
  t.equal(flushes, 1);
  await nextTurn();
  t.equal(flushes, 2);
  await nextTurn();
  await nextTurn();
  t.equal(flushes, 3);
});

t.test(
  'who lets consumers catch up goes on when they have, or when the time is over',
  async (t) => {
    const clock = new ManualClock();
    const reactor = new Reactor(clock, (error) => t.fail(String(error)));
    const resumed: string[] = [];
    const yielding = (name: string) => ({
      mayGoOn: false,
      resume: () => resumed.push(name),
    });
    const long = yielding('long');
    const now = clock.monotonicMs;
    t.equal(reactor.resumeAfterYield(yielding('short'), 64 * 1024), now + 1);
    t.equal(reactor.resumeAfterYield(long, 128 * 1024), now + 3, 'behind the one before');
    const patient = Array.from({ length: 100 }, () => yielding('patient'));
    const ends = patient.map((other) => reactor.resumeAfterYield(other, 64 * 1024));
    t.equal(ends.at(-1), now + 21, 'but nobody waits for long');
    await nextTurn();
    t.same(resumed, []);
    clock.advance(1);
    await eventually(() => {
      if (resumed.length === 0) throw new Error('its time is over');
    });
    reactor.schedule();
    await nextTurn();
    t.same(resumed, ['short']);
    long.mayGoOn = true;
    reactor.schedule();
    await nextTurn();
    t.same(resumed, ['short', 'long']);
    for (const other of patient) other.mayGoOn = true;
    reactor.schedule();
    await eventually(() => {
      if (resumed.length < 102) throw new Error('they go on, a few in each turn');
    });
  },
);

t.test('publishers wait for queues that a turn did not come to', async (t) => {
  const reactor = new Reactor(new SlowClock(), (error) => t.fail(String(error)));
  const queues = Array.from({ length: 20 }, () => {
    const queue: Partial<Queue> = { isMarked: false, isBehind: false, isParked: true };
    return queue as Queue;
  });
  let resumed = 0;
  for (let i = 0; i < 20; i++) reactor.resumeLater({ resume: () => resumed++ });
  for (const queue of queues) reactor.markQueue(queue);
  await nextTurn();
  const isLeft = queues.map(({ isBehind }) => isBehind);
  t.equal(isLeft.indexOf(true), 15);
  t.notOk(isLeft.includes(false, 15));
  t.equal(resumed, 2);
  await nextTurn();
  t.notOk(queues.some(({ isBehind }) => isBehind));
  t.equal(resumed, 10);
});

t.test('a step that fails does not take the turn along', async (t) => {
  const failures: unknown[] = [];
  const reactor = new Reactor(new ManualClock(), (error) => failures.push(error));
  const fail = () => {
    throw new Error('broken');
  };
  const steps: string[] = [];
  reactor.addTurnEnder({ endTurn: fail });
  reactor.addTurnEnder({ endTurn: () => steps.push('log') });
  reactor.markOutput({ flush: fail });
  reactor.markOutput({ flush: () => steps.push('flush') });
  reactor.resumeLater({ resume: fail });
  reactor.resumeLater({ resume: () => steps.push('resume') });
  await nextTurn();
  t.same(steps, ['log', 'flush', 'resume']);
  t.equal(failures.length, 3);
});

t.test('a queue that cannot deliver does not keep the others from it', async (t) => {
  const { vhost } = await openBroker(t);
  const declare = (name: string) => {
    const args = EMPTY_TABLE;
    return vhost.addQueue(
      { name, durable: false, exclusive: false, autoDelete: false, args },
      null,
    );
  };
  const bad = new RecordingSink();
  bad.deliver = () => {
    throw new Error('broken');
  };
  const good = new RecordingSink();
  bad.consume(declare('bad'));
  good.consume(declare('good'));
  for (const body of ['first', 'second']) {
    publishAll(vhost, 'bad', [body]);
    publishAll(vhost, 'good', [body]);
    await nextTurn();
  }
  t.same(
    good.deliveries.map(({ body }) => body),
    ['first', 'second'],
  );
});

t.test('those who have used up their share go on in turn, so many at once', async (t) => {
  const reactor = new Reactor(new ManualClock(), (error) => t.fail(String(error)));
  const counts = Array<number>(100).fill(0);
  let isOver = false;
  const crowd = counts.map((_, i) => ({
    resume() {
      counts[i]!++;
      // As one does that has brought all it may, again.
      if (!isOver) reactor.resumeLater(crowd[i]!);
    },
  }));
  for (const one of crowd) reactor.resumeLater(one);
  await nextTurn();
  t.equal(counts.filter((count) => count > 0).length, 8);
  for (let turn = 1; turn < 50; turn++) await nextTurn();
  isOver = true;
  t.same(counts, Array(100).fill(4), 'nobody is passed over');
});

t.test('of many who are left by their peers some are closed in a turn', async (t) => {
  const leave = (reactor: Reactor, count: number) => {
    const left: number[] = [];
    for (let i = 0; i < count; i++) reactor.leaveLater({ leave: () => left.push(i) });
    return left;
  };
  const slow = leave(new Reactor(new SlowClock(), (error) => t.fail(String(error))), 20);
  t.same(slow, []);
  await nextTurn();
  t.same(slow, [0, 1, 2, 3, 4, 5, 6, 7]);
  await nextTurn();
  t.equal(slow.length, 16);
  await nextTurn();
  t.same(slow, [...Array(20).keys()]);

  const quick = leave(new Reactor(new ManualClock(), (error) => t.fail(String(error))), 20);
  await nextTurn();
  t.equal(quick.length, 20, 'all where it takes no time');
});

t.test(
  'a turn is crowded by bytes, or by the time that they take, and only for who brings many',
  async (t) => {
    const [KIB, MIB] = [1024, 1024 * 1024];
    const quick = new Reactor(new ManualClock(), (error) => t.fail(String(error)));
    t.notOk(quick.addParsed(2 * MIB - 1));
    t.notOk(quick.addParsed(16 * KIB - 1));
    t.ok(quick.addParsed(16 * KIB));
    t.ok(quick.isCrowded);
    t.notOk(quick.addParsed(1), 'who brings little is no part of the crowd');
    quick.schedule();
    await nextTurn();
    t.notOk(quick.isCrowded);
    t.notOk(quick.addParsed(16 * KIB));

    const slow = new Reactor(new SlowClock(), (error) => t.fail(String(error)));
    t.notOk(slow.addParsed(16 * KIB));
    t.notOk(slow.addParsed(16 * KIB), 'three milliseconds later');
    t.notOk(slow.addParsed(1));
    t.ok(slow.addParsed(16 * KIB), 'six milliseconds later');
  },
);

t.test('queues that deliver much take turns, those that were passed over first', async (t) => {
  const { broker, vhost } = await openBroker(t);
  const { clock } = broker;
  // Bytes alone end its turns.
  Object.defineProperty(clock, 'nowMs', { get: () => clock.monotonicMs });
  const size = 64 * 1024;
  const perQueue = 40;
  const order: string[] = [];
  for (let i = 0; i < 12; i++) {
    const name = `q${i}`;
    const declaration = { name, durable: false, exclusive: false, autoDelete: false };
    const queue = vhost.addQueue({ ...declaration, args: EMPTY_TABLE }, null);
    publishAll(vhost, name, Array(perQueue).fill('x'.repeat(size)));
    const sink = new RecordingSink();
    const deliver = sink.deliver.bind(sink);
    sink.deliver = (...args) => {
      if (order[order.length - 1] !== name) order.push(name);
      deliver(...args);
    };
    sink.consume(queue);
  }
  /** The names of the queues that deliver in the next turn. */
  const nextOnes = async () => {
    order.length = 0;
    await nextTurn();
    return [...order];
  };
  const served = new Set(await nextOnes());
  t.ok(served.size <= 5, `${[...served]}`);
  while (served.size < 12) {
    for (const name of await nextOnes()) {
      t.notOk(served.has(name), `${name} waits until all had their turn`);
      served.add(name);
    }
  }
});

t.test('a turn that has lasted long enough leaves the other queues to the next ones', async (t) => {
  const { broker, vhost } = await openBroker(t);
  const { clock } = broker;
  Object.defineProperty(clock, 'nowMs', { get: () => clock.monotonicMs + 5 });
  const sink = new RecordingSink();
  for (let i = 0; i < 30; i++) {
    const declaration = { name: `q${i}`, durable: false, exclusive: false, autoDelete: false };
    const queue = vhost.addQueue({ ...declaration, args: EMPTY_TABLE }, null);
    sink.consume(queue, { tag: `c${i}` });
    publishAll(vhost, `q${i}`, ['x']);
  }
  const counts: number[] = [];
  while (sink.deliveries.length < 30) {
    const before = sink.deliveries.length;
    await nextTurn();
    counts.push(sink.deliveries.length - before);
  }
  t.same(counts, [7, 7, 7, 7, 2]);
  t.equal(new Set(sink.deliveries.map(({ tag }) => tag)).size, 30);
});
