import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { FixedBytes } from '../base/fixed-bytes.ts';
import { Consumer } from '../broker/consumer.ts';
import { TRANSACTION_ACKS_MAX } from '../broker/transaction.ts';
import { openBroker } from '../testing/open-broker.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { ChannelTransaction, SETTLEMENTS } from './channel-transaction.ts';
import { UnackedList } from './unacked-list.ts';

async function setUp(t: Teardown) {
  const { vhost } = await openBroker(t);
  const declaration = {
    name: 'q',
    durable: true,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  };
  const queue = vhost.addQueue(declaration, null);
  const sink = {
    canTake: true,
    credit: Number.POSITIVE_INFINITY,
    deliver: () => undefined,
    deliverRun: () => undefined,
    consumerCancelled: () => undefined,
  };
  const options = { tag: 'c', noAck: false, exclusive: false, prefetchCount: 0, priority: 0 };
  const consumer = new Consumer(queue, sink, options, new FixedBytes(Buffer.alloc(0)));
  return { consumer, transaction: new ChannelTransaction(vhost), unacked: new UnackedList() };
}

t.test('a million acks fit into a transaction, and one more does not', async (t) => {
  const { consumer, transaction, unacked } = await setUp(t);
  for (let tag = 1; tag <= TRANSACTION_ACKS_MAX + 1; tag++) unacked.push(tag, consumer, tag, 0, 1);
  for (let tag = 1; tag <= TRANSACTION_ACKS_MAX; tag++) {
    transaction.hold(unacked, unacked.find(tag), SETTLEMENTS.ack);
  }
  t.ok(transaction.memoryBytes >= 40 * TRANSACTION_ACKS_MAX);
  t.ok(transaction.recordBytes < 100, 'they are one range');
  const last = unacked.find(TRANSACTION_ACKS_MAX + 1);
  t.throws(() => transaction.hold(unacked, last, SETTLEMENTS.ack), {
    message: /^transaction has more than 1000000/,
  });
  transaction.rollback(unacked);
  t.equal(unacked.count, TRANSACTION_ACKS_MAX + 1);
  t.equal(unacked.tagAt(unacked.first()), 1);
  t.ok(transaction.memoryBytes < 200_000, 'the memory is given back');
});

t.test('deliveries are shown in the order in which they were settled', async (t) => {
  const { consumer, transaction, unacked } = await setUp(t);
  for (let tag = 1; tag <= 4; tag++) unacked.push(tag, consumer, tag, 10 * tag, 1);
  transaction.hold(unacked, unacked.find(3), SETTLEMENTS.ack);
  transaction.hold(unacked, unacked.find(1), SETTLEMENTS.ack);
  transaction.hold(unacked, unacked.find(4), SETTLEMENTS.requeue);
  t.equal(transaction.heldCount, 3);
  const seen: number[][] = [];
  transaction.forEachHeld((held, entry, settlement) => {
    seen.push([held.tagAt(entry), settlement]);
  });
  t.same(seen, [
    [3, SETTLEMENTS.ack],
    [1, SETTLEMENTS.ack],
    [4, SETTLEMENTS.requeue],
  ]);
  transaction.rollback(unacked);
  t.equal(transaction.heldCount, 0);
  const tags: number[] = [];
  for (let entry = unacked.first(); entry >= 0; entry = unacked.next(entry)) {
    tags.push(unacked.tagAt(entry));
    t.equal(unacked.find(unacked.tagAt(entry)), entry);
    t.equal(unacked.positionAt(entry), 10 * unacked.tagAt(entry));
  }
  t.same(tags, [1, 2, 3, 4]);
});
