/** Rows in which messages wait: publishing them alone, and consuming them alone. */
import { performance } from 'node:perf_hooks';
import { declareQueue, deleteQueue } from '../../amqp/control.ts';
import { ConfirmPinger } from '../../storage/confirm-pinger.ts';
import type { Row } from '../row.ts';
import type { RowRun } from '../row-run.ts';
import { awaitReady, costOf, parseThroughput, QUEUE } from './throughput-row.ts';

const BACKLOG_MESSAGES = 5e6;
/** A slow broker is given this many times the length of a run to be filled. */
const FILL_LENGTH_FACTOR = 6;

/**
 * Persistent messages into one queue. The clock stops when everything is on stable storage: one more message is sent
 * behind the others and confirmed. Then the broker is killed and started again, and must have them all.
 */
const publishRow: Row = {
  id: 'publish',
  title: 'publish only into one queue, persistent',
  consumesAtOnce: false,
  timesTheLast: 10,
  measure: async (run) => {
    const figure = run.figure('published and synced', 'msg/s', {
      kind: 'at least',
      bound: 6e6,
      of: 'median',
    });
    await run.repeat(async () => {
      const time = ['-z', String(run.settings.seconds)];
      const generated = await run.generate('throughput', [
        ...['-x', '1', '-y', '0', '-s', '16', '-p', '-u', QUEUE],
        ...time,
      ]);
      const result = parseThroughput(generated);
      const syncSeconds = await run.withConnection(async (connection) => {
        const pinger = await ConfirmPinger.open(connection, QUEUE);
        const startedMs = performance.now();
        await pinger.measure(1);
        return (performance.now() - startedMs) / 1000;
      });
      figure.add(
        result.published / (result.publishSeconds + syncSeconds),
        costOf(generated, result),
      );
      await expectAfterRestart(run, result.published + 1);
      figure.remark(
        run.broker.killAndRestart === null
          ? 'not restarted'
          : 'killed and started again each time: none missing',
      );
      await run.withConnection((connection) => deleteQueue(connection, QUEUE));
    });
  },
};

async function expectAfterRestart(run: RowRun, count: number): Promise<void> {
  if (run.broker.killAndRestart === null) return;
  await run.restart();
  const ready = await run.withConnection((connection) => declareQueue(connection, QUEUE, true));
  if (ready !== count) throw new Error(`of ${count} messages ${ready} survived a kill`);
}

const consumeRow: Row = {
  id: 'consume',
  title: 'consume only, auto-ack, 5 M waiting',
  consumesAtOnce: false,
  timesTheLast: 10,
  measure: async (run) => {
    const count = run.scaled(BACKLOG_MESSAGES);
    const figure = run.figure('out', 'msg/s', { kind: 'at least', bound: 7e6, of: 'median' });
    await run.repeat(async () => {
      const filled = await run.generate('throughput', [
        ...['-x', '1', '-y', '0', '-s', '16', '-u', QUEUE, '-C', String(count)],
        ...['-z', String(run.settings.seconds * FILL_LENGTH_FACTOR)],
      ]);
      const { published } = parseThroughput(filled);
      await awaitReady(run, published);
      const generated = await run.generate('throughput', [
        ...['-x', '0', '-y', '1', '-u', QUEUE, '-D', String(published)],
      ]);
      const result = parseThroughput(generated);
      if (result.consumed !== published) {
        throw new Error(`of ${published} messages ${result.consumed} were delivered`);
      }
      figure.add(result.consumeRate, costOf(generated, result));
      if (published < count) {
        figure.remark(`${published} waiting: no more came in ${FILL_LENGTH_FACTOR} runs' time`);
      }
      await run.withConnection((connection) => deleteQueue(connection, QUEUE));
    });
  },
};

/** In the order in which they run. */
export const BACKLOG_ROWS: readonly Row[] = [publishRow, consumeRow];
