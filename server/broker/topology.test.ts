import t from 'tap';
import { EMPTY_TABLE, type FieldValue } from '../../generated/index.ts';
import { openBroker, testActor } from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { bindingsIn } from './binding-group.ts';
import { bind, unbind } from './bindings.ts';
import { declareExchange, deleteExchange } from './exchanges.ts';
import { declareQueue, deleteQueue } from './queues.ts';

const ACTOR = testActor();
const UNCONDITIONAL = { ifUnused: false, ifEmpty: false };

async function setUp(t: Teardown) {
  const { vhost } = await openBroker(t);
  const exchange = (name: string, autoDelete = false) =>
    declareExchange(vhost, ACTOR, {
      name,
      type: 'fanout',
      durable: false,
      autoDelete,
      internal: false,
      args: EMPTY_TABLE,
    });
  const queue = (name: string) =>
    declareQueue(vhost, ACTOR, {
      name,
      durable: false,
      exclusive: false,
      autoDelete: false,
      args: EMPTY_TABLE,
    }).queue;
  const request = (source: string, kind: 'queue' | 'exchange', destination: string) => ({
    source,
    kind,
    destination,
    bindingKey: '',
    args: EMPTY_TABLE,
  });
  const own = () => [...vhost.exchanges.keys()].filter((name) => !/^(amq\..*)?$/.test(name));
  return { vhost, exchange, queue, request, own };
}

t.test('an auto-delete exchange goes with the last binding that begins at it', async (t) => {
  const { vhost, exchange, queue, request, own } = await setUp(t);
  exchange('x', true);
  queue('a');
  queue('b');
  t.same(own(), ['x'], 'not before it had one');
  bind(vhost, ACTOR, request('x', 'queue', 'a'));
  bind(vhost, ACTOR, request('x', 'queue', 'b'));
  unbind(vhost, ACTOR, request('x', 'queue', 'a'));
  t.same(own(), ['x']);
  unbind(vhost, ACTOR, request('x', 'queue', 'b'));
  t.same(own(), []);
});

t.test('bindings that lead to an auto-delete exchange do not keep it', async (t) => {
  const { vhost, exchange, queue, request, own } = await setUp(t);
  exchange('source');
  exchange('x', true);
  queue('q');
  bind(vhost, ACTOR, request('source', 'exchange', 'x'));
  bind(vhost, ACTOR, request('x', 'queue', 'q'));
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  t.same(own(), ['source']);
  t.equal(vhost.exchange('source').outgoing.size, 0);
});

t.test('a chain of auto-delete exchanges goes with its end, however long it is', async (t) => {
  const { vhost, exchange, queue, request, own } = await setUp(t);
  const length = 20_000;
  queue('q');
  for (let i = 0; i < length; i++) {
    exchange(`x${i}`, true);
    const isFirst = i === 0;
    bind(
      vhost,
      ACTOR,
      request(`x${i}`, isFirst ? 'queue' : 'exchange', isFirst ? 'q' : `x${i - 1}`),
    );
  }
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  t.same(own().length, 0);
});

t.test('auto-delete exchanges in a circle go together', async (t) => {
  const { vhost, exchange, queue, request, own } = await setUp(t);
  for (const name of ['a', 'b', 'c']) exchange(name, true);
  queue('q');
  bind(vhost, ACTOR, request('a', 'exchange', 'b'));
  bind(vhost, ACTOR, request('b', 'exchange', 'c'));
  bind(vhost, ACTOR, request('c', 'exchange', 'a'));
  bind(vhost, ACTOR, request('a', 'queue', 'q'));
  deleteExchange(vhost, ACTOR, 'b', false);
  t.same(own(), ['a', 'c'], 'c still leads to a, a to its queue');
  deleteQueue(vhost, ACTOR, 'q', UNCONDITIONAL);
  t.same(own(), []);
});

t.test('an exchange bound to itself goes without a trace', async (t) => {
  const { vhost, exchange, request, own } = await setUp(t);
  exchange('x', true);
  bind(vhost, ACTOR, request('x', 'exchange', 'x'));
  unbind(vhost, ACTOR, request('x', 'exchange', 'x'));
  t.same(own(), []);
});

t.test('a deleted exchange leaves nothing behind at the other ends', async (t) => {
  const { vhost, exchange, queue, request } = await setUp(t);
  exchange('before');
  exchange('x');
  const q = queue('q');
  bind(vhost, ACTOR, request('before', 'exchange', 'x'));
  bind(vhost, ACTOR, request('x', 'queue', 'q'));
  const version = vhost.topologyVersion;
  deleteExchange(vhost, ACTOR, 'x', false);
  t.ok(vhost.topologyVersion > version);
  t.equal(q.incoming.size, 0);
  t.equal(vhost.exchange('before').outgoing.size, 0);
  t.throws(() => bind(vhost, ACTOR, request('x', 'queue', 'q')), { code: 'NOT_FOUND' });
});

t.test('an equal binding is the same one, its arguments in any order', async (t) => {
  const { vhost, exchange, queue, request } = await setUp(t);
  exchange('x');
  queue('q');
  const one: FieldValue = { tag: 'I', value: 1 };
  const two: FieldValue = { tag: 'I', value: 2 };
  const first = new Map([
    ['a', one],
    ['b', two],
  ]);
  const second = new Map([
    ['b', two],
    ['a', one],
  ]);
  bind(vhost, ACTOR, { ...request('x', 'queue', 'q'), args: first });
  bind(vhost, ACTOR, { ...request('x', 'queue', 'q'), args: second });
  const count = () => bindingsIn(vhost.exchange('x').outgoing).length;
  t.equal(count(), 1);
  bind(vhost, ACTOR, { ...request('x', 'queue', 'q'), args: new Map([['a', one]]) });
  t.equal(count(), 2);
  unbind(vhost, ACTOR, { ...request('x', 'queue', 'q'), args: second });
  t.equal(count(), 1);
});
