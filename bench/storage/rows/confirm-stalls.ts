/** How long publishers wait for a confirm at most, while the queue grows and checkpoints of it are written. */
import { declareQueue } from '../../amqp/control.ts';
import { Load } from '../../throughput/load.ts';
import { THROUGHPUT_DEFAULTS } from '../../throughput/throughput-options.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import type { StorageServer } from '../storage-server.ts';

const PRODUCERS = 10;
const CONFIRM_WINDOW = 1000;
/** Until V8 has compiled what a confirm takes, here and there. */
const WARM_UP_MESSAGES = 5e6;
const MESSAGES = 12e6;

/** See {@link StorageRow}. */
export const confirmStallsRow: StorageRow = {
  id: 'confirm-stalls',
  title: '10 publishers of 1,000 messages on their way each, 99.9 % of confirms',
  diskBytes: 4e9,
  deadlineMs: 120_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const within = run.figure(confirmStallsRow.title, 'ms', {
    kind: 'at most',
    bound: 30,
    of: 'median',
  });
  const server = await run.startServer(run.newDirectory());
  const control = await run.connect(server.uri);
  await run.repeat(async (repeat) => {
    // A new one each time: the files of one that was deleted would go meanwhile.
    const queue = `growing-${repeat}`;
    await declareQueue(control, queue, false);
    const load = await measureLoad(run, server, queue);
    const summary = load.confirmLatencyUs.summary();
    if (summary === null) throw new Error('nothing was confirmed after the warm-up');
    within.add(summary.p999Ms);
    within.note('99 %, in ms', summary.p99Ms);
    within.note('longest, in ms', summary.maxMs);
  });
}

/** A load that has ended, with the latencies of what came behind the warm-up. */
async function measureLoad(run: RowRun, server: StorageServer, queue: string): Promise<Load> {
  const load = new Load({
    ...THROUGHPUT_DEFAULTS,
    uri: server.uri,
    producers: PRODUCERS,
    consumers: 0,
    queues: [queue],
    persistent: true,
    confirmWindow: CONFIRM_WINDOW,
  });
  try {
    await load.connect();
    const failed = load.whenFailed.then((error) => Promise.reject(error));
    const unlessItFails = (promise: Promise<void>): Promise<void> =>
      Promise.race([promise, failed]);
    let stop = (): void => {};
    const published = load.publish(
      new Promise<void>((resolve) => {
        stop = resolve;
      }),
    );
    await unlessItFails(run.until(() => load.published >= run.scaled(WARM_UP_MESSAGES)));
    load.clearLatencies();
    const goal = load.published + run.scaled(MESSAGES, 1000);
    await unlessItFails(run.until(() => load.published >= goal));
    stop();
    await unlessItFails(published);
    return load;
  } finally {
    await load.close();
  }
}
