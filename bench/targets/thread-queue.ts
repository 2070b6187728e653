/** What Linux counts of this process's main thread (`schedstat`): how long it was ready to run, and did not. */
import { openSync, readSync } from 'node:fs';

const NS_PER_MS = 1e6;
const LINE_BYTES = 100;

const file = openSchedstat();
const line = Buffer.alloc(LINE_BYTES);

/** Null where the system has none. */
function openSchedstat(): number | null {
  try {
    return openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  } catch {
    return null;
  }
}

/** For how long the main thread has waited for a processor since it began, in milliseconds; 0 where nobody counts. */
export function queuedMs(): number {
  if (file === null) return 0;
  const length = readSync(file, line, 0, LINE_BYTES, 0);
  return Number(line.toString('latin1', 0, length).split(' ')[1]) / NS_PER_MS;
}

/** The machine's monotonic clock, the same for all processes, in milliseconds. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / NS_PER_MS;
}
