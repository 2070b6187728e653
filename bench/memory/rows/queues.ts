/** Very many queues that nobody has used yet: their memory, their files, and how soon they are back after a restart. */
import {
  EMPTY_TABLE,
  encodeQueueDeclare,
  QUEUE_DECLARE_OK_ID,
  sizeOfQueueDeclare,
} from '../../../generated/index.ts';
import { type BenchConnection, ignoreReply } from '../../amqp/bench-connection.ts';
import { BENCH_CHANNEL } from '../../amqp/traffic-scanner.ts';
import { freshMemory, restingMemory } from '../../storage/resting-memory.ts';
import type { RowRun } from '../../storage/row-run.ts';
import type { StorageRow } from '../../storage/storage-row.ts';
import type { StorageServer } from '../../storage/storage-server.ts';

const QUEUES = 100_000;
/** Declared before an answer is waited for. */
const PIPELINED = 1000;
/** Files that a server has open besides; one for each of many queues would be far more. */
const OPEN_FILES_MAX = 100;
const BYTES_PER_MB = 1e6;

/** See {@link StorageRow}. */
export const queuesRow: StorageRow = {
  id: 'queues',
  title: '100,000 queues: memory in all',
  diskBytes: 0.1e9,
  deadlineMs: 120_000,
  measure: measureTransient,
};

/** See {@link StorageRow}. */
export const durableQueuesRow: StorageRow = {
  id: 'durable-queues',
  title: '100,000 durable queues: memory in all',
  diskBytes: 0.3e9,
  deadlineMs: 180_000,
  measure: measureDurable,
};

async function measureTransient(run: RowRun): Promise<void> {
  const memory = run.figure(queuesRow.title, 'MB', { kind: 'at most', bound: 100, of: 'median' });
  await run.repeat(async () => {
    const server = await run.startServer(run.newDirectory());
    await declareQueues(run, server, false);
    memory.add((await restingMemory(run, server)).rssBytes / BYTES_PER_MB);
    await server.stop();
  });
}

async function measureDurable(run: RowRun): Promise<void> {
  const goal = { kind: 'at most', bound: 130, of: 'median' } as const;
  const memory = run.figure(durableQueuesRow.title, 'MB', goal);
  const restarted = run.figure('the same after a restart', 'MB', goal);
  const ready = run.figure('start with 100,000 durable queues to connection.open-ok', 's', {
    kind: 'at most',
    bound: 5,
    of: 'median',
  });
  await run.repeat(async () => {
    const directory = run.newDirectory();
    const first = await run.startServer(directory);
    await declareQueues(run, first, true);
    memory.add((await restingMemory(run, first)).rssBytes / BYTES_PER_MB);
    expectFewFiles(first);
    await first.stop();
    const second = await run.startServer(directory);
    ready.add(second.startupMs / 1000);
    restarted.add((await freshMemory(run, second)).rssBytes / BYTES_PER_MB);
    expectFewFiles(second);
    const looking = await run.connect(second.uri);
    await declare(looking, nameOf(run.scaled(QUEUES) - 1), true, true);
    await looking.close();
    await second.stop();
  });
}

/** Declares them, pipelined, and waits until the last one exists for good. */
async function declareQueues(run: RowRun, server: StorageServer, durable: boolean): Promise<void> {
  const connection = await run.connect(server.uri);
  const count = run.scaled(QUEUES);
  for (let number = 0; number < count; ) {
    const end = Math.min(count - 1, number + PIPELINED);
    const frames: Buffer[] = [];
    for (; number < end; number++) {
      frames.push(declareFrame(nameOf(number), durable, { noWait: true, passive: false }));
    }
    connection.write(Buffer.concat(frames));
    await declare(connection, nameOf(number++), durable, false);
  }
  await connection.close();
}

/** Declares a queue, or asks whether it exists; resolves with the answer. */
async function declare(
  connection: BenchConnection,
  queue: string,
  durable: boolean,
  passive: boolean,
): Promise<void> {
  const frame = declareFrame(queue, durable, { noWait: false, passive });
  await connection.call(frame, QUEUE_DECLARE_OK_ID, ignoreReply);
}

function declareFrame(
  queue: string,
  durable: boolean,
  flags: { readonly noWait: boolean; readonly passive: boolean },
): Buffer {
  const method = {
    queue,
    durable,
    exclusive: false,
    autoDelete: false,
    arguments: EMPTY_TABLE,
    ...flags,
  };
  const frame = Buffer.allocUnsafe(sizeOfQueueDeclare(method));
  encodeQueueDeclare(frame, 0, BENCH_CHANNEL, method);
  return frame;
}

function nameOf(number: number): string {
  return `queue-${number}`;
}

function expectFewFiles(server: StorageServer): void {
  const { openFileCount } = server;
  if (openFileCount > OPEN_FILES_MAX) throw new Error(`${openFileCount} files are open`);
}
