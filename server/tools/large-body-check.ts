/** Reading large bodies piece by piece, and whether one is as its record says. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FORMAT_HEAD_SIZE, refuseForeignFormat } from '../storage/format-version.ts';
import type { FileSystem } from '../storage/fs.ts';
import {
  decodeLargeHeader,
  LARGE_FOLDER,
  LARGE_HEADER_SIZE,
  largeFileName,
} from '../storage/large-file-format.ts';
import type { LargeReference } from '../storage/record-format.ts';
import { StorageError } from '../storage/storage-error.ts';
import { DumpFile } from './dump-file.ts';

/** Bytes read at once; a multiple of three, so that pieces of base64 can stand side by side. */
export const BODY_PIECE_SIZE: number = 3 * 256 * 1024;

/** Checksum of the first `size` bytes of the body in a file. */
export function crcOfBody(file: DumpFile, size: number): number {
  let sum = 0;
  for (let at = 0; at < size; at += BODY_PIECE_SIZE) {
    sum = crc32(file.read(LARGE_HEADER_SIZE + at, Math.min(BODY_PIECE_SIZE, size - at)), sum);
  }
  return sum;
}

/** The path of a large body below the folder of its vhost. */
export function largePathOf(directory: string, { file }: LargeReference): string {
  return join(directory, LARGE_FOLDER, largeFileName(file));
}

/**
 * Reads a large body and compares it with its record.
 *
 * @returns what is wrong with it as the end of a sentence, or null
 * @throws ForeignFormatError when another version wrote the file
 */
export function findBodyProblem(
  fs: FileSystem,
  directory: string,
  body: LargeReference,
): string | null {
  try {
    const file = new DumpFile(fs, largePathOf(directory, body));
    try {
      refuseForeignFormat(file.path, file.read(0, FORMAT_HEAD_SIZE));
      return problemOf(file, body);
    } finally {
      file.close();
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return error.errno === 'ENOENT' ? 'the file is missing' : error.message;
  }
}

function problemOf(file: DumpFile, body: LargeReference): string | null {
  const number = decodeLargeHeader(file.read(0, LARGE_HEADER_SIZE));
  if (typeof number === 'string') return number;
  if (number !== body.file) return `it is the file with the number ${number}`;
  const size = file.size - LARGE_HEADER_SIZE;
  if (size < body.size) return `the last ${body.size - size} bytes of the body are missing`;
  return crcOfBody(file, body.size) === body.crc32 ? null : 'the checksum of the body differs';
}
