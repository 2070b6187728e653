/** A hundred segments of which consumers hold every thousandth message: what disk they occupy in the end. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AmqpUri } from '../../amqp/amqp-uri.ts';
import type { BenchConnection } from '../../amqp/bench-connection.ts';
import { declareQueue, deleteQueue, startConsumer } from '../../amqp/control.ts';
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
const WARM_UP_QUEUE = 'warm-up';
const WARM_UP_MESSAGES = 200_000;
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
  const server = await run.startWatchedServer(dataDir);
  const connection = await run.connect(server.uri);
  const probing = await run.connect(server.uri);
  const emptyBytes = await usedBytes(dataDir);
  await warmUp(run, server.uri, connection);
  await declareQueue(connection, QUEUE, false);
  await publishMessages(server.uri, {
    queues: [QUEUE],
    countPerQueue: count,
    bodySizeBytes: bodyBytes,
  });
  disk.note('filled', growthMb(emptyBytes, await usedBytes(dataDir)));

  const consumer = new HoldingConsumer(connection, HOLD_EVERY);
  // Somebody else is there all the time: a server at rest does other things.
  const probe = await TurnProbe.start(probing);
  await server.longestTurn();
  await startConsumer(connection, QUEUE, false);
  await connection.whileOpen(run.until(() => consumer.consumed === count));
  // Answered behind the last ack.
  await declareQueue(connection, QUEUE, true);
  const underAcks = await server.longestTurn();

  const settledBytes = await settle(run, dataDir, emptyBytes + limitBytes);
  const behindThem = await server.longestTurn();
  disk.add(growthMb(emptyBytes, settledBytes));
  disk.note('live', liveBytes / 1e6);
  turn.add(Math.max(underAcks.turnMs, behindThem.turnMs));
  turn.note('under the acks', underAcks.turnMs);
  turn.note('behind them', behindThem.turnMs);
  turn.note('pause of the machine in one', Math.max(underAcks.pausedMs, behindThem.pausedMs));
  turn.note('a timer of 1 ms late by', Math.max(underAcks.lateMs, behindThem.lateMs));
  turn.note('longest round trip of somebody else', await probe.stop());
}

/** Code that runs for the first time is slow, whatever it does. */
async function warmUp(run: RowRun, uri: AmqpUri, other: BenchConnection): Promise<void> {
  const count = run.scaled(WARM_UP_MESSAGES);
  await publishMessages(uri, {
    queues: [WARM_UP_QUEUE],
    countPerQueue: count,
    bodySizeBytes: BODY_BYTES,
  });
  const connection = await run.connect(uri);
  const consumer = new HoldingConsumer(connection, Number.POSITIVE_INFINITY);
  await startConsumer(connection, WARM_UP_QUEUE, false);
  await connection.whileOpen(run.until(() => consumer.consumed === count));
  await connection.close();
  await deleteQueue(other, WARM_UP_QUEUE);
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
