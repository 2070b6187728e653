/** Waits until a broker that is starting takes a connection. */
import { setTimeout as delay } from 'node:timers/promises';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import type { PinnedProcess } from './pinned-process.ts';

const RETRY_INTERVAL_MS = 5;

/**
 * Tries to open a connection until that succeeds.
 *
 * @throws Error when the process of the broker ends before.
 */
export async function awaitBroker(uri: AmqpUri, broker: PinnedProcess): Promise<void> {
  for (;;) {
    try {
      const connection = await BenchConnection.open(uri, 'firnmqperf start-up');
      await connection.close();
      return;
    } catch {
      // It does not listen yet, or it listens and is not ready.
      if (!broker.isRunning) throw broker.endedError();
      await delay(RETRY_INTERVAL_MS);
    }
  }
}
