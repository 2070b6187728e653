/** Several consumers who share what comes: each gets what it would get if one message after the other were sent. */
import fc from 'fast-check';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { nextTurn } from '../base/next-turn.ts';
import {
  numbered,
  openBroker,
  publishAll,
  RecordingSink,
  testActor,
} from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import type { Consumer } from './consumer.ts';
import type { DeliveryRun } from './delivery-run.ts';
import type { Queue } from './queue.ts';
import { declareQueue } from './queues.ts';

async function setUp(t: Teardown) {
  const { vhost } = await openBroker(t);
  const declaration = { durable: false, exclusive: false, autoDelete: false, args: EMPTY_TABLE };
  const declare = (name: string) =>
    declareQueue(vhost, testActor(), { ...declaration, name }).queue;
  return { vhost, declare };
}

/** All that could be delivered has been: a slow machine may need several turns for it. */
async function delivered(queue: Queue): Promise<void> {
  do await nextTurn();
  while (queue.isBehind);
}

/** A channel of a test: what it takes at most, and the prefetch of each of its consumers; 0: no limit. */
interface PlannedSink {
  readonly limit: number;
  readonly consumers: readonly { readonly prefetch: number; readonly priority: number }[];
}

/** Who gets message 0, 1, 2 ...: each goes to the next one in turn that takes it, of the highest priority. */
function expectedOf(plan: readonly PlannedSink[], count: number): string[] {
  const all = plan.flatMap(({ limit, consumers }, sink) => {
    const channel = { left: limit };
    return consumers.map(({ prefetch, priority }, i) => ({
      tag: `${sink}.${i}`,
      channel,
      priority,
      left: prefetch === 0 ? Number.POSITIVE_INFINITY : prefetch,
    }));
  });
  const priorities = [...new Set(all.map(({ priority }) => priority))].sort((a, b) => b - a);
  const levels = priorities.map((of) => all.filter(({ priority }) => priority === of));
  const isWilling = ({ left, channel }: (typeof all)[number]) => left > 0 && channel.left > 0;
  const got: string[] = [];
  while (got.length < count) {
    const level = levels.find((some) => some.some(isWilling));
    if (level === undefined) break;
    const one = level.shift()!;
    level.push(one);
    if (!isWilling(one)) continue;
    one.left--;
    one.channel.left--;
    got.push(one.tag);
  }
  return got;
}

const anySink = fc.record({
  limit: fc.oneof(fc.constant(1000), fc.nat(100)),
  consumers: fc.array(
    fc.record({
      prefetch: fc.oneof(fc.constant(0), fc.nat(60)),
      priority: fc.oneof(fc.constant(0), fc.constantFrom(0, 1)),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});

t.test('whoever takes messages gets them in turn, however many are served together', async (t) => {
  const { vhost, declare } = await setUp(t);
  let number = 0;
  await t.resolves(
    fc.assert(
      fc.asyncProperty(
        fc.array(anySink, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 3 }),
        async (plan, batches) => {
          const name = `q${number++}`;
          const queue = declare(name);
          const sinks = plan.map(({ limit }) => Object.assign(new RecordingSink(), { limit }));
          for (const [s, { consumers }] of plan.entries()) {
            for (const [i, { prefetch, priority }] of consumers.entries()) {
              const options = { prefetchCount: prefetch, priority, noAck: false };
              sinks[s]!.consume(queue, { tag: `${s}.${i}`, ...options });
            }
          }
          let count = 0;
          for (const batch of batches) {
            publishAll(vhost, name, numbered(count, batch));
            count += batch;
            await delivered(queue);
          }
          const expected = expectedOf(plan, count);
          const got: string[] = [];
          const positions: number[] = [];
          for (const { deliveries } of sinks) {
            const own = deliveries.map(({ body }) => Number(body.slice(1)));
            if (own.some((message, i) => i > 0 && message < own[i - 1]!)) return false;
            for (const [i, { tag, sequence, position }] of deliveries.entries()) {
              const message = own[i]!;
              got[message] = tag;
              positions[message] = position;
              if (sequence !== message + 1) return false;
            }
          }
          if (positions.some((position, i) => i > 0 && position <= positions[i - 1]!)) return false;
          const { readyCount, unackedCount } = queue.index;
          return (
            got.length === expected.length &&
            expected.every((tag, i) => tag === got[i]) &&
            unackedCount === expected.length &&
            readyCount === count - expected.length
          );
        },
      ),
    ),
  );
});

/** Fails when it has sent so many messages of its next run. */
class FailingSink extends RecordingSink {
  failsAfter = Number.POSITIVE_INFINITY;

  override deliverRun(consumer: Consumer, run: DeliveryRun): void {
    while (run.delivered < run.length) {
      if (run.delivered === this.failsAfter) {
        this.failsAfter = Number.POSITIVE_INFINITY;
        throw new Error('no memory');
      }
      run.deliverNext(consumer);
    }
  }
}

for (const noAck of [true, false]) {
  t.test(`what one cannot be sent comes again, ${noAck ? 'without' : 'with'} acks`, async (t) => {
    const { vhost, declare } = await setUp(t);
    const queue = declare('q');
    const [a, b, c] = [new RecordingSink(), new FailingSink(), new RecordingSink()];
    for (const sink of [a, b, c]) sink.consume(queue, { noAck });
    b.failsAfter = 3;
    publishAll(vhost, 'q', numbered(0, 60));
    await delivered(queue);
    await delivered(queue);
    const got = [a, b, c].flatMap(({ deliveries }) => deliveries);
    t.same(got.map(({ body }) => body).sort(), numbered(0, 60).sort(), 'each message once');
    t.same(
      a.deliveries.slice(0, 20).map(({ body }) => body),
      Array.from({ length: 20 }, (_, i) => `m${3 * i}`),
      'the others have theirs',
    );
    t.equal(got.filter(({ redelivered }) => redelivered).length, 17, 'and what was not sent');
    t.equal(queue.index.readyCount, 0);
    t.equal(queue.index.unackedCount, noAck ? 0 : 60);
  });
}
