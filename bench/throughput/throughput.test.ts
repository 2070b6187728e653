import t, { type Test } from 'tap';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { StandInBroker } from '../testing/stand-in-broker.ts';
import { Load } from './load.ts';
import { runThroughput } from './throughput.ts';
import { THROUGHPUT_DEFAULTS, type ThroughputOptions } from './throughput-options.ts';

interface Started {
  readonly broker: StandInBroker;
  readonly options: (changes: Partial<ThroughputOptions>) => ThroughputOptions;
}

async function startBroker(t: Test, bodySizeBytes = 16): Promise<Started> {
  const broker = await StandInBroker.start(bodySizeBytes);
  t.teardown(() => broker.stop());
  const uri = parseAmqpUri(broker.uri);
  return { broker, options: (changes) => ({ ...THROUGHPUT_DEFAULTS, uri, ...changes }) };
}

t.test('what two producers publish, three consumers consume, all of it', async (t) => {
  const { broker, options } = await startBroker(t);
  const result = await runThroughput(
    options({ producers: 2, consumers: 3, publishCountMax: 20_001, consumeCountMax: 20_001 }),
  );
  t.equal(broker.queue.published, 20_001);
  t.equal(result.published, 20_001);
  t.equal(result.consumed, 20_001);
  t.equal(result.ready, 0);
  t.equal(result.confirmLatency, null);
  t.equal(result.broker, 'stand-in 0');
  t.ok(result.generatorCpuNsPerMessage > 0);
});

t.test('with acks every delivery is acked, also with a prefetch', async (t) => {
  const { broker, options } = await startBroker(t);
  broker.queue.ready = 1003;
  const result = await runThroughput(
    options({ producers: 0, ackEvery: 10, prefetchCount: 20, consumeCountMax: 1003 }),
  );
  t.equal(result.consumed, 1003);
  t.equal(broker.queue.acked, 1003);
});

t.test('with confirms every publish is confirmed and timed', async (t) => {
  const { broker, options } = await startBroker(t);
  const result = await runThroughput(
    options({ consumers: 0, confirmWindow: 100, publishCountMax: 5000, persistent: true }),
  );
  t.equal(broker.queue.published, 5000);
  t.equal(result.confirmed, 5000);
  t.equal(result.nacked, 0);
  t.equal(result.ready, 5000);
  t.equal(result.confirmLatency?.count, 5000);
  t.ok((result.confirmLatency?.p99Ms ?? 0) > 0);
});

t.test('what the warm-up has measured is forgotten', async (t) => {
  const { options } = await startBroker(t);
  const load = new Load(options({}));
  for (const latencies of [load.confirmLatencyUs, load.latencyUs]) {
    latencies.record(1000, 1);
    latencies.takeLatestP99Ms();
    latencies.record(2000, 1);
  }
  load.clearLatencies();
  t.same([load.confirmLatencyUs.summary(), load.latencyUs.summary()], [null, null]);
  load.latencyUs.record(3000, 1);
  t.match(load.latencyUs.summary(), { count: 1, minMs: 3 });
});

t.test('a run that ends in its warm-up tells all that it has measured', async (t) => {
  const { options } = await startBroker(t);
  const result = await runThroughput(
    options({ consumers: 0, confirmWindow: 10, publishCountMax: 100, warmUpMs: 600_000 }),
  );
  t.equal(result.confirmLatency?.count, 100);
});

t.test('bodies of several frames go through both ways', async (t) => {
  const { broker, options } = await startBroker(t, 300_000);
  const result = await runThroughput(
    options({ bodySizesBytes: [300_000], publishCountMax: 20, consumeCountMax: 20, exchange: 'e' }),
  );
  t.equal(broker.queue.published, 20);
  t.equal(result.consumed, 20);
});

t.test('a run ends when its time is over, and all that it published has arrived', async (t) => {
  const { broker, options } = await startBroker(t);
  const result = await runThroughput(options({ consumers: 0, durationMs: 50 }));
  t.ok(result.published > 0);
  t.equal(broker.queue.published, result.published);
  // A timer may go off a little early.
  t.ok(result.publishSeconds >= 0.04);
});

t.test('a run can be ended from outside', async (t) => {
  const { broker, options } = await startBroker(t);
  const interrupt = new AbortController();
  broker.queue.onPublish = () => interrupt.abort();
  const observer = { signal: interrupt.signal, onProgress: () => {} };
  const result = await runThroughput(options({ consumers: 0 }), observer);
  t.equal(broker.queue.published, result.published);
});

t.test('a broker that goes away in the middle fails the run', async (t) => {
  const { broker, options } = await startBroker(t);
  broker.queue.onPublish = () => broker.dropConnections();
  await t.rejects(runThroughput(options({})), /the broker closed the socket|ECONNRESET|EPIPE/);
});

t.test('a broker that is not there fails the run', async (t) => {
  const { broker, options } = await startBroker(t);
  await broker.stop();
  await t.rejects(runThroughput(options({})), { code: 'ECONNREFUSED' });
});
