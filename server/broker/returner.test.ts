/** Many unacked messages that come back: what others see meanwhile, and how much of a turn it takes. */
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { eventually } from '../testing/eventually.ts';
import {
  delivered,
  numbered,
  openBroker,
  publishAll,
  RecordingSink,
  testActor,
} from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import type { Consumer } from './consumer.ts';
import { type GotMessage, getMessage } from './get.ts';
import type { Queue } from './queue.ts';
import { declareQueue, purgeQueue, removeConsumer, removeQueue } from './queues.ts';
import { RETURNED_PER_TURN, type UnackedDeliveries } from './returner.ts';
import type { Vhost } from './vhost.ts';

const COUNT = 3 * RETURNED_PER_TURN;

function declare(vhost: Vhost, name: string, durable: boolean): Queue {
  const declaration = { name, durable, exclusive: false, autoDelete: false, args: EMPTY_TABLE };
  return declareQueue(vhost, testActor(), declaration).queue;
}

/** A queue, of which `COUNT` messages are unacked with a consumer that is gone; `more` others wait. */
async function setUp(t: Teardown, durable = false, more = 0) {
  const { broker, vhost, close, dataDir } = await openBroker(t);
  const queue = declare(vhost, 'q', durable);
  const sink = new RecordingSink();
  const consumer = sink.consume(queue, { noAck: false });
  publishAll(vhost, 'q', numbered(0, COUNT));
  await delivered(sink, COUNT);
  removeConsumer(vhost, consumer);
  publishAll(vhost, 'q', numbered(COUNT, more));
  const giveBack = () => vhost.returner.take(listOf(consumer, sink), new Map([[queue, COUNT]]));
  return { broker, vhost, close, dataDir, queue, giveBack };
}

/** The deliveries of a sink as a channel lists them. */
function listOf(consumer: Consumer, { deliveries }: RecordingSink): UnackedDeliveries {
  return {
    first: () => 0,
    next: (entry) => (entry + 1 < deliveries.length ? entry + 1 : -1),
    consumerAt: () => consumer,
    sequenceAt: (entry) => deliveries[entry]!.sequence,
    positionAt: (entry) => deliveries[entry]!.position,
    sizeAt: (entry) => deliveries[entry]!.body.length,
  };
}

t.test('a turn puts back a part, and all of it counts as ready from the beginning', async (t) => {
  const { broker, queue, giveBack } = await setUp(t);
  giveBack();
  t.equal(queue.index.readyCount, 0, 'none is back yet');
  t.equal(queue.readyCount, COUNT);
  let before = 0;
  let turn = broker.reactor.turnNumber;
  await eventually(() => {
    const { readyCount } = queue.index;
    const turns = broker.reactor.turnNumber - turn;
    t.ok(readyCount - before <= turns * RETURNED_PER_TURN, `${readyCount - before} in ${turns}`);
    before = readyCount;
    turn = broker.reactor.turnNumber;
    t.equal(queue.readyCount, COUNT);
    if (readyCount < COUNT) throw new Error(`${readyCount} are back`);
  });
  t.equal(queue.index.unackedCount, 0);
});

t.test('nothing leaves before all is back, and then in the old order', async (t) => {
  const { queue, giveBack } = await setUp(t, false, 10);
  const next = new RecordingSink();
  giveBack();
  next.consume(queue);
  await delivered(next, COUNT + 10);
  const bodies = next.deliveries.map(({ body }) => body);
  t.same(bodies, numbered(0, COUNT + 10));
  t.ok(next.deliveries.slice(0, COUNT).every(({ redelivered }) => redelivered));
  t.notOk(next.deliveries.at(-1)?.redelivered);
});

t.test('a get waits for what comes back before what is there', async (t) => {
  const { queue, giveBack } = await setUp(t, false, 10);
  giveBack();
  const got: (number | undefined)[] = [];
  getMessage(queue, performance.now(), (m) => got.push(m?.sequence));
  t.same(got, [], 'it waits');
  await eventually(() => {
    if (got.length === 0) throw new Error('it waits still');
  });
  t.same(got, [1]);
});

t.test('a get that waits finds none when the queue is deleted', async (t) => {
  const { vhost, queue, giveBack } = await setUp(t);
  giveBack();
  const got: (GotMessage | null)[] = [];
  getMessage(queue, performance.now(), (m) => got.push(m));
  t.same(got, []);
  removeQueue(vhost, queue);
  t.same(got, [null]);
});

t.test('a purge drops what is on its way back as well', async (t) => {
  const { vhost, queue, giveBack } = await setUp(t, true, 10);
  giveBack();
  t.equal(purgeQueue(vhost, testActor(), 'q').messageCount, COUNT + 10);
  t.equal(queue.readyCount, 0);
  t.equal(queue.index.unackedCount, 0);
  publishAll(vhost, 'q', ['last']);
  const next = new RecordingSink();
  next.consume(queue);
  await delivered(next, 1);
  t.equal(next.deliveries[0]?.body, 'last', 'it delivers again');
});

t.test('a return that fails holds up neither its queue nor other returns', async (t) => {
  const { vhost, queue, giveBack } = await setUp(t);
  Reflect.set(queue, 'requeue', () => {
    throw new Error('the store fails');
  });
  giveBack();
  t.ok(queue.awaitsReturn);
  await eventually(() => {
    if (queue.awaitsReturn) throw new Error('it waits still');
  });
  Reflect.deleteProperty(queue, 'requeue');
  const other = declare(vhost, 'other', false);
  const sink = new RecordingSink();
  const consumer = sink.consume(other, { noAck: false });
  publishAll(vhost, 'other', numbered(0, 10));
  await delivered(sink, 10);
  removeConsumer(vhost, consumer);
  vhost.returner.take(listOf(consumer, sink), new Map([[other, 10]]));
  await eventually(() => {
    if (other.index.readyCount < 10) throw new Error('they are not back');
  });
});

t.test('small returns are carried out at once, up to the share of a turn', async (t) => {
  const { broker, vhost } = await openBroker(t);
  t.ok(vhost.returner.hasRoomFor(RETURNED_PER_TURN - 1));
  t.notOk(vhost.returner.hasRoomFor(2));
  t.ok(vhost.returner.hasRoomFor(1));
  const turn = broker.reactor.turnNumber;
  broker.reactor.schedule();
  await eventually(() => {
    if (broker.reactor.turnNumber === turn) throw new Error('the same turn');
  });
  t.ok(vhost.returner.hasRoomFor(RETURNED_PER_TURN));
});

t.test('a stop in order finds them back, with the count of their deliveries', async (t) => {
  const { dataDir, close, giveBack } = await setUp(t, true, 10);
  giveBack();
  t.ok(await close());
  const { vhost } = await openBroker(t, undefined, dataDir);
  const { index, readyCount } = vhost.queue('q');
  t.equal(readyCount, COUNT + 10);
  t.equal(index.deliveryCount(COUNT), 1);
  t.equal(index.deliveryCount(COUNT + 1), 0);
});
