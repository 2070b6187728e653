import { performance } from 'node:perf_hooks';
import t from 'tap';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { StandInBroker } from '../testing/stand-in-broker.ts';
import { TurnProbe } from './turn-probe.ts';

const BLOCKED_MS = 40;

/** Takes a turn of so long. */
function block(): void {
  const endMs = performance.now() + BLOCKED_MS;
  while (performance.now() < endMs);
}

t.test('a long turn of the server shows as a long round trip', async (t) => {
  const broker = await StandInBroker.start(0);
  t.teardown(() => broker.stop());
  const connection = await BenchConnection.open(parseAmqpUri(broker.uri), 'probe');
  t.teardown(() => connection.close());
  const probe = await TurnProbe.start(connection);
  // The broker lives in this process: while this function runs, a round trip is under way.
  block();
  t.ok((await probe.stop()) >= BLOCKED_MS);
  t.ok((await TurnProbe.longestOf(connection, 3)) > 0);
});

t.test('a probe whose connection fails says so when it is stopped', async (t) => {
  const broker = await StandInBroker.start(0);
  t.teardown(() => broker.stop());
  const connection = await BenchConnection.open(parseAmqpUri(broker.uri), 'probe');
  const probe = await TurnProbe.start(connection);
  broker.dropConnections();
  await connection.whenFailed;
  await t.rejects(probe.stop(), /the broker closed the socket|ECONNRESET|EPIPE/);
});
