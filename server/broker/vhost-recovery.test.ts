import { cpSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { EMPTY_TABLE, type FieldTable } from '../../generated/index.ts';
import { openBroker, publishAll, testActor } from '../testing/open-broker.ts';
import { type Teardown, temporaryDirectory } from '../testing/temporary-directory.ts';
import { bindingsIn } from './binding-group.ts';
import { bind, unbind } from './bindings.ts';
import { BrokerError } from './broker-error.ts';
import { declareExchange, deleteExchange } from './exchanges.ts';
import { declareQueue, deleteQueue } from './queues.ts';
import type { Vhost } from './vhost.ts';

const ACTOR = testActor();
const UNCONDITIONAL = { ifUnused: false, ifEmpty: false };
const ARGUMENTS: readonly FieldTable[] = [
  EMPTY_TABLE,
  new Map([['x-match', { tag: 'S', value: 'any' }]]),
  new Map([
    [
      'é',
      {
        tag: 'A',
        value: [
          { tag: 'I', value: 1 },
          { tag: 'V', value: null },
        ],
      },
    ],
  ]),
];

/** What of a vhost must survive a restart. */
function durablePartOf(vhost: Vhost): unknown {
  const exchanges = [...vhost.exchanges.values()];
  return {
    exchanges: exchanges
      .filter(({ definedAt }) => definedAt >= 0)
      .map(({ name, type, autoDelete, internal, args }) => [name, type, autoDelete, internal, args])
      .sort(),
    queues: [...vhost.queues.values()]
      .filter(({ definedAt }) => definedAt >= 0)
      .map(({ name, autoDelete, args, index }) => [
        name,
        autoDelete,
        args,
        index.number,
        index.readyCount,
      ])
      .sort(),
    bindings: exchanges
      .flatMap(({ outgoing }) => bindingsIn(outgoing))
      .filter(({ definedAt }) => definedAt >= 0)
      .map(({ id, source, destination }) => [
        source.name,
        destination.name,
        id,
        destination.incoming.get(source)?.find(id)?.id,
      ])
      .sort(),
  };
}

type Step = (vhost: Vhost) => void;

const names = fc.constantFrom('a', 'b', 'ünï', 'amq.topic');
const queueNames = fc.constantFrom('q', 'r', 's');
const keys = fc.constantFrom('', 'a.b', '#');
const tables = fc.constantFrom(...ARGUMENTS);
const requests = fc.oneof(
  fc.record({
    source: names,
    kind: fc.constant('queue' as const),
    destination: queueNames,
    bindingKey: keys,
    args: tables,
  }),
  fc.record({
    source: names,
    kind: fc.constant('exchange' as const),
    destination: names,
    bindingKey: keys,
    args: tables,
  }),
);

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({
      name: names,
      type: fc.constantFrom('direct', 'fanout', 'topic', 'headers'),
      durable: fc.boolean(),
      autoDelete: fc.boolean(),
      internal: fc.boolean(),
      args: tables,
    })
    .map(
      (declaration): Step =>
        (vhost) =>
          void declareExchange(vhost, ACTOR, declaration),
    ),
  fc
    .record({
      name: queueNames,
      durable: fc.boolean(),
      autoDelete: fc.boolean(),
      exclusive: fc.boolean(),
      args: tables,
    })
    .map(
      (declaration): Step =>
        (vhost) =>
          void declareQueue(vhost, ACTOR, declaration),
    ),
  requests.map(
    (request): Step =>
      (vhost) =>
        void bind(vhost, ACTOR, request),
  ),
  requests.map(
    (request): Step =>
      (vhost) =>
        void bind(vhost, ACTOR, request),
  ),
  requests.map(
    (request): Step =>
      (vhost) =>
        void unbind(vhost, ACTOR, request),
  ),
  names.map(
    (name): Step =>
      (vhost) =>
        void deleteExchange(vhost, ACTOR, name, false),
  ),
  queueNames.map(
    (name): Step =>
      (vhost) =>
        void deleteQueue(vhost, ACTOR, name, UNCONDITIONAL),
  ),
  queueNames.map(
    (name): Step =>
      (vhost) =>
        publishAll(vhost, name, ['m']),
  ),
);

/** Refusals are part of the game. */
function play(vhost: Vhost, plan: readonly Step[]): void {
  for (const step of plan) {
    try {
      step(vhost);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
    }
  }
}

/** The vhost as a server finds it that starts on a copy of the directory as it is now. */
async function reopenCopy(t: Teardown, dataDir: string) {
  const copy = temporaryDirectory(t);
  cpSync(dataDir, copy, { recursive: true });
  return openBroker(t, undefined, copy);
}

t.test('what is durable of any topology comes back, after a stop and after a kill', async (t) => {
  const plans = fc.tuple(fc.array(steps, { maxLength: 40 }), fc.array(steps, { maxLength: 20 }));
  const property = fc.asyncProperty(
    plans,
    fc.boolean(),
    async ([before, after], withCheckpoint) => {
      const { vhost, dataDir, close } = await openBroker(t);
      play(vhost, before);
      if (withCheckpoint) await vhost.store.checkpoint(vhost, false);
      play(vhost, after);
      await vhost.store.log.syncAll();
      const expected = durablePartOf(vhost);
      const killed = await reopenCopy(t, dataDir);
      t.same(durablePartOf(killed.vhost), expected, 'after a kill') || t.bailout();
      await killed.close();
      await close();
      const stopped = await reopenCopy(t, dataDir);
      t.same(durablePartOf(stopped.vhost), expected, 'after a stop') || t.bailout();
      await stopped.close();
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

t.test('numbers of queues are never used again', async (t) => {
  const first = await openBroker(t);
  const declare = (vhost: Vhost, name: string) =>
    declareQueue(vhost, ACTOR, {
      name,
      durable: true,
      exclusive: false,
      autoDelete: false,
      args: EMPTY_TABLE,
    }).queue.number;
  const numbers = [declare(first.vhost, 'a'), declare(first.vhost, 'b')];
  deleteQueue(first.vhost, ACTOR, 'b', UNCONDITIONAL);
  await first.close();
  const second = await openBroker(t, undefined, first.dataDir);
  numbers.push(declare(second.vhost, 'b'));
  deleteQueue(second.vhost, ACTOR, 'b', UNCONDITIONAL);
  await second.vhost.store.log.syncAll();
  const third = await reopenCopy(t, first.dataDir);
  numbers.push(declare(third.vhost, 'b'));
  t.equal(new Set(numbers).size, numbers.length, numbers.join());
});

t.test(
  'definitions are written down in slices, and what changes between them counts',
  async (t) => {
    const { vhost, dataDir, close } = await openBroker(t);
    const args = EMPTY_TABLE;
    const queue = { name: 'q', durable: true, exclusive: false, autoDelete: false, args };
    declareQueue(vhost, ACTOR, queue);
    const request = (bindingKey: string) =>
      ({ source: 'amq.topic', kind: 'queue', destination: 'q', bindingKey, args }) as const;
    for (let i = 0; i < 3000; i++) bind(vhost, ACTOR, request(`k${i}`));
    await vhost.store.log.syncAll();
    const takenInTurn: number[] = [];
    let turn = 0;
    const change = () => {
      unbind(vhost, ACTOR, request(`k${turn}`));
      unbind(vhost, ACTOR, request(`k${2999 - turn}`));
      bind(vhost, ACTOR, request(`new${turn}`));
      turn++;
      if (turn < 3) setImmediate(change);
    };
    setImmediate(change);
    const source = {
      durableIndexes: () => vhost.durableIndexes(),
      allIndexes: () => vhost.allIndexes(),
      nextQueueNumber: () => vhost.nextQueueNumber(),
      *definitions() {
        for (const definition of vhost.definitions()) {
          takenInTurn[turn] = (takenInTurn[turn] ?? 0) + 1;
          yield definition;
        }
      },
    };
    await vhost.store.checkpoint(source, false);
    t.same(takenInTurn, [1000, 1000, 1000, 1]);
    await vhost.store.log.syncAll();
    const expected = durablePartOf(vhost);
    t.same(durablePartOf((await reopenCopy(t, dataDir)).vhost), expected);
    await close();
  },
);
