/** How much longer a start takes with ten million messages waiting than with none, after a stop in order. */
import { declareQueue } from '../../amqp/control.ts';
import { expectReady } from '../consume.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';

const MESSAGES = 10e6;
const QUEUE = 'waiting';
/** Starts are short, and their difference is small against their spread. */
const PAIRS_PER_REPEAT = 2;

/** See {@link StorageRow}. */
export const restartRow: StorageRow = {
  id: 'restart',
  title: 'start with 10 M messages to connection.open-ok, over a start with none, in turns',
  diskBytes: 2e9,
  deadlineMs: 90_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const over = run.figure(restartRow.title, 's', { kind: 'at most', bound: 0.1, of: 'median' });
  const fullDir = run.newDirectory();
  const emptyDir = run.newDirectory();
  const count = run.scaled(MESSAGES);
  const first = await run.startServer(fullDir);
  await publishMessages(first.uri, {
    queues: [QUEUE],
    countPerQueue: count,
    bodySizeBytes: SMALL_BODY_BYTES,
  });
  await first.stop();
  // The empty one has its files as well: only the messages make the difference.
  const other = await run.startServer(emptyDir);
  const connection = await run.connect(other.uri);
  await declareQueue(connection, QUEUE, false);
  await connection.close();
  await other.stop();
  const startMs = async (dataDir: string, ready: number): Promise<number> => {
    const server = await run.startServer(dataDir);
    const looking = await run.connect(server.uri);
    await expectReady(looking, QUEUE, ready);
    await looking.close();
    await server.stop();
    return server.startupMs;
  };
  await run.repeat(async () => {
    for (let pair = 0; pair < PAIRS_PER_REPEAT; pair++) {
      const emptyMs = await startMs(emptyDir, 0);
      const fullMs = await startMs(fullDir, count);
      over.add((fullMs - emptyMs) / 1000);
      over.note('empty', emptyMs / 1000);
      over.note('full', fullMs / 1000);
    }
  });
}
