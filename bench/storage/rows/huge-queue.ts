/** A hundred million messages in one queue: memory, and speed beside that of a million in the same run. */

import { spreadOf } from '../../numbers/samples.ts';
import { Drain } from '../consume.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import { freshMemory, growthMb, restingMemory } from '../resting-memory.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import type { StorageServer } from '../storage-server.ts';
import { type Timed, timed } from '../timed.ts';

const MESSAGES = 100e6;
const SMALL_MESSAGES = 1e6;
/** Before and after the large queue: the first rounds pay for V8 compiling, the others for what came before. */
const SMALL_ROUNDS = 3;
const SPEED_GOAL = { kind: 'at least', bound: 0.9, of: 'median' } as const;

/** See {@link StorageRow}. */
export const hugeQueueRow: StorageRow = {
  id: 'huge-queue',
  title: '100 M messages in one queue',
  diskBytes: 8e9,
  deadlineMs: 300_000,
  measure,
};

/** Once only: it takes minutes, and each of its figures is an average over as long. */
async function measure(run: RowRun): Promise<void> {
  const memory = run.figure(`${hugeQueueRow.title}: memory over an empty server`, 'MB', {
    kind: 'at most',
    bound: 24,
    of: 'median',
  });
  const publish = run.figure('publish speed against 1 M messages', 'times', SPEED_GOAL);
  const publishRate = run.figure('publish speed with 100 M', 'msg/s', null);
  const consume = run.figure('consume speed against 1 M messages', 'times', SPEED_GOAL);
  const consumeRate = run.figure('consume speed with 100 M', 'msg/s', null);

  const server = await run.startServer(run.newDirectory());
  const empty = await freshMemory(run, server);
  const small = { publish: [] as number[], consume: [] as number[] };
  const smallRounds = async (): Promise<void> => {
    const count = run.scaled(SMALL_MESSAGES);
    for (let round = 0; round < SMALL_ROUNDS; round++) {
      small.publish.push(count / (await publishTimed(server, 'small', count)).seconds);
      small.consume.push(count / (await consumeTimed(server, 'small', count)).seconds);
    }
  };
  await smallRounds();
  const count = run.scaled(MESSAGES);
  const publishing = await publishTimed(server, 'huge', count);
  memory.add(growthMb(empty.rssBytes, (await restingMemory(run, server)).rssBytes));
  const consuming = await consumeTimed(server, 'huge', count);
  await smallRounds();

  publishRate.add(count / publishing.seconds, publishing.cpu);
  consumeRate.add(count / consuming.seconds, consuming.cpu);
  publish.add(count / publishing.seconds / spreadOf(small.publish).median);
  consume.add(count / consuming.seconds / spreadOf(small.consume).median);
}

function publishTimed(server: StorageServer, queue: string, count: number): Promise<Timed<void>> {
  return timed(server, () =>
    publishMessages(server.uri, {
      queues: [queue],
      countPerQueue: count,
      bodySizeBytes: SMALL_BODY_BYTES,
    }),
  );
}

async function consumeTimed(
  server: StorageServer,
  queue: string,
  count: number,
): Promise<Timed<void>> {
  const drain = await Drain.connect(server.uri, 1, count);
  const consumed = await timed(server, () => drain.run([queue]));
  await drain.finish([queue]);
  return consumed;
}
