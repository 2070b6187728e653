/**
 * A million channels, queues and consumers that come and go: what the server occupies must not follow their number. Each
 * round opens a channel, declares a queue, consumes from it, and ends all three.
 */
import {
  CHANNEL_CLOSE_OK_ID,
  EMPTY_TABLE,
  encodeBasicConsume,
  encodeChannelClose,
  encodeChannelOpen,
  encodeQueueDeclare,
  encodeQueueDelete,
  REPLY_SUCCESS,
  sizeOfBasicConsume,
  sizeOfChannelClose,
  sizeOfChannelOpen,
  sizeOfQueueDeclare,
  sizeOfQueueDelete,
} from '../../../generated/index.ts';
import { openAtOnce } from '../../connections/open-at-once.ts';
import { growthMb, restingMemory } from '../../storage/resting-memory.ts';
import type { RowRun } from '../../storage/row-run.ts';
import type { StorageRow } from '../../storage/storage-row.ts';
import type { StorageServer } from '../../storage/storage-server.ts';

const ROUNDS = 1e6;
/** Of the rounds, before memory is read for the first time: tables and V8 have their size then. */
const WARM_UP_SHARE = 0.1;
/** Rounds that one connection sends at once. */
const ROUNDS_PER_CONNECTION = 1000;
const LIMIT_MS = 60_000;
const CHANNEL = 1;

/** See {@link StorageRow}. */
export const churnRow: StorageRow = {
  id: 'churn',
  title: '1 M channels, queues and consumers come and go: growth of memory after the first tenth',
  diskBytes: 0.5e9,
  deadlineMs: 600_000,
  measure,
};

/** Once only: what is kept of each would have grown by a million times that. */
async function measure(run: RowRun): Promise<void> {
  const growth = run.figure(churnRow.title, 'MB', { kind: 'at most', bound: 4, of: 'median' });
  const server = await run.startServer(run.newDirectory());
  const rounds = run.scaled(ROUNDS, 10);
  const warmUp = Math.round(rounds * WARM_UP_SHARE);
  await churn(server, 0, warmUp);
  const before = await restingMemory(run, server);
  await churn(server, warmUp, rounds - warmUp);
  const after = await restingMemory(run, server);
  growth.add(growthMb(before.rssBytes, after.rssBytes));
  growth.note('before', before.rssBytes / 1e6);
}

/** Runs `count` rounds, the first of them with the number `from`. */
async function churn(server: StorageServer, from: number, count: number): Promise<void> {
  let number = from;
  while (number < from + count) {
    const frames: Buffer[] = [];
    const end = Math.min(from + count, number + ROUNDS_PER_CONNECTION);
    for (; number < end; number++) frames.push(roundFrames(number));
    const { failures, close } = await openAtOnce({
      uri: server.uri,
      count: 1,
      limitMs: LIMIT_MS,
      afterOpen: {
        frames: Buffer.concat(frames),
        answerId: CHANNEL_CLOSE_OK_ID,
        answerCount: frames.length,
      },
    });
    await close();
    if (failures.length > 0) throw new Error(failures[0]);
  }
}

/** Opens a channel, declares a queue of a name of its own, consumes from it, deletes it, and closes the channel. */
function roundFrames(number: number): Buffer {
  const queue = `churn-${number}`;
  const declare = {
    queue,
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    noWait: true,
    arguments: EMPTY_TABLE,
  };
  const consume = {
    queue,
    consumerTag: `tag-${number}`,
    noLocal: false,
    noAck: false,
    exclusive: false,
    noWait: true,
    arguments: EMPTY_TABLE,
  };
  const remove = { queue, ifUnused: false, ifEmpty: false, noWait: true };
  const close = { replyCode: REPLY_SUCCESS, replyText: '', classId: 0, methodId: 0 };
  const declareAt = sizeOfChannelOpen();
  const consumeAt = declareAt + sizeOfQueueDeclare(declare);
  const removeAt = consumeAt + sizeOfBasicConsume(consume);
  const closeAt = removeAt + sizeOfQueueDelete(remove);
  const frames = Buffer.allocUnsafe(closeAt + sizeOfChannelClose(close));
  encodeChannelOpen(frames, 0, CHANNEL);
  encodeQueueDeclare(frames, declareAt, CHANNEL, declare);
  encodeBasicConsume(frames, consumeAt, CHANNEL, consume);
  encodeQueueDelete(frames, removeAt, CHANNEL, remove);
  encodeChannelClose(frames, closeAt, CHANNEL, close);
  return frames;
}
