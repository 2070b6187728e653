/** Publishers that outrun consumers and disk together: the server blocks them at its mark, and its memory stays there. */

import { Drain } from '../../storage/consume.ts';
import { publishMessages } from '../../storage/publish.ts';
import { growthMb, restingMemory } from '../../storage/resting-memory.ts';
import type { RowRun } from '../../storage/row-run.ts';
import type { StorageRow } from '../../storage/storage-row.ts';
import { firnmqCommand } from '../../targets/firnmq-process.ts';

const PUBLISHERS = 8;
const MESSAGES_PER_PUBLISHER = 500_000;
const BODY_BYTES = 1024;
const MIB = 2 ** 20;
const MARK_BYTES = 64 * MIB;
/** The hard mark, of resident memory, leaves so much above it for what is not accounted. */
const HARD_MARK_MB = (MARK_BYTES + 256 * MIB) / 1e6;

/** See {@link StorageRow}. */
export const overloadRow: StorageRow = {
  id: 'overload',
  title: '8 publishers of 1 KiB outrun everything, mark at 64 MiB: peak of memory in all',
  diskBytes: 6e9,
  deadlineMs: 600_000,
  measure,
};

/** Once only: it is the most of minutes. */
async function measure(run: RowRun): Promise<void> {
  const peak = run.figure(overloadRow.title, 'MB', {
    kind: 'at most',
    bound: HARD_MARK_MB,
    of: 'median',
  });
  const growth = run.figure('growth of memory, when all of it was consumed', 'MB', {
    kind: 'at most',
    bound: 24,
    of: 'median',
  });
  const directory = run.newDirectory();
  const mark = ['--memory-high-watermark', String(MARK_BYTES)];
  const server = await run.startServer(directory, [...firnmqCommand(directory), ...mark]);
  const before = await restingMemory(run, server);
  server.forgetPeak();
  const countPerQueue = run.scaled(MESSAGES_PER_PUBLISHER);
  const queues = Array.from({ length: PUBLISHERS }, (_, i) => `overload-${i}`);
  await Promise.all(
    queues.map((queue) =>
      publishMessages(server.uri, { queues: [queue], countPerQueue, bodySizeBytes: BODY_BYTES }),
    ),
  );
  peak.add(server.peakBytes / 1e6);
  const drain = await Drain.connect(server.uri, 1, countPerQueue * PUBLISHERS);
  await drain.run(queues);
  await drain.finish(queues);
  peak.note('and consumed', server.peakBytes / 1e6);
  growth.add(growthMb(before.rssBytes, (await restingMemory(run, server)).rssBytes));
}
