/** Alternate exchanges inside the broker; what clients see of them is in conformance/exchange/alternate. */
import t from 'tap';
import { EMPTY_TABLE, type FieldTable, toFieldTable } from '../../generated/index.ts';
import { Permissions } from '../auth/permissions.ts';
import { messageTo, openBroker, testActor } from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { bind } from './bindings.ts';
import { declareExchange, deleteExchange } from './exchanges.ts';
import { PUBLISH_OUTCOMES, Publisher } from './publish.ts';
import { declareQueue } from './queues.ts';

const ACTOR = testActor();

async function setUp(t: Teardown, dataDir?: string) {
  const { vhost, close, dataDir: directory } = await openBroker(t, undefined, dataDir);
  const publisher = new Publisher(vhost, ACTOR);
  return {
    vhost,
    close,
    dataDir: directory,
    exchange: (name: string, alternate: string | null, type = 'direct', durable = false) =>
      declareExchange(vhost, ACTOR, {
        name,
        type,
        durable,
        autoDelete: false,
        internal: false,
        args: alternate === null ? EMPTY_TABLE : toFieldTable({ 'alternate-exchange': alternate }),
      }),
    queue: (name: string, source: string, bindingKey: string, durable = false) => {
      const declaration = { name, durable, exclusive: false, autoDelete: false, args: EMPTY_TABLE };
      declareQueue(vhost, ACTOR, declaration);
      const request = { source, kind: 'queue' as const, destination: name, bindingKey };
      bind(vhost, ACTOR, { ...request, args: EMPTY_TABLE });
    },
    bindExchange: (source: string, destination: string, bindingKey: string) =>
      bind(vhost, ACTOR, { source, kind: 'exchange', destination, bindingKey, args: EMPTY_TABLE }),
    /** The queues that a message reaches. */
    reached: (name: string, key: string) =>
      publisher.routeOf(messageTo(name, key, '')).queues.map((queue) => queue.name),
    publish: (name: string, key: string) => publisher.publish(messageTo(name, key, 'body')),
  };
}

t.test(
  'what an exchange routes nowhere goes on along the chain, which may be a circle',
  async (t) => {
    const { exchange, queue, reached, publish } = await setUp(t);
    exchange('a', 'b');
    exchange('b', 'c');
    exchange('c', 'a');
    queue('qa', 'a', 'ka');
    queue('qc', 'c', 'kc');
    t.same(reached('a', 'ka'), ['qa']);
    t.same(reached('a', 'kc'), ['qc'], 'over two steps');
    t.same(reached('a', 'none'), [], 'around the circle, once');
    t.equal(publish('a', 'kc'), PUBLISH_OUTCOMES.transient, 'it counts as routed');
    t.equal(publish('a', 'none'), PUBLISH_OUTCOMES.unrouted);
  },
);

t.test('an exchange behind a binding hands on to its own alternate', async (t) => {
  const { exchange, queue, reached, bindExchange } = await setUp(t);
  exchange('first', 'of-first');
  exchange('second', 'of-second');
  exchange('of-first', null, 'fanout');
  exchange('of-second', null, 'fanout');
  bindExchange('first', 'second', 'key');
  queue('qf', 'of-first', '');
  queue('qs', 'of-second', '');
  t.same(reached('first', 'key'), ['qs'], 'the first one had matched');
  t.same(reached('first', 'other'), ['qf']);
});

t.test('a remembered route follows what becomes of the alternate exchange', async (t) => {
  const { vhost, exchange, queue, reached } = await setUp(t);
  exchange('x', 'later');
  t.same(reached('x', 'key'), [], 'one that is missing is ignored');
  exchange('later', null, 'fanout');
  queue('q', 'later', '');
  t.same(reached('x', 'key'), ['q']);
  queue('own', 'x', 'key');
  t.same(reached('x', 'key'), ['own']);
  deleteExchange(vhost, ACTOR, 'later', false);
  t.same(reached('x', 'other'), []);
});

t.test('it survives a restart', async (t) => {
  const before = await setUp(t);
  before.exchange('x', 'y', 'direct', true);
  before.exchange('y', null, 'fanout', true);
  before.queue('q', 'y', '', true);
  await before.close();
  const after = await setUp(t, before.dataDir);
  t.same(after.reached('x', 'any'), ['q']);
  t.equal(after.vhost.exchange('x').alternate, 'y');
});

t.test('a new exchange needs read on itself and write on its alternate', async (t) => {
  const { vhost } = await setUp(t);
  const declare = (patterns: { write: string; read: string }, args: FieldTable) => {
    const permissions = new Permissions({ configure: '.*', ...patterns });
    return declareExchange(
      vhost,
      { ...ACTOR, permissions },
      {
        name: 'x',
        type: 'fanout',
        durable: false,
        autoDelete: false,
        internal: false,
        args,
      },
    );
  };
  const args = toFieldTable({ 'alternate-exchange': 'ae' });
  t.throws(() => declare({ write: '^ae$', read: '' }, args), {
    code: 'ACCESS_REFUSED',
    message: "read access to exchange 'x' in vhost '/' refused for user 'test'",
  });
  t.throws(() => declare({ write: '', read: '^x$' }, args), {
    message: "write access to exchange 'ae' in vhost '/' refused for user 'test'",
  });
  declare({ write: '^ae$', read: '^x$' }, args);
  declare({ write: '', read: '' }, args);
  t.pass('the exchange exists: nothing but configure is asked');
});
