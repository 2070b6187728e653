/** What a broker leaves behind that is stopped in order. */
import { strict as assert } from 'node:assert';
import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { eventually } from '../testing/eventually.ts';
import { openBroker, publishAll, testActor } from '../testing/open-broker.ts';
import { SimulatedFs } from '../testing/simulated-fs.ts';
import { declareQueue } from './queues.ts';

const QUEUE = { name: 'q', durable: true, exclusive: false, autoDelete: false, args: EMPTY_TABLE };

t.test('a sync that fails just before a stop is made good by it', async (t) => {
  const fs = new SimulatedFs();
  const { broker, vhost, close } = await openBroker(t, fs, '/data');
  declareQueue(vhost, testActor(), QUEUE);
  publishAll(vhost, 'q', ['a']);
  fs.failFor({ calls: ['sync'], errno: 'EIO', length: 1, path: /msgs/ });
  vhost.store.log.waitForAll({ durableAdvanced: () => true });
  await eventually(() => assert.equal(broker.health().ok, false));
  await close();
  const again = await openBroker(t, fs.copy(), '/data');
  const { index } = again.vhost.queue('q');
  t.equal(index.readyCount, 1);
  t.equal(index.redeliveredUpTo, 0, 'nothing is in doubt');
  t.ok(fs.paths.some((path) => /checkpoint\.\d{10}$/.test(path)));
});
