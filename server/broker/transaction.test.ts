import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { messageTo, openBroker, testActor } from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { Publisher } from './publish.ts';
import { declareQueue, deleteQueue } from './queues.ts';
import { Transaction } from './transaction.ts';

const MIB = 2 ** 20;

async function setUp(t: Teardown) {
  const { vhost } = await openBroker(t);
  const declare = (name: string) =>
    declareQueue(vhost, testActor(), {
      name,
      durable: false,
      exclusive: false,
      autoDelete: false,
      args: EMPTY_TABLE,
    }).queue;
  const publisher = new Publisher(vhost, testActor());
  const transaction = new Transaction(vhost);
  const add = (queue: string, body: string, isMandatory = false) => {
    const message = messageTo('', queue, body);
    transaction.add(message, publisher.routeOf(message), isMandatory);
  };
  return { vhost, declare, transaction, add };
}

t.test('the bodies of a transaction may have 64 MiB, and not a byte more', async (t) => {
  const { declare, transaction, add } = await setUp(t);
  declare('q');
  const body = 'x'.repeat(MIB);
  for (let i = 0; i < 64; i++) add('q', body);
  t.ok(transaction.memoryBytes >= 64 * MIB);
  t.throws(() => add('q', 'x'), { code: 'PRECONDITION_FAILED' });
  add('q', '');
  transaction.clear();
  t.equal(transaction.memoryBytes, 0);
  add('q', body);
});

t.test('a message without a queue is kept only where it must come back', async (t) => {
  const { transaction, add } = await setUp(t);
  add('nowhere', 'forgotten');
  t.equal(transaction.messageCount, 0);
  add('nowhere', 'back', true);
  const returned: string[] = [];
  transaction.publishAll(({ body, bodyAt, bodySize }) => {
    returned.push(body.buf.toString('utf8', bodyAt, bodyAt + bodySize));
  });
  t.same(returned, ['back']);
});

t.test('a queue that went is left out, and its name counts if it is there again', async (t) => {
  const { vhost, declare, transaction, add } = await setUp(t);
  for (const name of ['stays', 'goes', 'comes back']) {
    declare(name);
    add(name, name, true);
  }
  const unconditional = { ifUnused: false, ifEmpty: false };
  deleteQueue(vhost, testActor(), 'goes', unconditional);
  deleteQueue(vhost, testActor(), 'comes back', unconditional);
  const anew = declare('comes back');
  let returns = 0;
  transaction.publishAll(() => {
    returns++;
  });
  t.equal(returns, 1);
  t.equal(vhost.queue('stays').index.readyCount, 1);
  t.equal(anew.index.readyCount, 1);
});
