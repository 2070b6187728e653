/** The rows of the storage benchmark. */
import { confirmLatencyRow } from './rows/confirm-latency.ts';
import { confirmStallsRow } from './rows/confirm-stalls.ts';
import { drainRow } from './rows/drain.ts';
import { hugeQueueRow } from './rows/huge-queue.ts';
import { killRow } from './rows/kill.ts';
import { largeBodyRow } from './rows/large-body.ts';
import { loginsRow } from './rows/logins.ts';
import { oneUnackedRow } from './rows/one-unacked.ts';
import { purgeDeleteRow } from './rows/purge-delete.ts';
import { requeueRow } from './rows/requeue.ts';
import { restartRow } from './rows/restart.ts';
import { stragglersRow } from './rows/stragglers.ts';
import { waitingMemoryRow } from './rows/waiting-memory.ts';
import type { StorageRow } from './storage-row.ts';

/** In the order in which they run: the longest is the last, so that a time limit costs it alone. */
export const STORAGE_ROWS: readonly StorageRow[] = [
  confirmLatencyRow,
  confirmStallsRow,
  loginsRow,
  requeueRow,
  restartRow,
  killRow,
  purgeDeleteRow,
  waitingMemoryRow,
  oneUnackedRow,
  largeBodyRow,
  stragglersRow,
  drainRow,
  hugeQueueRow,
];
