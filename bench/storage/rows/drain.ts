/** A hundred queues whose messages lie interleaved in the log: one of them drained, then all of them. */
import { Drain } from '../consume.ts';
import type { Figure } from '../figure.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import type { StorageServer } from '../storage-server.ts';
import { timed } from '../timed.ts';

const QUEUE_COUNT = 100;
const MESSAGES_PER_QUEUE = 100_000;
/** Drained one by one in each repeat: a single one takes but some tenths of a second. */
const SINGLE_DRAINS = 3;

/** See {@link StorageRow}. */
export const drainRow: StorageRow = {
  id: 'drain',
  title: '100 interleaved queues of 100,000 messages',
  diskBytes: 4e9,
  deadlineMs: 150_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const one = run.figure('one of 100 interleaved queues of 100,000 messages drained', 'msg/s', {
    kind: 'at least',
    bound: 0.5e6,
    of: 'median',
  });
  const all = run.figure('all 100 interleaved queues drained at once, in sum', 'msg/s', {
    kind: 'at least',
    bound: 2e6,
    of: 'median',
  });
  const server = await run.startServer(run.newDirectory());
  const countPerQueue = run.scaled(MESSAGES_PER_QUEUE);
  const queues = Array.from(
    { length: QUEUE_COUNT },
    (_, i) => `drained-${String(i).padStart(2, '0')}`,
  );
  const fill = (): Promise<void> =>
    publishMessages(server.uri, { queues, countPerQueue, bodySizeBytes: SMALL_BODY_BYTES });
  await run.repeat(async () => {
    await fill();
    for (const queue of queues.slice(0, SINGLE_DRAINS)) {
      await drain(server, [queue], countPerQueue, one);
    }
    // The rest is not measured: the first queues are missing in it.
    await drain(server, queues.slice(SINGLE_DRAINS), countPerQueue, null);
    await fill();
    await drain(server, queues, countPerQueue, all);
  });
}

async function drain(
  server: StorageServer,
  queues: readonly string[],
  countPerQueue: number,
  figure: Figure | null,
): Promise<void> {
  const count = queues.length * countPerQueue;
  const consumers = await Drain.connect(server.uri, queues.length, count);
  const { seconds, cpu } = await timed(server, () => consumers.run(queues));
  figure?.add(count / seconds, cpu);
  await consumers.finish(queues);
}
