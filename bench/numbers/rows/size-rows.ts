/** Rows about what a broker occupies: at rest, with many connections, with many queues. */
import { performance } from 'node:perf_hooks';
import { EMPTY_TABLE } from '../../../generated/index.ts';
import { declareQueue } from '../../amqp/control.ts';
import { ConnectionCount } from '../../counts/connection-count.ts';
import { QueueCount } from '../../counts/queue-count.ts';
import { OperationMeter } from '../../operations/operation-meter.ts';
import type { Goal } from '../../storage/figure.ts';
import { type Row, RowSkipped } from '../row.ts';
import type { RowRun } from '../row-run.ts';
import { QUEUE } from './throughput-row.ts';

const CONNECTIONS = 8000;
const QUEUES = 100_000;
/** A slow broker is given so many times the length of a run to declare them. */
const DECLARE_LENGTH_FACTOR = 6;
const DECLARES_AT_ONCE = 1000;
/** Beside the log, its checkpoints and the sockets. */
const OPEN_FILES_MAX = 200;

const startRow: Row = {
  id: 'start',
  title: 'start of the process to connection.open-ok on an empty directory; at rest then',
  consumesAtOnce: false,
  isUnwatched: true,
  measure: async (run) => {
    const startup = run.figure('start', 's', { kind: 'at most', bound: 0.3, of: 'median' });
    const idle = run.figure('memory', 'MB', { kind: 'at most', bound: 60, of: 'median' });
    let isFirst = true;
    await run.repeat(async () => {
      if (!isFirst) await run.renew();
      isFirst = false;
      const { startupMs } = run.broker;
      if (startupMs === null) throw new RowSkipped('somebody else started this broker');
      startup.add(startupMs / 1000);
      idle.add((await run.restingMemoryBytes()) / 1e6);
    });
  },
};

/** The row over TLS has no goal. */
function connectionsRow(id: string, title: string, goal: Goal, withTls: boolean): Row {
  return {
    id,
    title,
    consumesAtOnce: false,
    ...(withTls ? { needsTls: true } : {}),
    measure: async (run) => {
      const memory = run.figure('memory in all', 'MB', goal);
      const count = run.scaled(CONNECTIONS);
      run.tellCommand(`in this process: firnmqperf connection-count -x ${count} -C 1`);
      await run.repeat(async () => {
        const connections = new ConnectionCount({
          ...{ uri: withTls ? run.tlsUri : run.uri, channels: 1, consumersPerChannel: 1 },
          ...{ queue: QUEUE, spreadsOverLoopback: false },
        });
        try {
          await connections.open(count, new OperationMeter('open'), run.settings.signal);
          memory.add((await run.restingMemoryBytes()) / 1e6);
        } finally {
          await connections.close();
        }
        await run.renew();
      });
    },
  };
}

interface QueuesRowOptions {
  readonly id: string;
  readonly title: string;
  readonly durable: boolean;
  readonly memoryMb: number;
}

function queuesRow({ id, title, durable, memoryMb }: QueuesRowOptions): Row {
  return {
    id,
    title,
    consumesAtOnce: false,
    measure: async (run) => {
      const atMost = (bound: number) => ({ kind: 'at most', bound, of: 'median' }) as const;
      const memory = run.figure('memory in all', 'MB', atMost(memoryMb));
      const files = run.figure('more open files', 'files', atMost(OPEN_FILES_MAX));
      const rate = run.figure('declared', '/s', null);
      const ready = durable ? run.figure('ready again after a kill', 's', atMost(5)) : null;
      const count = run.scaled(QUEUES);
      const kind = durable ? ' -D' : '';
      run.tellCommand(`in this process: firnmqperf queue-count -q ${count} -n${kind}`);
      await run.repeat(async () => {
        const filesBefore = run.openFileCount();
        const startedMs = performance.now();
        const queues = await declareQueues(run, count, durable);
        rate.add((1000 * queues.count) / (performance.now() - startedMs));
        memory.add((await run.restingMemoryBytes()) / 1e6);
        files.add(Math.max(0, run.openFileCount() - filesBefore));
        if (queues.count < count) {
          memory.remark(`${queues.count} queues: no more in ${DECLARE_LENGTH_FACTOR} runs' time`);
        }
        if (ready !== null) {
          await run.restart();
          ready.add((run.broker.startupMs ?? Number.NaN) / 1000);
          const last = `${queues.prefix}-${queues.count - 1}`;
          await run.withConnection((connection) => declareQueue(connection, last, true));
        }
        await run.renew();
        await queues.close();
      });
    },
  };
}

/** Declares as many as come in the time, a thousand on their way at once. */
async function declareQueues(run: RowRun, count: number, durable: boolean): Promise<QueueCount> {
  const queues = await QueueCount.connect({
    ...{ uri: run.uri, durable, queueArguments: EMPTY_TABLE, noWait: true },
  });
  const endMs = performance.now() + DECLARE_LENGTH_FACTOR * run.settings.seconds * 1000;
  const meter = new OperationMeter('declare');
  while (queues.count < count && performance.now() < endMs) {
    const some = Math.min(DECLARES_AT_ONCE, count - queues.count);
    await queues.declare(some, meter, run.settings.signal);
  }
  return queues;
}

/** In the order in which they run. */
export const SIZE_ROWS: readonly Row[] = [
  startRow,
  connectionsRow(
    'connections',
    '8,000 connections with a channel and a consumer each',
    { kind: 'at most', bound: 200, of: 'median' },
    false,
  ),
  connectionsRow(
    'connections-tls',
    '8,000 connections with a channel and a consumer each, TLS',
    null,
    true,
  ),
  queuesRow({ id: 'queues', title: '100,000 exclusive queues', durable: false, memoryMb: 100 }),
  queuesRow({
    id: 'durable-queues',
    title: '100,000 queues, durable',
    durable: true,
    memoryMb: 130,
  }),
];
