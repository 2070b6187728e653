/**
 * Finds the newest checkpoint that can be used: it is whole, so is the base that it names, and the chunk files have
 * the slots that both name. One that cannot be used is reported and kept aside; then the one before it is tried.
 */
import { join } from 'node:path';
import {
  type Checkpoint,
  type CheckpointPart,
  checkpointFileName,
  checkpointNumberOf,
  decodeCheckpoint,
  mergeParts,
} from './checkpoint-format.ts';
import type { ChunkStore } from './chunk-store.ts';
import type { FileSystem } from './fs.ts';

/** A checkpoint with the parts of its base. */
export interface UsableCheckpoint {
  readonly number: number;
  readonly base: number;
  readonly clean: boolean;
  readonly replayFrom: number;
  readonly logEnd: number;
  readonly nextLargeFile: number;
  readonly parts: readonly CheckpointPart[];
}

/** Told of a file that cannot be used, and of its bytes. */
export type UnusableFile = (name: string, reason: string, bytes: Buffer) => void;

/** The newest usable checkpoint among the files `names`; its indexes have their home in `chunks`. */
export function readNewestCheckpoint(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
  chunks: ChunkStore,
  unusable: UnusableFile,
): UsableCheckpoint | null {
  const read = (number: number): { checkpoint: Checkpoint | string; bytes: Buffer } => {
    const path = join(directory, checkpointFileName(number));
    const bytes = fs.readFile(path) ?? Buffer.alloc(0);
    return { checkpoint: decodeCheckpoint(bytes), bytes };
  };
  const numbers = names.map(checkpointNumberOf).filter((number) => number >= 0);
  for (const number of numbers.sort((a, b) => b - a)) {
    const { checkpoint, bytes } = read(number);
    const found = typeof checkpoint === 'string' ? checkpoint : withBase(number, checkpoint, read);
    const problem = typeof found === 'string' ? found : adopt(found, chunks);
    if (problem === null && typeof found !== 'string') return found;
    const name = checkpointFileName(number);
    unusable(name, `${problem}: an older checkpoint is used, or the whole log`, bytes);
  }
  return null;
}

function withBase(
  number: number,
  checkpoint: Checkpoint,
  read: (number: number) => { checkpoint: Checkpoint | string },
): UsableCheckpoint | string {
  const { base, baseCrc, clean, replayFrom, logEnd, nextLargeFile, rowEntries } = checkpoint;
  const used = { number, base, clean, replayFrom, logEnd, nextLargeFile };
  if (base === number) return { ...used, parts: checkpoint.parts };
  const under = read(base).checkpoint;
  if (typeof under === 'string')
    return `its base ${checkpointFileName(base)} is of no use (${under})`;
  if (under.crc !== baseCrc || under.rowEntries !== rowEntries) {
    return `its base ${checkpointFileName(base)} is another one`;
  }
  return { ...used, parts: mergeParts(under, checkpoint) };
}

/** Gives the indexes their home; a sentence where a chunk file does not have what they need. */
function adopt(found: UsableCheckpoint, chunks: ChunkStore): string | null {
  for (const { index } of found.parts) chunks.adoptRecovered(index);
  const incomplete = found.parts.find(({ index }) => !chunks.isComplete(index));
  if (incomplete === undefined) return null;
  chunks.forgetAll();
  return `the chunk file of queue number ${incomplete.index.number} is not whole`;
}
