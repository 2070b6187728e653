/** Which printer prints which file: by its magic word, or by its name where it is a document. One entry per kind. */
import { USERS_FILE } from '../auth/user-document.ts';
import { VHOSTS_FILE } from '../broker/vhost-document.ts';
import { SEGMENT_MAGIC } from '../storage/batch-format.ts';
import { CHECKPOINT_MAGIC } from '../storage/checkpoint-format.ts';
import { CHUNK_MAGIC, queueOfChunkFile } from '../storage/chunk-file-format.ts';
import { COMPACTED_MAGIC } from '../storage/compacted-format.ts';
import { DEFINITIONS_FILE, DEFINITIONS_MAGIC } from '../storage/definitions-format.ts';
import { RESERVE_FILE, RESERVE_GIVEN_FILE } from '../storage/disk-reserve.ts';
import { magicOf } from '../storage/format-version.ts';
import { LARGE_MAGIC, largeFileNumberOf } from '../storage/large-file-format.ts';
import { segmentNumberOf } from '../storage/segment.ts';
import type { BodyOptions } from './batch-printer.ts';
import { printBody } from './body-printer.ts';
import { printCheckpoint } from './checkpoint-printer.ts';
import { printChunks } from './chunk-printer.ts';
import { printCompacted } from './compacted-printer.ts';
import { printDefinitions } from './definitions-printer.ts';
import { printUsers, printVhosts } from './document-printer.ts';
import type { DumpFile } from './dump-file.ts';
import type { DumpOutput } from './dump-output.ts';
import { printReserve, printReserveGiven } from './reserve-printer.ts';
import { printSegment } from './segment-printer.ts';

/** Prints a file; what in it is damaged is told to `out` as problems, and the rest is printed. */
export type PrintFile = (file: DumpFile, out: DumpOutput, options: BodyOptions) => Promise<void>;

const BY_MAGIC: ReadonlyMap<string, PrintFile> = new Map<string, PrintFile>([
  [SEGMENT_MAGIC, printSegment],
  [COMPACTED_MAGIC, printCompacted],
  [DEFINITIONS_MAGIC, printDefinitions],
  [CHECKPOINT_MAGIC, printCheckpoint],
  [LARGE_MAGIC, printBody],
  [CHUNK_MAGIC, printChunks],
]);

/** Documents, and what a file without its magic word must have been. */
const BY_NAME: readonly (readonly [(name: string) => boolean, PrintFile])[] = [
  [(name) => name === USERS_FILE, printUsers],
  [(name) => name === VHOSTS_FILE, printVhosts],
  [(name) => name === DEFINITIONS_FILE, printDefinitions],
  [(name) => name.startsWith('checkpoint.'), printCheckpoint],
  [(name) => segmentNumberOf(name) >= 0, printSegment],
  [(name) => largeFileNumberOf(name) >= 0, printBody],
  [(name) => queueOfChunkFile(name) >= 0, printChunks],
  [(name) => name === RESERVE_FILE, printReserve],
  [(name) => name === RESERVE_GIVEN_FILE, printReserveGiven],
];

/** The printer of a file by its first bytes and its name; null when it is of no known kind. */
export function printerOf(name: string, head: Buffer): PrintFile | null {
  const magic = magicOf(head);
  const byMagic = magic === null ? undefined : BY_MAGIC.get(magic);
  if (byMagic !== undefined) return byMagic;
  return BY_NAME.find(([isNamed]) => isNamed(name))?.[1] ?? null;
}
