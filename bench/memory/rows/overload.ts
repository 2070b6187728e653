/**
 * Publishers that outrun consumers and disk for as long as the row lasts: the server blocks them at its marks, goes on
 * when consumers have made room, and its memory stays where it is.
 */
import { Drain } from '../../storage/consume.ts';
import { freeDiskBytes } from '../../storage/disk-use.ts';
import { growthMb, restingMemory } from '../../storage/resting-memory.ts';
import type { RowRun } from '../../storage/row-run.ts';
import type { StorageRow } from '../../storage/storage-row.ts';
import type { StorageServer } from '../../storage/storage-server.ts';
import { firnmqCommand } from '../../targets/firnmq-process.ts';
import { runThroughput } from '../../throughput/throughput.ts';
import { THROUGHPUT_DEFAULTS } from '../../throughput/throughput-options.ts';

const DURATION_MS = 600_000;
/** In small, too, there must be time to publish. */
const DURATION_MS_MIN = 2000;
/** Of the time, before memory is read for the first time: tables, code and V8 have their size then. */
const WARM_UP_SHARE = 0.1;
/** Consumers go on for so much longer than publishers, which may be blocked at the end. */
const CONSUMING_AFTER_MS = 2000;
const PUBLISHERS = 8;
const CONSUMERS = 8;
/** Of each; together a tenth of what one core of a server passes on. */
const CONSUMED_PER_SECOND = 12_500;
const QUEUE = 'overload';
const BODY_BYTES = 1024;
const MIB = 2 ** 20;
const MARK_BYTES = 64 * MIB;
/** The hard mark, of resident memory, leaves so much above it for what is not accounted. */
const HARD_MARK_MB = (MARK_BYTES + 256 * MIB) / 1e6;
/** What waits on disk at most. In small it is not reached. */
const DISK_BYTES = 6e9;

/** See {@link StorageRow}. */
export const overloadRow: StorageRow = {
  id: 'overload',
  title:
    '8 publishers of 1 KiB outrun all for 10 minutes, marks at 64 MiB and 6 GB: peak of memory',
  diskBytes: 2 * DISK_BYTES,
  deadlineMs: DURATION_MS + 300_000,
  measure,
};

/** Once only. */
async function measure(run: RowRun): Promise<void> {
  const peak = run.figure(overloadRow.title, 'MB', {
    kind: 'at most',
    bound: HARD_MARK_MB,
    of: 'median',
  });
  const growth = run.figure(
    'growth of memory from when the first tenth was consumed to when all was',
    'MB',
    { kind: 'at most', bound: 8, of: 'median' },
  );
  const server = await startMarked(run);
  const durationMs = run.scaled(DURATION_MS, DURATION_MS_MIN);
  const warmUpMs = durationMs * WARM_UP_SHARE;
  server.forgetPeak();
  await overload(server, warmUpMs);
  const before = await restingMemory(run, server);
  const publishedBytes = await overload(server, durationMs - warmUpMs);
  peak.add(server.peakBytes / 1e6);
  peak.note('published', publishedBytes / 1e6);
  const after = await restingMemory(run, server);
  growth.add(growthMb(before.rssBytes, after.rssBytes));
  growth.note('before', before.rssBytes / 1e6);
}

/** Publishes for so long, and consumes all of it; how many bytes of bodies it was. */
async function overload(server: StorageServer, durationMs: number): Promise<number> {
  const options = {
    ...THROUGHPUT_DEFAULTS,
    uri: server.uri,
    queues: [QUEUE],
    bodySizesBytes: [BODY_BYTES],
  };
  const [publishing, consuming] = await Promise.all([
    runThroughput({
      ...options,
      producers: PUBLISHERS,
      consumers: 0,
      persistent: true,
      durationMs,
    }),
    runThroughput({
      ...options,
      producers: 0,
      consumers: CONSUMERS,
      consumeRate: CONSUMED_PER_SECOND,
      durationMs: durationMs + CONSUMING_AFTER_MS,
    }),
  ]);
  const drain = await Drain.connect(server.uri, 1, consuming.ready);
  await drain.run([QUEUE]);
  await drain.finish([QUEUE]);
  return publishing.published * BODY_BYTES;
}

/** The disk's mark leaves the row its share of what is free now. */
async function startMarked(run: RowRun): Promise<StorageServer> {
  const directory = run.newDirectory();
  const limit = Math.max(0, (await freeDiskBytes(directory)) - DISK_BYTES);
  const marks = ['--memory-high-watermark', `${MARK_BYTES}`, '--disk-free-limit', `${limit}`];
  return run.startServer(directory, [...firnmqCommand(directory), ...marks]);
}
