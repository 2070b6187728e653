/** Memory of a server that has come to rest: V8 gives back what it does not need some seconds after the work. */
import type { ProcessMemory } from './process-memory.ts';
import type { RowRun } from './row-run.ts';
import type { StorageServer } from './storage-server.ts';

const BYTES_PER_MB = 1e6;

/** Lets the server rest as long as the settings say, and reads its memory. */
export async function restingMemory(run: RowRun, server: StorageServer): Promise<ProcessMemory> {
  await run.pause(run.settings.restMs);
  return server.memory;
}

/** The same for one that was only started: it has half that time. */
export async function freshMemory(run: RowRun, server: StorageServer): Promise<ProcessMemory> {
  await run.pause(run.settings.restMs / 2);
  return server.memory;
}

/** What lies between two octet counts, in MB. */
export function growthMb(before: number, after: number): number {
  return (after - before) / BYTES_PER_MB;
}

/** Growth of what is resident, shared pages divided; null where the kernel does not tell. */
export function pssGrowthMb(before: ProcessMemory, after: ProcessMemory): number | null {
  if (before.pssBytes === null || after.pssBytes === null) return null;
  return growthMb(before.pssBytes, after.pssBytes);
}
