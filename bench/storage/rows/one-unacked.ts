/** Ten million deliveries on a channel without prefetch, all acked but the first: does its memory follow? */
import { declareQueue, startConsumer } from '../../amqp/control.ts';
import { HoldingConsumer } from '../holding-consumer.ts';
import { publishMessages, SMALL_BODY_BYTES } from '../publish.ts';
import { growthMb, restingMemory } from '../resting-memory.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';

const ROUNDS = 10;
/** Until then the C library's heap grows by some 10 MB: it keeps what the lists of deliveries under way have needed. */
const WARM_UP_ROUNDS = 3;
const MESSAGES_PER_ROUND = 1e6;
const QUEUE = 'held';

/** See {@link StorageRow}. */
export const oneUnackedRow: StorageRow = {
  id: 'one-unacked',
  title: 'all but one of 10 M deliveries acked on a channel: growth of memory from 3 M on',
  diskBytes: 3e9,
  deadlineMs: 120_000,
  measure,
};

/** Once only: what a channel keeps would have grown by a hundred octets a message. */
async function measure(run: RowRun): Promise<void> {
  const growth = run.figure(oneUnackedRow.title, 'MB', {
    kind: 'at most',
    bound: 8,
    of: 'median',
  });
  const server = await run.startServer(run.newDirectory());
  const connection = await run.connect(server.uri);
  await declareQueue(connection, QUEUE, false);
  const consumer = new HoldingConsumer(connection, Number.POSITIVE_INFINITY);
  await startConsumer(connection, QUEUE, false);
  const countPerRound = run.scaled(MESSAGES_PER_ROUND);
  const round = async (number: number): Promise<void> => {
    await publishMessages(server.uri, {
      queues: [QUEUE],
      countPerQueue: countPerRound,
      bodySizeBytes: SMALL_BODY_BYTES,
    });
    await connection.whileOpen(run.until(() => consumer.consumed === number * countPerRound));
    // Answered behind the last ack.
    await declareQueue(connection, QUEUE, true);
  };
  for (let number = 1; number <= WARM_UP_ROUNDS; number++) await round(number);
  const before = await restingMemory(run, server);
  for (let number = WARM_UP_ROUNDS + 1; number <= ROUNDS; number++) await round(number);
  const after = await restingMemory(run, server);
  growth.add(growthMb(before.rssBytes, after.rssBytes));
  await connection.closeChannel();
  // Back come the one that was held, and nothing else.
  const looking = await run.connect(server.uri);
  const left = await declareQueue(looking, QUEUE, true);
  if (left !== 1) throw new Error(`${left} messages are left instead of one`);
}
