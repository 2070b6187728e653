/**
 * Finds the newest checkpoint that can be used: it is whole, and so is the base that it names. One that cannot be used
 * is reported and kept aside; then the one before it is tried. Slots that the chunk files do not have are reported;
 * what should be in them is found again in the log when it is needed (row-rebuild.ts).
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
import { CHUNK_FOLDER, chunkFileName } from './chunk-file-format.ts';
import type { ChunkStore } from './chunk-store.ts';
import type { DamageLog } from './damage.ts';
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

/** The newest usable checkpoint among the files `names`; its indexes have their home in `chunks`. */
export function readNewestCheckpoint(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
  chunks: ChunkStore,
  damage: DamageLog,
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
    if (typeof found !== 'string') {
      adopt(found, chunks, damage);
      return found;
    }
    const name = checkpointFileName(number);
    damage.report(name, `${found}: an older checkpoint is used, or the whole log`);
    damage.keep(name, bytes);
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

/** Gives the indexes their home. */
function adopt(found: UsableCheckpoint, chunks: ChunkStore, damage: DamageLog): void {
  for (const { index } of found.parts) {
    chunks.adoptRecovered(index);
    if (chunks.files.isComplete(index)) continue;
    const name = join(CHUNK_FOLDER, chunkFileName(index.number));
    damage.report(name, 'the file is not whole: what it should have is found in the log', true);
  }
}
