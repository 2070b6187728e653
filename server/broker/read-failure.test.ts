import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { StorageError } from '../storage/storage-error.ts';
import { eventually } from '../testing/eventually.ts';
import { interceptReads } from '../testing/intercept-reads.ts';
import { openBroker, publishAll, RecordingSink, testActor } from '../testing/open-broker.ts';
import { declareQueue } from './queues.ts';

t.test('a message that cannot be read stays, and comes when the disk is well again', async (t) => {
  // Goal: neither lost nor asked for without end. Method: reopen, so that it must be read from its segment.
  const first = await openBroker(t);
  const declaration = {
    name: 'q',
    durable: true,
    exclusive: false,
    autoDelete: false,
    args: EMPTY_TABLE,
  };
  declareQueue(first.vhost, testActor(), declaration);
  publishAll(first.vhost, 'q', ['kept']);
  await first.close();

  let readsFailed = 0;
  const fs = interceptReads(async (path, read) => {
    if (readsFailed > 0) return read();
    readsFailed++;
    throw StorageError.from(path, 'read', new Error('broken disk'));
  });
  const second = await openBroker(t, fs, first.dataDir);
  const sink = new RecordingSink();
  sink.consume(second.vhost.queue('q'));
  await eventually(() => {
    if (sink.deliveries.length === 0) throw new Error('not delivered yet');
  });
  t.equal(readsFailed, 1);
  t.same(
    sink.deliveries.map(({ body }) => body),
    ['kept'],
  );
});
