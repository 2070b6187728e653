/** Rows about what a broker occupies: at rest, with many connections, with many queues. */
import { performance } from 'node:perf_hooks';
import { declareQueue } from '../../amqp/control.ts';
import type { Goal } from '../../storage/figure.ts';
import { openIdleClients } from '../idle-clients.ts';
import { type Row, RowSkipped } from '../row.ts';
import type { RowRun } from '../row-run.ts';
import { declareQueues } from '../topology.ts';
import { QUEUE } from './throughput-row.ts';

const CONNECTIONS = 8000;
const QUEUES = 100_000;
/** A slow broker is given so many times the length of a run to declare them. */
const DECLARE_LENGTH_FACTOR = 6;
/** Beside the log, its checkpoints and the sockets. */
const OPEN_FILES_MAX = 200;

const startRow: Row = {
  id: 'start',
  title: 'start of the process to connection.open-ok on an empty directory; at rest then',
  consumesAtOnce: false,
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
      run.tellCommand(`in this process: ${count} clients, one socket each`);
      await run.repeat(async () => {
        await run.withConnection((connection) => declareQueue(connection, QUEUE, false));
        const tls = withTls ? run.tlsListener : null;
        const close = await openIdleClients({ uri: run.uri, tls, queue: QUEUE, count });
        try {
          memory.add((await run.restingMemoryBytes()) / 1e6);
        } finally {
          close();
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
      const names = queueNames(run);
      run.tellCommand(`in this process: ${names.length} queues declared, a thousand at a time`);
      await run.repeat(async () => {
        const filesBefore = run.openFileCount();
        const declared = await declare(run, names, durable);
        rate.add(declared.rate);
        memory.add((await run.restingMemoryBytes()) / 1e6);
        files.add(Math.max(0, run.openFileCount() - filesBefore));
        if (declared.count < names.length) {
          memory.remark(`${declared.count} queues: no more in ${DECLARE_LENGTH_FACTOR} runs' time`);
        }
        if (ready !== null) {
          await run.restart();
          ready.add((run.broker.startupMs ?? Number.NaN) / 1000);
          const last = names[declared.count - 1] ?? '';
          await run.withConnection((connection) => declareQueue(connection, last, true));
        }
        await run.renew();
      });
    },
  };
}

async function declare(
  run: RowRun,
  names: readonly string[],
  durable: boolean,
): Promise<{ readonly count: number; readonly rate: number }> {
  return run.withConnection(async (connection) => {
    const startedMs = performance.now();
    const deadlineMs = startedMs + DECLARE_LENGTH_FACTOR * run.settings.seconds * 1000;
    const count = await declareQueues(connection, names, durable, deadlineMs);
    return { count, rate: (1000 * count) / (performance.now() - startedMs) };
  });
}

function queueNames(run: RowRun): string[] {
  return Array.from(
    { length: run.scaled(QUEUES) },
    (_, i) => `${QUEUE}-${String(i).padStart(6, '0')}`,
  );
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
  queuesRow({ id: 'queues', title: '100,000 queues, not durable', durable: false, memoryMb: 100 }),
  queuesRow({
    id: 'durable-queues',
    title: '100,000 queues, durable',
    durable: true,
    memoryMb: 130,
  }),
];
