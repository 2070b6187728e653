/** `firnmqperf memory`: what the server occupies when it does nothing, and what connections and queues add. */
import type { Command } from 'commander';
import { addRowsCommand } from '../storage/storage-command.ts';
import type { StorageRow } from '../storage/storage-row.ts';
import { connectionsRow, tlsConnectionsRow } from './rows/connections.ts';
import { idleRow } from './rows/idle.ts';
import { durableQueuesRow, queuesRow } from './rows/queues.ts';

/** In the order in which they run. */
export const MEMORY_ROWS: readonly StorageRow[] = [
  idleRow,
  connectionsRow,
  tlsConnectionsRow,
  queuesRow,
  durableQueuesRow,
];

/** Adds the command to `program`. */
export function addMemoryCommand(program: Command): void {
  addRowsCommand(
    program,
    'memory',
    'measure the memory of connections, queues and an idle server',
    MEMORY_ROWS,
  );
}
