import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { messageTo, openBroker, testActor } from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { bind } from './bindings.ts';
import { declareExchange, deleteExchange } from './exchanges.ts';
import { BINDINGS_PER_SLICE } from './index-sweep.ts';
import { PUBLISH_OUTCOMES, Publisher } from './publish.ts';
import { declareQueue, deleteQueue } from './queues.ts';

const ACTOR = testActor();
const UNCONDITIONAL = { ifUnused: false, ifEmpty: false };
const BINDINGS = 3 * BINDINGS_PER_SLICE + 1;

async function setUp(t: Teardown) {
  const { vhost } = await openBroker(t);
  declareExchange(vhost, ACTOR, {
    name: 'x',
    type: 'direct',
    durable: true,
    autoDelete: false,
    internal: false,
    args: EMPTY_TABLE,
  });
  const declare = (name: string) =>
    declareQueue(vhost, ACTOR, {
      name,
      durable: true,
      exclusive: false,
      autoDelete: false,
      args: EMPTY_TABLE,
    }).queue;
  const bindTo = (destination: string, key: string) =>
    bind(vhost, ACTOR, {
      source: 'x',
      kind: 'queue',
      destination,
      bindingKey: key,
      args: EMPTY_TABLE,
    });
  declare('q');
  for (let i = 0; i < BINDINGS; i++) bindTo('q', `k${i}`);
  const { index } = vhost.exchange('x');
  return { vhost, declare, bindTo, index };
}

t.test('the bindings of a deleted queue leave the index in slices, one a turn', async (t) => {
  const { vhost, index } = await setUp(t);
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  const sizes = [index.size];
  while (!vhost.sweep.isDone) {
    vhost.sweep.endTurn();
    sizes.push(index.size);
  }
  t.same(sizes, [0, 1, 2, 3].map((slices) => BINDINGS - slices * BINDINGS_PER_SLICE).concat(0));
});

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
