/** A hundred segments of which consumers hold every thousandth message: what disk they occupy in the end. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { declareQueue, startConsumer } from '../../amqp/control.ts';
import { diskUseBytes } from '../disk-use.ts';
import { HoldingConsumer } from '../holding-consumer.ts';
import { publishMessages } from '../publish.ts';
import { growthMb } from '../resting-memory.ts';
import type { RowRun } from '../row-run.ts';
import type { StorageRow } from '../storage-row.ts';
import { TurnProbe } from '../turn-probe.ts';

const SEGMENT_BYTES = 32 * 1024 * 1024;
const SEGMENTS = 100;
const BODY_BYTES = 1024;
const HOLD_EVERY = 1000;
const QUEUE = 'straggling';
const LOOK_INTERVAL_MS = 500;
const IDLE_ROUND_TRIPS = 5000;
const TURN_MAX_MS = 10;

/** The file that is given up when the disk is full. */
const RESERVE_NAME = 'reserve';

/** See {@link StorageRow}. */
export const stragglersRow: StorageRow = {
  id: 'stragglers',
  title: '100 segments, every thousandth message unacked',
  diskBytes: 4e9,
  deadlineMs: 150_000,
  measure,
};

async function measure(run: RowRun): Promise<void> {
  const bodyBytes = BODY_BYTES;
  const count = run.scaled((SEGMENTS * SEGMENT_BYTES) / bodyBytes, HOLD_EVERY);
  // Bodies alone: what else a message takes counts against the server.
  const liveBytes = Math.ceil(count / HOLD_EVERY) * bodyBytes;
  const limitBytes = 2 * liveBytes + 2 * SEGMENT_BYTES;
  const disk = run.figure(
    `${stragglersRow.title}: disk over an empty server, twice the live bytes plus two segments`,
    'MB',
    { kind: 'at most', bound: limitBytes / 1e6, of: 'median' },
  );
  const turn = run.figure('longest turn from the first ack until the disk use settles', 'ms', {
    kind: 'at most',
    bound: TURN_MAX_MS,
    of: 'every sample',
  });

  const dataDir = run.newDirectory();
  const server = await run.startServer(dataDir);
  const connection = await run.connect(server.uri);
  const probing = await run.connect(server.uri);
  turn.note('idle', await TurnProbe.longestOf(probing, run.scaled(IDLE_ROUND_TRIPS)));
  await declareQueue(connection, QUEUE, false);
  const emptyBytes = await usedBytes(dataDir);
  await publishMessages(server.uri, {
    queues: [QUEUE],
    countPerQueue: count,
    bodySizeBytes: bodyBytes,
  });
  disk.note('filled', growthMb(emptyBytes, await usedBytes(dataDir)));

  const consumer = new HoldingConsumer(connection, HOLD_EVERY);
  const ackProbe = await TurnProbe.start(probing);
  await startConsumer(connection, QUEUE, false);
  await connection.whileOpen(run.until(() => consumer.consumed === count));
  // Answered behind the last ack.
  await declareQueue(connection, QUEUE, true);
  const underAcksMs = await ackProbe.stop();

  const restProbe = await TurnProbe.start(probing);
  const settledBytes = await settle(run, dataDir, emptyBytes + limitBytes);
  const atRestMs = await restProbe.stop();
  disk.add(growthMb(emptyBytes, settledBytes));
  disk.note('live', liveBytes / 1e6);
  turn.add(Math.max(underAcksMs, atRestMs));
  turn.note('under the acks', underAcksMs);
  turn.note('behind them', atRestMs);
}

/** Watches the disk use until it is within the limit and has stopped falling, or the time is over. */
async function settle(run: RowRun, dataDir: string, limitBytes: number): Promise<number> {
  let used = await usedBytes(dataDir);
  for (let waitedMs = 0; waitedMs < run.settings.settleMs; waitedMs += LOOK_INTERVAL_MS) {
    await run.pause(LOOK_INTERVAL_MS);
    const before = used;
    used = await usedBytes(dataDir);
    if (used <= limitBytes && used >= before) break;
  }
  return used;
}

/** What the server has stored. The reserve for a full disk is none of it, and an empty server holds none yet. */
async function usedBytes(dataDir: string): Promise<number> {
  const reserve = await lstat(join(dataDir, RESERVE_NAME)).catch(() => null);
  return (await diskUseBytes(dataDir)) - (reserve?.size ?? 0);
}
