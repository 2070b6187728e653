/**
 * One publisher that waits for each confirm, beside the disk's own sync, in turns; and beside a server that syncs and
 * does nothing else: what lies below that no broker on Node can reach here.
 */
import { spreadOf } from '../../numbers/samples.ts';
import { ConfirmPinger } from '../confirm-pinger.ts';
import { DiskSync } from '../disk-sync.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import { SyncingEcho } from '../syncing-echo.ts';

const SLICES = 8;
const CONFIRMS_PER_SLICE = 150;
/** Until V8 has compiled what a confirm takes: of the first thousand each costs 100 us of CPU more. */
const WARM_UP_CONFIRMS = 6000;

/** See {@link StorageRow}. */
export const confirmLatencyRow: StorageRow = {
  id: 'confirm-latency',
  title: 'one publisher waiting for each confirm, 50 % of confirms, over the disk’s own fdatasync',
  diskBytes: 50e6,
  deadlineMs: 60_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const over = run.figure(confirmLatencyRow.title, 'us', {
    kind: 'at most',
    bound: 120,
    of: 'median',
  });
  const dataDir = run.newDirectory();
  const syncDirectory = run.newDirectory();
  const server = await run.startServer(dataDir);
  const pinger = await ConfirmPinger.open(await run.connect(server.uri), 'confirmed');
  const overwrites = new DiskSync(syncDirectory, 'overwrite');
  const appends = new DiskSync(syncDirectory, 'append');
  const echo = await SyncingEcho.start(run.settings.serverCore, syncDirectory);
  const count = run.scaled(CONFIRMS_PER_SLICE, 5);
  try {
    await pinger.measure(run.scaled(WARM_UP_CONFIRMS, 5));
    await echo.measure(run.scaled(WARM_UP_CONFIRMS, 5));
    await run.repeat(async () => {
      const confirmUs: number[] = [];
      const syncUs: number[] = [];
      const appendUs: number[] = [];
      const echoUs: number[] = [];
      for (let slice = 0; slice < SLICES; slice++) {
        confirmUs.push(...(await pinger.measure(count)));
        echoUs.push(...(await echo.measure(count)));
        run.onServerCore(() => {
          syncUs.push(...overwrites.measure(count));
          appendUs.push(...appends.measure(count));
        });
      }
      const confirm = spreadOf(confirmUs).median;
      const sync = spreadOf(syncUs).median;
      over.add(confirm - sync);
      over.note('confirm', confirm);
      over.note('fdatasync in place', sync);
      over.note('an echo server that syncs first', spreadOf(echoUs).median);
      over.note('fdatasync of a growing file', spreadOf(appendUs).median);
    });
  } finally {
    await echo.close();
    overwrites.close();
    appends.close();
  }
}
