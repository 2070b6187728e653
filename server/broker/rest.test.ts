import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { collectGarbage } from '../base/collect-garbage.ts';
import { eventually } from '../testing/eventually.ts';
import {
  delivered,
  openBroker,
  publishAll,
  RecordingSink,
  testActor,
} from '../testing/open-broker.ts';
import { declareQueue } from './queues.ts';

/** Together more than the log keeps of what it has written. */
const BODIES = Array.from({ length: 3000 }, (_, i) => `m${i}`.padEnd(1024));

t.test('at rest nothing holds the memory that messages were read into', async (t) => {
  const { broker, vhost } = await openBroker(t);
  const declaration = { name: 'q', durable: true, exclusive: false, autoDelete: false };
  const { queue } = declareQueue(vhost, testActor(), { ...declaration, args: EMPTY_TABLE });
  publishAll(vhost, 'q', BODIES);
  await vhost.store.log.syncAll();
  broker.rest();
  const sink = new RecordingSink();
  sink.limit = 1000;
  sink.consume(queue);
  await delivered(sink, 1000);
  const region = new WeakRef(queue.block!.area.buf.buffer);
  await eventually(() => {
    broker.rest();
    collectGarbage();
    if (region.deref() !== undefined) throw new Error('it is still there');
  });
  sink.limit = BODIES.length;
  queue.wake();
  await delivered(sink, BODIES.length);
  t.same(
    sink.deliveries.map(({ body }) => body),
    BODIES,
    'and what is delivered next is read again',
  );
});
