/** A million messages, unacked on one channel, requeued in random order: back in their own. */
import { cancelConsumer, declareQueue, startConsumer } from '../../amqp/control.ts';
import { encodeNacks } from '../../amqp/nack-frames.ts';
import { BENCH_CHANNEL } from '../../amqp/traffic-scanner.ts';
import { expectReady } from '../consume.ts';
import { NumberRecorder } from '../number-recorder.ts';
import { NumberedDeliveries } from '../numbered-deliveries.ts';
import { publishNumbered } from '../publish.ts';
import type { RowRun } from '../row-run.ts';
import { shuffled } from '../shuffled.ts';
import type { StorageRow } from '../storage-row.ts';
import { timed } from '../timed.ts';

const MESSAGES = 1e6;
const QUEUE = 'requeued';
const WRITE_BYTES_MAX = 256 * 1024;
const GOAL = { kind: 'at least', bound: 0.3e6, of: 'median' } as const;

/** See {@link StorageRow}. */
export const requeueRow: StorageRow = {
  id: 'requeue',
  title: '1 M unacked messages nacked in random order',
  diskBytes: 1e9,
  deadlineMs: 90_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const requeued = run.figure(`${requeueRow.title}: requeued`, 'msg/s', GOAL);
  const returned = run.figure(
    `${requeueRow.title}: come back, all in their first order`,
    'msg/s',
    GOAL,
  );
  const server = await run.startServer(run.newDirectory());
  const count = run.scaled(MESSAGES);
  await run.repeat(async (repeat) => {
    const connection = await run.connect(server.uri);
    const take = async (noAck: boolean): Promise<NumberRecorder> => {
      const recorder = new NumberRecorder(count);
      new NumberedDeliveries(connection, recorder);
      await startConsumer(connection, QUEUE, noAck);
      await connection.whileOpen(recorder.whenComplete);
      recorder.expectInOrder();
      return recorder;
    };
    await declareQueue(connection, QUEUE, false);
    await publishNumbered(connection, QUEUE, count);
    const first = await take(false);
    await cancelConsumer(connection);
    const nacks = encodeNacks(BENCH_CHANNEL, shuffled(first.deliveryTags, repeat + 1));
    const nacking = await timed(server, async () => {
      for (let at = 0; at < nacks.length; at += WRITE_BYTES_MAX) {
        connection.write(nacks.subarray(at, at + WRITE_BYTES_MAX));
        await connection.whenWritable();
      }
      // Answered behind the last nack.
      await expectReady(connection, QUEUE, count);
    });
    requeued.add(count / nacking.seconds, nacking.cpu);
    const taking = await timed(server, () => take(true));
    returned.add(count / taking.seconds, taking.cpu);
    await connection.close();
  });
}
