/** What a process occupies, as Linux tells it under /proc. */
import { readFileSync, writeFileSync } from 'node:fs';

const BYTES_PER_KIB = 1024;
/** Written to clear_refs it sets the peak to what is resident now (proc(5)). */
const RESET_PEAK = '5';

/** Octets. */
export interface ProcessMemory {
  /** Resident, shared pages counted whole. */
  readonly rssBytes: number;
  /** Resident, shared pages divided by those who share them; null where the kernel does not tell. */
  readonly pssBytes: number | null;
}

/** What a process occupies now. */
export function readProcessMemory(pid: number): ProcessMemory {
  return {
    rssBytes: readKibField(`/proc/${pid}/status`, 'VmRSS'),
    pssBytes: readPss(pid),
  };
}

/** The most that has been resident since the process began or since {@link forgetPeakMemory}. */
export function peakMemoryBytes(pid: number): number {
  return readKibField(`/proc/${pid}/status`, 'VmHWM');
}

/** Sets the peak back to what is resident now; where the kernel cannot, the peak stays that of the process. */
export function forgetPeakMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK);
  } catch {
    // A kernel without it shows a peak that is too high rather than too low.
  }
}

function readPss(pid: number): number | null {
  try {
    return readKibField(`/proc/${pid}/smaps_rollup`, 'Pss');
  } catch {
    return null;
  }
}

/** @throws Error when there is no such process or field. */
function readKibField(path: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(path, 'latin1'));
  if (found === null) throw new Error(`${path} does not tell ${name}`);
  return Number(found[1]) * BYTES_PER_KIB;
}
