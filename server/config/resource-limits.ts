/** How much the process may use, and what marks follow from it. All in bytes. */
import { totalmem } from 'node:os';

/** The hard mark leaves at least so much room above the memory mark for what is not accounted ... */
const UNACCOUNTED_BYTES_MIN = 256 * 1024 * 1024;
/** ... but never reaches further than this share of what there is. */
const HARD_SHARE_MAX = 0.9;

/** The memory that this process may use: a container's limit, or what the machine has. */
export function availableMemoryBytes(): number {
  const machine = totalmem();
  // Without a limit the kernel names a number beyond all memory, or none.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, machine) : machine;
}

/** The memory mark: a share of what is available (at most 1), or bytes. */
export function memoryMarkBytes(watermark: number, availableBytes: number): number {
  return watermark <= 1 ? Math.round(watermark * availableBytes) : watermark;
}

/** The hard mark, for resident memory, that goes with a memory mark. */
export function residentMarkBytes(markBytes: number, availableBytes: number): number {
  const wanted = Math.max(2 * markBytes, markBytes + UNACCOUNTED_BYTES_MIN);
  return Math.max(markBytes, Math.min(wanted, HARD_SHARE_MAX * availableBytes));
}
