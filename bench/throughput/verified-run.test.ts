/** Runs against the real server, in a process of its own: what needs messages that are really kept. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue, declareQueueAs, startConsumer } from '../amqp/control.ts';
import { StorageServer } from '../storage/storage-server.ts';
import { ConsumeGoal } from './consume-goal.ts';
import { Consumer } from './consumer.ts';
import { runThroughput } from './throughput.ts';
import { THROUGHPUT_DEFAULTS, type ThroughputOptions } from './throughput-options.ts';
import type { ThroughputResult } from './throughput-result.ts';
import { isVerified } from './verification.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
const server = await StorageServer.start(dataDir, null, new AbortController().signal);
t.teardown(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true });
});

let queueCount = 0;

/** Publishes and verifies into a queue of the test's own. */
function run(changes: Partial<ThroughputOptions>): Promise<ThroughputResult> {
  const queues = [`q${queueCount++}`];
  return runThroughput({
    ...THROUGHPUT_DEFAULTS,
    uri: server.uri,
    queues,
    verify: true,
    ...changes,
  });
}

function expectAll(t: Test, result: ThroughputResult, count: number): void {
  t.match(result.verification, { verified: count, missing: 0, duplicates: 0, outOfOrder: 0 });
  t.equal(result.verification?.corrupt, 0);
  t.equal(result.ready, 0);
}

t.test('all that is published comes, each once, in order and whole', async (t) => {
  expectAll(t, await run({ publishCountMax: 20_000 }), 20_000);
});

t.test('several producers, consumers, queues and sizes, with confirms and acks', async (t) => {
  const result = await run({
    producers: 3,
    consumers: 4,
    queues: ['p1', 'p2', 'p3'],
    bodySizesBytes: [16, 300, 5000],
    randomBodies: true,
    confirmWindow: 100,
    ackEvery: 10,
    prefetchCount: 100,
    publishCountMax: 3001,
  });
  expectAll(t, result, 3001);
  t.equal(result.confirmed, 3001);
});

t.test('transactions on both sides', async (t) => {
  const result = await run({
    publishTransaction: 50,
    ackEvery: 5,
    ackTransaction: 20,
    publishCountMax: 1010,
  });
  expectAll(t, result, 1010);
  t.equal(result.committed, 1010);
  t.equal(result.commitLatency?.count, 21);
});

t.test('polling, with bodies of several frames', async (t) => {
  const result = await run({
    poll: true,
    ackEvery: 1,
    bodySizesBytes: [200_000],
    publishCountMax: 20,
    consumeCountMax: 20,
  });
  expectAll(t, result, 20);
});

t.test('every consumer has a queue of its own at a fanout exchange', async (t) => {
  const result = await run({
    consumers: 3,
    queues: [''],
    exchange: 'amq.fanout',
    publishCountMax: 500,
  });
  expectAll(t, result, 1500);
});

t.test('at a rate latencies count from when messages are due', async (t) => {
  const result = await run({
    producers: 2,
    publishRate: 2000,
    measureLatency: true,
    confirmWindow: 10,
    publishCountMax: 400,
  });
  expectAll(t, result, 400);
  t.equal(result.latency?.count, 400);
  t.equal(result.confirmLatency?.count, 400);
  t.ok(result.publishSeconds >= 0.099, 'the last one is due after 0.1 s');
});

for (const poll of [false, true]) {
  t.test(`a consumer with a rate takes no more than is due, polling: ${poll}`, async (t) => {
    const startedMs = performance.now();
    const result = await run({
      poll,
      consumeRate: 1000,
      publishCountMax: 150,
      consumeCountMax: 100,
      ackEvery: 1,
      prefetchCount: 10,
    });
    t.ok(performance.now() - startedMs >= 95);
    t.ok(result.consumed < 150);
    t.ok(result.verification !== null && isVerified(result.verification));
  });
}

t.test('messages that somebody else takes are missing', async (t) => {
  const thief = await BenchConnection.open(server.uri, 'thief');
  t.teardown(() => thief.close());
  await declareQueue(thief, 'shared', false);
  const stolen = new ConsumeGoal(0);
  new Consumer(thief, stolen, 0);
  await startConsumer(thief, 'shared', true);
  const result = await run({ queues: ['shared'], publishCountMax: 2000, durationMs: 20_000 });
  t.ok(stolen.consumed > 0);
  t.equal(result.verification?.missing, stolen.consumed);
  t.equal(result.verification?.verified, 2000 - stolen.consumed);
});

t.test('what an earlier run has left in the queue is passed over', async (t) => {
  await run({ queues: ['left'], consumers: 0, publishCountMax: 100 });
  const result = await run({ queues: ['left'], publishCountMax: 100 });
  expectAll(t, result, 100);
  t.equal(result.verification?.foreign, 100);
});

t.test('what another process has published is verified as well', async (t) => {
  await run({ queues: ['other'], consumers: 0, publishCountMax: 100 });
  const result = await run({ queues: ['other'], producers: 0, consumeCountMax: 100 });
  expectAll(t, result, 100);
});

t.test('a queue that exists with other settings is used as it is', async (t) => {
  const owner = await BenchConnection.open(server.uri, 'owner');
  t.teardown(() => owner.close());
  await declareQueueAs(owner, { queue: 'transient', autoDelete: false, durable: false });
  expectAll(t, await run({ queues: ['transient'], publishCountMax: 10 }), 10);
});
