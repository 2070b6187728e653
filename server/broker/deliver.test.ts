import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { eventually } from '../testing/eventually.ts';
import { GatedFileSystem } from '../testing/gated-file-system.ts';
import {
  delivered,
  numbered,
  openBroker,
  publishAll,
  RecordingSink,
  testActor,
} from '../testing/open-broker.ts';
import { SlowClock } from '../testing/slow-clock.ts';
import type { Teardown } from '../testing/temporary-directory.ts';
import { deliverReady } from './deliver.ts';
import { DeliveryRun } from './delivery-run.ts';
import { declareQueue, purgeQueue, removeConsumer, removeQueue } from './queues.ts';
import type { Vhost } from './vhost.ts';

function declare(vhost: Vhost, name: string, durable: boolean) {
  const declaration = { name, durable, exclusive: false, autoDelete: false, args: EMPTY_TABLE };
  return declareQueue(vhost, testActor(), declaration).queue;
}

async function setUp(t: Teardown) {
  const gated = new GatedFileSystem();
  const { vhost, close, dataDir } = await openBroker(t, gated.fs);
  t.teardown(() => {
    gated.syncs.release();
    gated.reads.release();
  });
  return { gated, vhost, close, dataDir, sink: new RecordingSink() };
}

t.test('messages go in turn to the consumers that take one', async (t) => {
  const { vhost, sink } = await setUp(t);
  const queue = declare(vhost, 'q', false);
  sink.consume(queue, { tag: 'a' });
  sink.consume(queue, { tag: 'b', noAck: false, prefetchCount: 1 });
  sink.consume(queue, { tag: 'c' });
  publishAll(vhost, 'q', numbered(0, 6));
  await delivered(sink, 6);
  t.same(
    sink.deliveries.map(({ tag, body }) => `${tag} ${body}`),
    ['a m0', 'b m1', 'c m2', 'a m3', 'c m4', 'a m5'],
  );
});

t.test('nothing of a durable queue is delivered before the log knows that it may be', async (t) => {
  const { vhost, sink, gated } = await setUp(t);
  const queue = declare(vhost, 'q', true);
  gated.syncs.hold();
  sink.consume(queue);
  publishAll(vhost, 'q', numbered(0, 3));
  await eventually(() => {
    if (gated.syncs.waitingCount === 0) throw new Error('no sync yet');
  });
  t.same(sink.deliveries, []);
  gated.syncs.release();
  await delivered(sink, 3);
});

t.test('a purge beyond what was reserved does not stop the queue', async (t) => {
  const { vhost, sink, gated } = await setUp(t);
  const queue = declare(vhost, 'q', true);
  publishAll(vhost, 'q', numbered(0, 20_000));
  sink.limit = 100;
  sink.consume(queue);
  await delivered(sink, 100);
  // Half of the first reservation goes, the next one waits for its sync ...
  gated.syncs.hold();
  sink.limit = 600;
  queue.wake();
  await delivered(sink, 600);
  t.ok(queue.index.reservedUpTo > queue.index.deliverableUpTo);
  t.ok(queue.index.reservedUpTo < 20_000);
  // ... and covers nothing of what is there by then.
  t.equal(purgeQueue(vhost, testActor(), 'q').messageCount, 19_400);
  publishAll(vhost, 'q', ['after']);
  sink.limit = Number.POSITIVE_INFINITY;
  queue.wake();
  await eventually(() => {
    if (!queue.isParked) throw new Error('not parked yet');
  });
  gated.syncs.release();
  await delivered(sink, 601);
  t.equal(sink.deliveries.at(-1)?.body, 'after');
});

t.test(
  'a queue delivers a bounded share in a turn, and its publishers see it behind',
  async (t) => {
    const { vhost, sink } = await setUp(t);
    const queue = declare(vhost, 'q', false);
    publishAll(
      vhost,
      'q',
      numbered(0, 300).map((body) => body.padEnd(10_000)),
    );
    sink.consume(queue);
    const shares: number[] = [];
    for (let before = 0; before < 300; before = sink.deliveries.length) {
      await new Promise((resolve) => setImmediate(resolve));
      shares.push(sink.deliveries.length - before);
      if (sink.deliveries.length < 300) t.ok(queue.isBehind);
    }
    t.ok(Math.max(...shares) <= 105, `shares of ${shares.join()}`);
    t.notOk(queue.isBehind);
  },
);

t.test('a turn that has delivered for long enough ends, however little that was', async (t) => {
  const { vhost, sink } = await setUp(t);
  const queue = declare(vhost, 'q', false);
  publishAll(
    vhost,
    'q',
    numbered(0, 3000).map((body) => body.padEnd(600)),
  );
  sink.consume(queue);
  deliverReady(queue, new SlowClock(), new DeliveryRun());
  t.ok(queue.isBehind);
  const { length } = sink.deliveries;
  t.ok(length >= 400 && length <= 512, `${length} before the second look behind 256 KiB`);
  await delivered(sink, 3000);
});

t.test('a slow queue ends its share once as much went as has come', async (t) => {
  const { vhost, sink } = await setUp(t);
  const queue = declare(vhost, 'q', false);
  /** How many are delivered in a turn in which it is late from the third look on. */
  const share = () => {
    const before = sink.deliveries.length;
    deliverReady(queue, new SlowClock(), new DeliveryRun());
    t.ok(queue.isBehind);
    return sink.deliveries.length - before;
  };
  const padded = (from: number, count: number) =>
    numbered(from, count).map((body) => body.padEnd(100));
  publishAll(vhost, 'q', padded(0, 2000));
  sink.consume(queue);
  const firstShare = share();
  t.ok(firstShare <= 1024, `${firstShare} at first`);
  publishAll(vhost, 'q', padded(2000, 1000));
  const shareOfSmall = share();
  t.ok(shareOfSmall >= 1000 && shareOfSmall <= 1512, `${shareOfSmall} after 1000 have come`);
  publishAll(
    vhost,
    'q',
    numbered(3000, 3000).map((body) => body.padEnd(600)),
  );
  const shareOfLarge = share();
  t.ok(shareOfLarge < 2500, `${shareOfLarge} after 3000 of 600 octets have come`);
  await delivered(sink, 6000);
});

t.test('a queue lags while its consumers keep taking and much waits for them', async (t) => {
  const { vhost, sink } = await setUp(t);
  const queue = declare(vhost, 'q', false);
  const bodies = numbered(0, 20_000);
  publishAll(vhost, 'q', bodies);
  t.notOk(queue.lags(0), 'nobody consumes');
  sink.consume(queue, { noAck: false, prefetchCount: 1 });
  await delivered(sink, 1);
  const { servedMs } = queue;
  t.ok(queue.lags(servedMs + 1));
  t.notOk(queue.lags(servedMs + 1000), 'a consumer that needs its time holds nobody up');
  purgeQueue(vhost, testActor(), 'q');
  t.notOk(queue.lags(servedMs + 1), 'nothing waits');
});

t.test('a queue that waits for the disk looks at its state afresh', async (t) => {
  const { vhost, close, dataDir, gated } = await setUp(t);
  for (const name of ['purged', 'deleted', 'left']) {
    declare(vhost, name, true);
    publishAll(vhost, name, numbered(0, 3));
  }
  await close();
  const { vhost: again } = await openBroker(t, gated.fs, dataDir);
  gated.reads.hold();
  const sinks = ['purged', 'deleted', 'left'].map((name) => {
    const sink = new RecordingSink();
    const queue = again.queue(name);
    return { sink, queue, consumer: sink.consume(queue) };
  });
  await eventually(() => {
    if (gated.reads.waitingCount === 0) throw new Error('no read yet');
  });
  const [purged, deleted, left] = sinks;
  purgeQueue(again, testActor(), 'purged');
  publishAll(again, 'purged', ['new']);
  removeQueue(again, deleted!.queue);
  removeConsumer(again, left!.consumer);
  gated.reads.release();
  await delivered(purged!.sink, 1);
  t.same(
    sinks.map(({ sink }) => sink.deliveries.map(({ body }) => body)),
    [['new'], [], []],
  );
  t.same(deleted!.sink.cancelled, ['c']);
  t.equal(left!.queue.index.readyCount, 3);
});
