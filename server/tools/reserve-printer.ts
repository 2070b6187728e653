/** Prints the space that a server holds back for when the disk is full. What is in the file means nothing. */
import type { DumpFile } from './dump-file.ts';
import type { DumpOutput } from './dump-output.ts';

/** The `PrintFile` of `reserve.given`. */
export async function printReserveGiven(file: DumpFile, out: DumpOutput): Promise<void> {
  out.item({ kind: 'reserve given up', offset: 0, depth: 0, fields: { bytes: file.size } });
}

/** The `PrintFile` of `reserve`. */
export async function printReserve(file: DumpFile, out: DumpOutput): Promise<void> {
  if (file.size === 0) out.problem(0, 0, 'the file is empty: no space is held back');
  else out.item({ kind: 'reserve', offset: 0, depth: 0, fields: { bytes: file.size } });
}
