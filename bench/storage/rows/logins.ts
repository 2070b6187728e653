/** One publisher that waits for each confirm, alone and beside clients that log in, in turns. */
import { LoginStream } from '../../connections/login-stream.ts';
import { LatencyHistogram } from '../../throughput/latency-histogram.ts';
import { ConfirmPinger } from '../confirm-pinger.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';

const LOGINS_PER_SECOND = 1000;
const SLICES = 4;
const CONFIRMS_PER_SLICE = 1000;
/** Until V8 has compiled what a confirm takes, and a login. */
const WARM_UP_CONFIRMS = 4000;

/** See {@link StorageRow}. */
export const loginsRow: StorageRow = {
  id: 'logins',
  title: '99 % of confirms, one at a time, beside 1,000 logins a second over the same without',
  diskBytes: 50e6,
  deadlineMs: 120_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const ratio = run.figure(loginsRow.title, 'times', { kind: 'at most', bound: 2, of: 'median' });
  const rate = run.figure('logins that were served meanwhile', '/s', {
    kind: 'at least',
    bound: 0.95 * LOGINS_PER_SECOND,
    of: 'median',
  });
  const { uri } = await run.startServer(run.newDirectory());
  const pinger = await ConfirmPinger.open(await run.connect(uri), 'confirmed');
  const whileLoggingIn = async (count: number): Promise<readonly number[]> => {
    const logins = LoginStream.start(uri, LOGINS_PER_SECOND);
    const latenciesUs = await pinger.measure(count);
    const { served, seconds } = await logins.stop();
    rate.add(served / seconds);
    return latenciesUs;
  };
  const count = run.scaled(CONFIRMS_PER_SLICE, 20);
  const warmUp = LoginStream.start(uri, LOGINS_PER_SECOND);
  await pinger.measure(run.scaled(WARM_UP_CONFIRMS, 20));
  await warmUp.stop();
  await run.repeat(async () => {
    const alone = new LatencyHistogram();
    const beside = new LatencyHistogram();
    for (let slice = 0; slice < SLICES; slice++) {
      for (const us of await pinger.measure(count)) alone.record(us, 1);
      for (const us of await whileLoggingIn(count)) beside.record(us, 1);
    }
    const aloneMs = alone.summary()?.p99Ms ?? NaN;
    const besideMs = beside.summary()?.p99Ms ?? NaN;
    ratio.add(besideMs / aloneMs);
    ratio.note('alone, in ms', aloneMs);
    ratio.note('beside, in ms', besideMs);
  });
}
