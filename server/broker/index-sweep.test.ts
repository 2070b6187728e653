import t from 'tap';
import { EMPTY_TABLE, FRAME_HEADER_SIZE, QUEUE_BIND_ID } from '../../generated/index.ts';
import { messageTo, openBroker, testActor } from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { bind } from './bindings.ts';
import { declareExchange, deleteExchange } from './exchanges.ts';
import { BINDINGS_PER_SLICE } from './index-sweep.ts';
import { PUBLISH_OUTCOMES, Publisher } from './publish.ts';
import { declareQueue, deleteQueue } from './queues.ts';
import type { Vhost } from './vhost.ts';

const ACTOR = testActor();
const UNCONDITIONAL = { ifUnused: false, ifEmpty: false };
const BINDINGS = 3 * BINDINGS_PER_SLICE + 1;

async function openVhost(t: Teardown) {
  const { vhost } = await openBroker(t);
  const common = { durable: true, args: EMPTY_TABLE };
  return {
    vhost,
    exchange: (name: string, autoDelete = false) => {
      const declaration = { ...common, name, type: 'direct', autoDelete, internal: false };
      declareExchange(vhost, ACTOR, declaration);
      return vhost.exchange(name);
    },
    declare: (name: string) =>
      declareQueue(vhost, ACTOR, { ...common, name, exclusive: false, autoDelete: false }).queue,
    bindFrom: (source: string, destination: string, key: string) =>
      bind(vhost, ACTOR, {
        source,
        kind: 'queue',
        destination,
        bindingKey: key,
        args: EMPTY_TABLE,
      }),
  };
}

async function setUp(t: Teardown) {
  const { vhost, exchange, declare, bindFrom } = await openVhost(t);
  exchange('x');
  declare('q');
  const bindTo = (destination: string, key: string) => bindFrom('x', destination, key);
  for (let i = 0; i < BINDINGS; i++) bindTo('q', `k${i}`);
  const { index } = vhost.exchange('x');
  return { vhost, declare, bindTo, index };
}

/** What `measure` gives at first and after each turn until the sweep is done. */
function turnByTurn<T>(vhost: Vhost, measure: () => T): T[] {
  const measured = [measure()];
  while (!vhost.sweep.isDone) {
    vhost.sweep.endTurn();
    measured.push(measure());
  }
  return measured;
}

const IN_SLICES = [0, 1, 2, 3].map((slices) => BINDINGS - slices * BINDINGS_PER_SLICE).concat(0);

t.test('the bindings of a deleted queue leave the index in slices, one a turn', async (t) => {
  const { vhost, index } = await setUp(t);
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  const sizes = turnByTurn(vhost, () => index.size);
  t.same(sizes, IN_SLICES);
});

/** A queue with one binding from each of very many exchanges. */
async function boundFromMany(t: Teardown) {
  const opened = await openVhost(t);
  const { exchange, declare, bindFrom } = opened;
  const queue = declare('q');
  const exchanges = Array.from({ length: BINDINGS }, (_, i) => exchange(`x${i}`));
  for (const { name } of exchanges) bindFrom(name, 'q', 'k');
  return { ...opened, queue, exchanges };
}

t.test('a deleted queue is parted from very many exchanges in slices', async (t) => {
  const { vhost, exchanges, queue } = await boundFromMany(t);
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  t.equal(queue.incoming.size, 0);
  const left = turnByTurn(vhost, () => [
    exchanges.filter(({ outgoing }) => outgoing.size > 0).length,
    exchanges.filter(({ index }) => index.size > 0).length,
  ]);
  t.same(
    left,
    IN_SLICES.map((count) => [count, count]),
  );
});

t.test('a binding to a deleted queue counts for nothing until it is gone', async (t) => {
  const { vhost, exchange, declare, bindFrom, exchanges } = await boundFromMany(t);
  exchange('temporary', true);
  bindFrom('temporary', 'q', 'k');
  const bindingCount = (): number =>
    [...vhost.definitions()].filter(
      ({ frame }) => frame.readUInt32BE(FRAME_HEADER_SIZE) === QUEUE_BIND_ID,
    ).length;
  t.equal(bindingCount(), BINDINGS + 1);
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  t.ok(exchanges.every(({ outgoing, isUsed }) => outgoing.size === 1 && !isUsed));
  t.notOk(vhost.exchanges.has('temporary'), 'it is abandoned');
  t.equal(bindingCount(), 0, 'no checkpoint has them');
  deleteExchange(vhost, ACTOR, 'x0', true);
  t.notOk(vhost.exchanges.has('x0'), 'it was unused');
  declare('q');
  bindFrom('x1', 'q', 'k');
  turnByTurn(vhost, () => null);
  t.ok(vhost.exchange('x1').isUsed);
  t.equal(new Publisher(vhost, ACTOR).publish(messageTo('x1', 'k', '')), PUBLISH_OUTCOMES.durable);
});

t.test(
  'queues are parted from a deleted exchange in slices where they are very many',
  async (t) => {
    const { vhost, exchange, declare, bindFrom } = await openVhost(t);
    exchange('x');
    const queues = Array.from({ length: BINDINGS }, (_, i) => declare(`q${i}`));
    for (const { name } of queues) bindFrom('x', name, 'k');
    deleteExchange(vhost, ACTOR, 'x', false);
    const left = turnByTurn(vhost, () => queues.filter(({ incoming }) => incoming.size > 0).length);
    t.same(left, IN_SLICES);
  },
);

t.test('turns come by themselves until nothing is left', async (t) => {
  const { vhost, index } = await setUp(t);
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  while (!vhost.sweep.isDone) await new Promise((resolve) => setImmediate(resolve));
  t.equal(index.size, 0);
});

t.test(
  'what is deleted is gone at once for routing, and for a queue of the same name',
  async (t) => {
    const { vhost, declare, bindTo, index } = await setUp(t);
    deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
    t.equal(vhost.exchange('x').outgoing.size, 0, 'the exchange is not in use');
    const again = declare('q');
    bindTo('q', 'k7');
    const publisher = new Publisher(vhost, ACTOR);
    t.equal(publisher.publish(messageTo('x', 'k8', 'lost')), PUBLISH_OUTCOMES.unrouted);
    publisher.publish(messageTo('x', 'k7', 'one'));
    t.equal(again.index.readyCount, 1);
    while (!vhost.sweep.isDone) vhost.sweep.endTurn();
    publisher.publish(messageTo('x', 'k7', 'two'));
    t.equal(again.index.readyCount, 2);
    t.equal(index.size, 1);
  },
);

t.test('an exchange may go while bindings to a deleted queue are still in its index', async (t) => {
  const { vhost } = await setUp(t);
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  deleteExchange(vhost, ACTOR, 'x', false);
  while (!vhost.sweep.isDone) vhost.sweep.endTurn();
  t.notOk(vhost.exchanges.has('x'));
});
