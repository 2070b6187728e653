import fc from 'fast-check';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import {
  delivered,
  openBroker,
  publishAll,
  RecordingSink,
  testActor,
} from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import type { Consumer } from './consumer.ts';
import { ConsumerLevels } from './consumer-levels.ts';
import { consumerPriority, declareQueue } from './queues.ts';

async function setUp(t: Teardown) {
  const { vhost } = await openBroker(t);
  const declaration = {
    name: 'q',
    durable: false,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  };
  return { vhost, queue: declareQueue(vhost, testActor(), declaration).queue };
}

t.test('a lower consumer gets what the higher ones do not take', async (t) => {
  const { vhost, queue } = await setUp(t);
  const sink = new RecordingSink();
  sink.consume(queue, { tag: 'low', priority: -3 });
  sink.consume(queue, { tag: 'a', priority: 5, noAck: false, prefetchCount: 2 });
  const b = sink.consume(queue, { tag: 'b', priority: 5, noAck: false, prefetchCount: 1 });
  sink.consume(queue, { tag: 'plain', noAck: false, prefetchCount: 1 });
  publishAll(vhost, 'q', ['1', '2', '3', '4', '5', '6']);
  await delivered(sink, 6);
  t.same(
    sink.deliveries.map(({ tag }) => tag),
    ['a', 'b', 'a', 'plain', 'low', 'low'],
  );
  b.unackedCount = 0;
  publishAll(vhost, 'q', ['7', '8']);
  await delivered(sink, 8);
  t.same(
    sink.deliveries.slice(6).map(({ tag }) => tag),
    ['b', 'low'],
  );
});

t.test('a priority is an integer of any width, and 0 when none is given', async (t) => {
  const { vhost } = await setUp(t);
  const priority = (value: Parameters<typeof consumerPriority>[2]) =>
    consumerPriority(vhost, 'q', value);
  t.equal(priority(EMPTY_TABLE), 0);
  for (const tag of ['b', 's', 'I'] as const) {
    t.equal(priority(new Map([['x-priority', { tag, value: -7 }]])), -7);
  }
  for (const tag of ['B', 'u', 'i', 'l', 'L'] as const) {
    t.equal(priority(new Map([['x-priority', { tag, value: 7 }]])), 7);
  }
  t.equal(priority(new Map([['x-priority', { tag: 'l', value: -(2n ** 63n) }]])), -(2 ** 63));
  t.throws(() => priority(new Map([['x-priority', { tag: 'd', value: 7 }]])), {
    code: 'PRECONDITION_FAILED',
    message: `invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got double"`,
  });
});

/** A consumer as far as levels look at one. */
interface Asked {
  readonly priority: number;
  isWilling: boolean;
  turns: number;
}

t.test(
  'the next one is always of the highest level that is willing, and they take turns',
  async (t) => {
    const step = fc.record({
      kind: fc.constantFrom('add', 'remove', 'flip', 'next', 'next', 'next'),
      which: fc.nat(20),
      priority: fc.integer({ min: -1, max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const levels = new ConsumerLevels();
        const asked: Asked[] = [];
        for (const { kind, which, priority } of steps) {
          const chosen = asked[which % Math.max(1, asked.length)];
          if (kind === 'add') {
            const consumer = { priority, isWilling: true, turns: 0 };
            asked.push(consumer);
            levels.add(consumer as unknown as Consumer);
          } else if (kind === 'remove' && chosen !== undefined) {
            asked.splice(asked.indexOf(chosen), 1);
            levels.remove(chosen as unknown as Consumer);
          } else if (kind === 'flip' && chosen !== undefined) chosen.isWilling = !chosen.isWilling;
          else if (kind === 'next') {
            const willing = asked.filter((consumer) => consumer.isWilling);
            const highest = Math.max(...willing.map((consumer) => consumer.priority));
            const found = levels.nextWilling() as unknown as Asked | null;
            if (willing.length === 0) t.equal(found, null);
            else if (found?.isWilling !== true || found.priority !== highest) return false;
          }
        }
        // Turns: over a whole round each willing one of the top level comes once.
        const willing = asked.filter((consumer) => consumer.isWilling);
        const highest = Math.max(...willing.map((consumer) => consumer.priority));
        const top = willing.filter((consumer) => consumer.priority === highest);
        const round = new Set(top.map(() => levels.nextWilling() as unknown as Asked));
        return round.size === top.length;
      }),
    );
  },
);

/** Consumers as far as levels look at them. */
function consumersOf(asked: readonly Partial<Consumer>[]): Consumer[] {
  return asked.map((one) => ({ isWilling: true, priority: 0, ...one }) as Consumer);
}

t.test('they know how many there are, and what they have in common', async (t) => {
  const levels = new ConsumerLevels();
  const [a, b, alone] = consumersOf([
    { noAck: true, exclusive: false },
    { noAck: false, exclusive: false, priority: 7 },
    { noAck: false, exclusive: true },
  ]) as [Consumer, Consumer, Consumer];
  t.ok(levels.haveOneAckMode);
  levels.add(a);
  t.ok(levels.haveOneAckMode);
  levels.add(b);
  t.notOk(levels.haveOneAckMode);
  t.same([...levels], [b, a]);
  levels.remove(a);
  t.ok(levels.haveOneAckMode);
  levels.remove(b);
  t.equal(levels.count, 0);
  levels.add(alone);
  t.ok(levels.areExclusive);
  levels.remove(alone);
  t.notOk(levels.areExclusive);
});

t.test('one that leaves takes nobody else out of turn', async (t) => {
  const levels = new ConsumerLevels();
  const [a, b, c, d, e, f] = consumersOf(Array.from({ length: 6 }, () => ({})));
  for (const consumer of [a, b, c, d, e, f]) levels.add(consumer!);
  const next = () => levels.nextWilling();
  t.same([next(), next(), next()], [a, b, c]);
  for (const consumer of [a, b, e]) levels.remove(consumer!);
  t.same([next(), next(), next(), next()], [d, f, c, d]);
});

// In a time that grew with their square it would take hours.
t.test('a channel that goes may take hundreds of thousands along', async (t) => {
  const levels = new ConsumerLevels();
  const asked = Array.from({ length: 300_000 }, (_, i) => ({ priority: i % 2 }));
  const consumers = consumersOf(asked);
  for (const consumer of consumers) levels.add(consumer);
  for (const consumer of consumers) levels.remove(consumer);
  t.equal(levels.count, 0);
});
