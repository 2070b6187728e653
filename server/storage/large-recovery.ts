/**
 * What a boot makes of the folder of large bodies: which files live, which messages go for want of theirs, and which
 * files nobody needs.
 *
 * - A record behind the last *synced up to* may have reached the disk before its file did: such a file is read and
 *   compared, and the message dropped if it is not whole. It was never confirmed.
 * - A message from before that has no file is damage: it is dropped and reported. Its file is not read now: whoever
 *   delivers it compares the checksum.
 * - Nothing is deleted here.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { FileSystem, OpenFile } from './fs.ts';
import {
  decodeLargeHeader,
  LARGE_FOLDER,
  LARGE_HEADER_SIZE,
  largeFileName,
  largeFileNumberOf,
} from './large-file-format.ts';
import { isDiskFull } from './log-health.ts';
import type { QueueIndex } from './queue-index.ts';
import type { LargeReference } from './record-format.ts';
import { StorageError } from './storage-error.ts';

/** Bytes read at once. */
const PIECE_SIZE = 1024 * 1024;

/** What the registry of the files begins with. */
export interface RecoveredLargeFiles {
  /** The number that the next file gets: above all that exist or are spoken of. */
  readonly nextFile: number;
  /** Queues that wait for each live file. */
  readonly references: ReadonlyMap<number, number>;
  /** Names in the folder that no live record stands for. */
  readonly leftovers: readonly string[];
}

/** A message whose body is not there: the log is to be told that it was dropped. */
export interface DroppedMessage {
  readonly index: QueueIndex;
  readonly sequence: number;
  readonly position: number;
  /** Size of its body in bytes; 0 when that is not known any more. */
  readonly bodySize: number;
  readonly file: number;
  /** It had been synced, so the file should be there. */
  readonly isDamage: boolean;
}

/** What replay saw of large bodies. */
export interface ReplayedLargeFiles {
  /** From the checkpoint: above all numbers given out before it. */
  readonly nextFile: number;
  /** Bodies named by records that were replayed. */
  readonly bodies: ReadonlyMap<number, LargeReference>;
  /** Those named behind the last position known to be synced. */
  readonly unsynced: ReadonlySet<number>;
}

/**
 * Compares what the queues wait for with what the folder holds, and makes stable what the log's recovery takes for
 * granted from here on. The messages returned are still in their indexes.
 */
export function recoverLargeFiles(
  fs: FileSystem,
  directory: string,
  queues: Iterable<QueueIndex>,
  replayed: ReplayedLargeFiles,
): { readonly files: RecoveredLargeFiles; readonly dropped: readonly DroppedMessage[] } {
  const folder = join(directory, LARGE_FOLDER);
  const names = fs.list(folder);
  const present = new Set(names.map(largeFileNumberOf));
  const whole = new Map<number, boolean>();
  const isThere = (file: number): boolean => {
    const known = whole.get(file);
    if (known !== undefined) return known;
    const body = replayed.bodies.get(file);
    const isUnsynced = body !== undefined && replayed.unsynced.has(file);
    const result = present.has(file) && (!isUnsynced || isWhole(fs, folder, body));
    whole.set(file, result);
    return result;
  };
  const references = new Map<number, number>();
  const dropped: DroppedMessage[] = [];
  for (const index of queues) {
    for (const [sequence, file] of index.large ?? []) {
      if (!index.isUnsettled(sequence)) continue;
      if (isThere(file)) references.set(file, (references.get(file) ?? 0) + 1);
      else dropped.push(droppedMessage(index, sequence, file, replayed));
    }
  }
  if ([...whole.values()].includes(true)) fs.syncDirectoryNow(folder);
  return {
    files: {
      nextFile: Math.max(replayed.nextFile, ...present, ...replayed.bodies.keys(), 0) + 1,
      references,
      leftovers: names.filter((name) => !references.has(largeFileNumberOf(name))),
    },
    dropped,
  };
}

function droppedMessage(
  index: QueueIndex,
  sequence: number,
  file: number,
  replayed: ReplayedLargeFiles,
): DroppedMessage {
  return {
    index,
    sequence,
    position: index.positionOf(sequence),
    bodySize: replayed.bodies.get(file)?.size ?? 0,
    file,
    isDamage: !replayed.unsynced.has(file),
  };
}

/**
 * Reads the whole body, and writes it again; one that is as it came is synced, since it may be in the page cache alone.
 * A sync alone would not do: the run before may have ended while one had failed, and then the kernel shows the bytes,
 * calls them clean, and does not have them on the disk.
 */
function isWhole(fs: FileSystem, folder: string, body: LargeReference): boolean {
  const file = fs.openForWriting(join(folder, largeFileName(body.file)));
  try {
    if (file.size() !== LARGE_HEADER_SIZE + body.size || !isAsItCame(file, body)) return false;
    file.datasyncNow();
    return true;
  } finally {
    file.close();
  }
}

function isAsItCame(file: OpenFile, body: LargeReference): boolean {
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, LARGE_HEADER_SIZE + body.size));
  const headLength = file.readNow(piece, 0, LARGE_HEADER_SIZE, 0);
  if (decodeLargeHeader(piece.subarray(0, headLength)) !== body.file) return false;
  writeAgain(file, piece, headLength, 0);
  let sum = 0;
  for (let at = 0; at < body.size; ) {
    const wanted = Math.min(piece.length, body.size - at);
    const count = file.readNow(piece, 0, wanted, LARGE_HEADER_SIZE + at);
    if (count === 0) throw new StorageError(file.path, `ends at byte ${at}, before its size`);
    sum = crc32(piece.subarray(0, count), sum);
    writeAgain(file, piece, count, LARGE_HEADER_SIZE + at);
    at += count;
  }
  return sum === body.crc32;
}

/** On a full disk what is there stays as it is: the kernel has it for as long as it runs. */
function writeAgain(file: OpenFile, piece: Buffer, length: number, at: number): void {
  try {
    file.writeAt(piece, 0, length, at);
  } catch (error) {
    if (!(error instanceof StorageError) || !isDiskFull(error)) throw error;
  }
}
