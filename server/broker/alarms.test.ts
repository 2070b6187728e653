import t from 'tap';
import { EMPTY_TABLE } from '../../generated/index.ts';
import { createSilentLogger } from '../telemetry/logger.ts';
import { openBroker, testActor } from '../testing/open-broker.ts';
import { Alarms } from './alarms.ts';
import { bind } from './bindings.ts';
import { declareExchange } from './exchanges.ts';
import { declareQueue, deleteQueue } from './queues.ts';

const BEHIND = { behind: true, diskFull: false };
const FULL = { behind: false, diskFull: true };
const HELD = { message: 'the disk is full' };
const WELL = { behind: false, diskFull: false };

t.test('a log that is behind holds publishers back without a word', async (t) => {
  const alarms = new Alarms(createSilentLogger());
  alarms.setLogState('/', BEHIND);
  t.match(alarms, { holdsPublishes: true, holdsDefinitions: false, reason: '' });
  alarms.setLogState('/', WELL);
  t.match(alarms, { holdsPublishes: false, holdsDefinitions: false, reason: '' });
});

t.test('a full disk holds publishes and definitions until no log says so any more', async (t) => {
  const alarms = new Alarms(createSilentLogger());
  alarms.setLogState('/', FULL);
  alarms.setLogState('other', FULL);
  alarms.setLogState('/', WELL);
  t.match(alarms, { holdsPublishes: true, holdsDefinitions: true, reason: 'low on disk' });
  alarms.forgetLog('other');
  t.match(alarms, { holdsPublishes: false, holdsDefinitions: false, reason: '' });
});

t.test('who listens is told of each change, until it leaves', async (t) => {
  const alarms = new Alarms(createSilentLogger());
  const heard: string[] = [];
  const listener = { alarmsChanged: () => heard.push(alarms.reason) };
  alarms.listen(listener);
  alarms.setLow('memory', true);
  alarms.setLow('memory', true);
  alarms.setLow('disk', true);
  alarms.setLow('memory', false);
  alarms.unlisten(listener);
  alarms.setLow('disk', false);
  t.same(heard, ['low on memory', 'low on memory & disk', 'low on disk']);
});

t.test(
  'with a full disk nothing durable is added, and what is refused leaves no trace',
  async (t) => {
    const { broker, vhost } = await openBroker(t);
    const actor = testActor();
    const queue = { exclusive: false, autoDelete: false, args: EMPTY_TABLE };
    const exchange = { type: 'direct', autoDelete: false, internal: false, args: EMPTY_TABLE };
    const binding = (bindingKey: string) =>
      ({ source: 'x', kind: 'queue', destination: 'q', bindingKey, args: EMPTY_TABLE }) as const;
    const declare = (name: string, durable: boolean) =>
      declareQueue(vhost, actor, { ...queue, name, durable });
    const declareX = (name: string, durable: boolean) =>
      declareExchange(vhost, actor, { ...exchange, name, durable });
    declare('q', true);
    declareX('x', true);
    bind(vhost, actor, binding('known'));
    const version = vhost.topologyVersion;
    broker.alarms.setLogState('/', FULL);
    t.throws(() => declare('q2', true), HELD);
    t.throws(() => declareX('x2', true), HELD);
    t.throws(() => bind(vhost, actor, binding('new')), HELD);
    t.equal(vhost.topologyVersion, version);
    t.notOk(vhost.queues.has('q2'));
    t.notOk(vhost.exchanges.has('x2'));
    // What exists is found, what is transient is made, what goes may go.
    declare('q', true);
    declareX('x', true);
    bind(vhost, actor, binding('known'));
    declare('transient', false);
    declareX('transient', false);
    declareQueue(vhost, actor, { ...queue, name: 'mine', durable: true, exclusive: true });
    deleteQueue(vhost, actor, 'q', { ifUnused: false, ifEmpty: false });
    broker.alarms.setLogState('/', WELL);
    t.ok(declare('q2', true).queue);
  },
);
