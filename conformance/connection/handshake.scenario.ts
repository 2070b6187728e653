/** The handshake as a whole; what its single methods do is in the files that bear their names. */
import { PROTOCOL_HEADER } from '../support/raw-client.ts';
import { scenario } from '../support/scenario.ts';

/** Brokers give a client 10 s; this is how long they may take to notice. */
const HANDSHAKE_LIMIT_MS = 20_000;

scenario(
  'a client that does not finish the handshake in time is dropped, wherever it stopped [connection.handshake/timeout]',
  async (t, broker) => {
    const silent = await broker.raw();
    const half = await broker.raw();
    half.write(PROTOCOL_HEADER.subarray(0, 5));
    const started = await broker.raw();
    await started.start();
    const tuned = await broker.raw();
    await tuned.login(broker.environment);
    await Promise.all(
      [silent, half, started, tuned].map((raw) => raw.expectEnd(HANDSHAKE_LIMIT_MS)),
    );
    const dropped = [silent, half, started, tuned].map((raw) => raw.untaken);
    t.same(dropped, [[], [], [], []], 'without a word');
  },
);
