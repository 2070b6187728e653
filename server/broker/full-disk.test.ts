/** What a broker does with a disk that its last run has left full. */
import { strict as assert } from 'node:assert';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { eventually } from '../testing/eventually.ts';
import { LogCollector } from '../testing/log-collector.ts';
import { openBroker, publishAll, RecordingSink, testActor } from '../testing/open-broker.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { declareQueue } from './queues.ts';

const HELD_BYTES = 2 ** 20;
const QUEUE = { name: 'q', durable: true, exclusive: false, autoDelete: false, args: EMPTY_TABLE };

function fileOf(fs: SimulatedFs, path: string, content: Buffer): void {
  const file = fs.openForWriting(path);
  file.writeAt(content, 0, content.length, 0);
  file.close();
}

t.test(
  'publishers wait from the first moment on until the reserve could be taken again',
  async (t) => {
    const fs = new SimulatedFs({ capacityBytes: 3 * HELD_BYTES });
    fs.makeDirectory('/data');
    const given = fs.openForWriting('/data/reserve.given');
    given.truncate(HELD_BYTES);
    given.close();
    fileOf(fs, '/filler', Buffer.alloc(2 * HELD_BYTES));
    const { broker, vhost } = await openBroker(t, fs, '/data');
    t.ok(broker.alarms.holdsPublishes);
    t.equal(broker.alarms.reason, 'low on disk');
    t.throws(() => declareQueue(vhost, testActor(), QUEUE), /the disk is full/);
    fs.delete('/filler');
    await eventually(() => assert.equal(broker.alarms.holdsPublishes, false));
    t.ok(fs.paths.includes('/data/reserve'));
    t.notOk(fs.paths.includes('/data/reserve.given'));
  },
);

t.test('a disk that is full before there is much in the log becomes writable again', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 12 * 2 ** 20 });
  fs.makeDirectory('/data');
  const { broker, vhost } = await openBroker(t, fs, '/data');
  declareQueue(vhost, testActor(), QUEUE);
  const queue = vhost.queue('q');
  const some = Array.from({ length: 10 }, () => 'x'.repeat(10_000));
  publishAll(vhost, 'q', some);
  await eventually(() => assert.ok(fs.paths.includes('/data/reserve')));
  while (!broker.alarms.holdsPublishes) {
    publishAll(vhost, 'q', some);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.notOk(fs.paths.includes('/data/reserve'));
  t.ok(vhost.store.log.fileBytes < 12 * 2 ** 20);
  new RecordingSink().consume(queue);
  await eventually(() => assert.equal(broker.alarms.holdsPublishes, false));
  t.equal(queue.index.readyCount, 0);
  publishAll(vhost, 'q', some);
  await vhost.store.log.syncAll();
  t.ok(fs.paths.includes('/data/reserve'));
});

t.test('where little is free some of it is held back from the start, and told', async (t) => {
  const log = new LogCollector();
  const fs = new SimulatedFs({ capacityBytes: 3 * 2 ** 20 });
  fs.makeDirectory('/data');
  const { broker, vhost } = await openBroker(t, fs, '/data', {}, log.logger);
  t.match(await log.expect('reserve.small'), { level: 'warn' });
  t.ok(fs.paths.includes('/data/reserve'));
  declareQueue(vhost, testActor(), QUEUE);
  const queue = vhost.queue('q');
  const some = Array.from({ length: 10 }, () => 'x'.repeat(10_000));
  while (!broker.alarms.holdsPublishes) {
    publishAll(vhost, 'q', some);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(fs.freeBytes('/') > 2 ** 17, 'some of the reserve is left for consumers');
  new RecordingSink().consume(queue);
  await eventually(() => assert.equal(broker.alarms.holdsPublishes, false));
  t.ok(fs.paths.includes('/data/reserve'));
  t.equal(log.of('reserve.small').length, 1, 'it is told once');
});

t.test('a server that can hold nothing back says so', async (t) => {
  const log = new LogCollector();
  const fs = new SimulatedFs({ capacityBytes: 2 ** 19 });
  fs.makeDirectory('/data');
  await openBroker(t, fs, '/data', {}, log.logger);
  t.match(await log.expect('reserve.small'), { level: 'warn' });
  t.notOk(fs.paths.includes('/data/reserve'));
});

t.test('a server whose disk has much room holds nothing back before it must', async (t) => {
  const fs = new SimulatedFs({ capacityBytes: 2 ** 30 });
  fs.makeDirectory('/data');
  const { vhost } = await openBroker(t, fs, '/data');
  declareQueue(vhost, testActor(), QUEUE);
  await vhost.store.log.syncAll();
  t.same(
    fs.paths.filter((path) => path.includes('reserve')),
    [],
  );
});
