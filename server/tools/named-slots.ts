/** Which slots of chunk files the kept checkpoints name, and whether a slot is what they say. */
import { join } from 'node:path';
import {
  type Checkpoint,
  checkpointFileName,
  checkpointNumberOf,
  decodeCheckpoint,
} from '../storage/checkpoint-format.ts';
import { CHUNK_HEADER_SIZE } from '../storage/chunk-file-format.ts';
import type { FileSystem } from '../storage/fs.ts';
import { checksumOf } from '../storage/positions.ts';
import type { DumpFile } from './dump-file.ts';

/** Checkpoints that a server keeps, besides the bases that they name. */
const CHECKPOINTS_KEPT = 2;

/** A row of a checkpoint whose positions lie in a slot. */
export interface NamedSlot {
  /** File name of the checkpoint. */
  readonly checkpoint: string;
  readonly slot: number;
  /** Sequence number of the slot's first position. */
  readonly first: number;
  /** Positions in the slot that count, and their checksum. */
  readonly count: number;
  readonly crc: number;
  /** Positions of a full row. */
  readonly rowEntries: number;
}

/** The slots that the newest checkpoints in a vhost's folder name, and their bases, by queue number. */
export function namedSlots(
  fs: FileSystem,
  directory: string,
): ReadonlyMap<number, readonly NamedSlot[]> {
  const slots = new Map<number, NamedSlot[]>();
  const numbers = fs
    .list(directory)
    .map(checkpointNumberOf)
    .filter((number) => number >= 0);
  const newest = numbers.sort((a, b) => b - a).slice(0, CHECKPOINTS_KEPT);
  const seen = new Set<number>();
  for (let number = newest.shift(); number !== undefined; number = newest.shift()) {
    if (seen.has(number)) continue;
    seen.add(number);
    const name = checkpointFileName(number);
    const checkpoint = decodeCheckpoint(fs.readFile(join(directory, name)) ?? Buffer.alloc(0));
    if (typeof checkpoint === 'string') continue;
    addSlots(slots, name, checkpoint);
    newest.push(checkpoint.base);
  }
  return slots;
}

function addSlots(
  slots: Map<number, NamedSlot[]>,
  name: string,
  { parts, rowEntries }: Checkpoint,
): void {
  for (const { index } of parts) {
    for (const { slot, first, count, crc } of index.rows.views()) {
      if (slot < 0) continue;
      const own = slots.get(index.number) ?? [];
      slots.set(index.number, own);
      own.push({ checkpoint: name, slot, first, count, crc, rowEntries });
    }
  }
}

/** The offset of a slot in its file. */
export function offsetOfSlot(slot: number, rowEntries: number): number {
  return CHUNK_HEADER_SIZE + 8 * slot * rowEntries;
}

/** What is wrong with a slot, or null. */
export function problemOfSlot(file: DumpFile, named: NamedSlot): string | null {
  const { checkpoint, slot, count, crc, rowEntries } = named;
  const bytes = file.read(offsetOfSlot(slot, rowEntries), 8 * count);
  if (bytes.length < 8 * count) return `slot ${slot}, which ${checkpoint} names, is cut`;
  const isRight = checksumOf(new Float64Array(toArrayBuffer(bytes)), count) === crc;
  return isRight ? null : `slot ${slot} is not what ${checkpoint} says: it is damaged`;
}

/** A copy that begins where an array of doubles may. */
export function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}
