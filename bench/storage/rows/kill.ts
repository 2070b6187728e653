/** How soon a server is ready after SIGKILL under full load, ten million messages waiting beside it. */
import { declareQueue } from '../../amqp/control.ts';
import { Load } from '../../throughput/load.ts';
import { THROUGHPUT_DEFAULTS } from '../../throughput/throughput-options.ts';
import { expectReady } from '../consume.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import type { StorageServer } from '../storage-server.ts';

const WAITING = 10e6;
const WAITING_QUEUE = 'waiting';
const LOAD_QUEUE = 'loaded';
/** Published under load before the kill; each repeat goes further, to end elsewhere between two checkpoints. */
const LOAD_MESSAGES = 4e6;
const LOAD_STEP = 0.7e6;

/** See {@link StorageRow}. */
export const killRow: StorageRow = {
  id: 'kill',
  title:
    'start after SIGKILL under full load, 10 M messages waiting in another queue, to connection.open-ok',
  diskBytes: 5e9,
  deadlineMs: 120_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const ready = run.figure(killRow.title, 's', { kind: 'at most', bound: 1, of: 'every sample' });
  const dataDir = run.newDirectory();
  let server = await run.startServer(dataDir);
  ready.note('first start, empty', server.startupMs / 1000);
  const count = run.scaled(WAITING);
  await publishMessages(server.uri, {
    queues: [WAITING_QUEUE],
    countPerQueue: count,
    bodySizeBytes: SMALL_BODY_BYTES,
  });
  await run.repeat(async (repeat) => {
    await killUnderLoad(run, server, run.scaled(LOAD_MESSAGES + repeat * LOAD_STEP));
    server = await run.startServer(dataDir);
    ready.add(server.startupMs / 1000);
    const connection = await run.connect(server.uri);
    await expectReady(connection, WAITING_QUEUE, count);
    await connection.close();
  });
}

/** Two producers with confirms and a consumer with acks; the server is killed when `count` are published. */
async function killUnderLoad(run: RowRun, server: StorageServer, count: number): Promise<void> {
  const connection = await run.connect(server.uri);
  await declareQueue(connection, LOAD_QUEUE, false);
  const load = new Load({
    ...THROUGHPUT_DEFAULTS,
    uri: server.uri,
    producers: 2,
    queues: [LOAD_QUEUE],
    persistent: true,
    confirmWindow: 10_000,
    ackEvery: 100,
  });
  await load.connect();
  const never = new Promise<void>(() => {});
  // Both end with the server, by an error that is the purpose.
  load.publish(never).catch(() => {});
  load.consume(never).catch(() => {});
  await Promise.race([
    run.until(() => load.published >= count),
    load.whenFailed.then((error) => Promise.reject(error)),
  ]);
  await server.kill();
  await load.close();
}
