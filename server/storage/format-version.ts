/**
 * How every data file begins, whatever its kind: its magic word and the version of its format.
 *
 *     0           8         10         12
 *     +-----------+---------+----------+----
 *     | FIRN....  | version | inverted |        big-endian; "inverted" is the version with every bit turned
 *     |           | u16     | u16      |
 *     +-----------+---------+----------+----
 *
 * These twelve bytes never change. So a server knows a file of another version without understanding anything else
 * of it, and a damaged byte does not look like one: damage is stepped over, such a file ends the start.
 */
import { join } from 'node:path';
import { AppError } from '../base/app-error.ts';
import type { FileSystem } from './fs.ts';

/** Raised whenever files of an older version can no longer be read as they are. */
export const STORAGE_FORMAT_VERSION: number = 1;

/** Bytes of magic word and version. */
export const FORMAT_HEAD_SIZE: number = 12;

const MAGIC_SIZE = 8;
const FAMILY = 'FIRN';
/** Files of a vhost that a server which writes anything writes in its own version. */
const LEADING_FILE = /^(msgs\.[\d.]+|checkpoint\.\d+|definitions\.amqp)$/;

/** A file that was written in another version of the format: nobody may touch it. */
export class ForeignFormatError extends AppError {
  readonly path: string;
  readonly version: number;

  constructor(path: string, version: number) {
    const age = version > STORAGE_FORMAT_VERSION ? 'a newer' : 'an older';
    const known = `this one reads ${STORAGE_FORMAT_VERSION}`;
    super('FOREIGN_FORMAT', `${path} was written by ${age} FirnMQ (format ${version}, ${known})`);
    this.path = path;
    this.version = version;
  }
}

/** Writes magic word (eight characters) and version into the first bytes of a file's header. */
export function writeFormatHead(buf: Buffer, magic: string): void {
  buf.write(magic, 0, 'latin1');
  buf.writeUInt16BE(STORAGE_FORMAT_VERSION, MAGIC_SIZE);
  buf.writeUInt16BE(~STORAGE_FORMAT_VERSION & 0xffff, MAGIC_SIZE + 2);
}

/** The magic word that the bytes begin with, or null when they begin like no data file. */
export function magicOf(head: Buffer): string | null {
  if (head.length < MAGIC_SIZE) return null;
  const magic = head.toString('latin1', 0, MAGIC_SIZE);
  return magic.startsWith(FAMILY) ? magic : null;
}

/** The version that the bytes name, or null when they begin like no data file, or are damaged there. */
export function formatVersionOf(head: Buffer): number | null {
  if (head.length < FORMAT_HEAD_SIZE || magicOf(head) === null) return null;
  const version = head.readUInt16BE(MAGIC_SIZE);
  return (version ^ head.readUInt16BE(MAGIC_SIZE + 2)) === 0xffff ? version : null;
}

/**
 * What keeps the bytes from being a file of this kind and version: the end of a sentence, or null when nothing
 * does. `kind` is what such a file is called, with its article.
 */
export function formatProblem(head: Buffer, magic: string, kind: string): string | null {
  if (magicOf(head) !== magic) return `not ${kind}`;
  const version = formatVersionOf(head);
  if (version === null) return 'its format version is damaged';
  return version === STORAGE_FORMAT_VERSION ? null : `format version ${version} is not known here`;
}

/** @throws ForeignFormatError when the file at `path`, which begins with `head`, is of another version */
export function refuseForeignFormat(path: string, head: Buffer): void {
  const version = formatVersionOf(head);
  if (version !== null && version !== STORAGE_FORMAT_VERSION) {
    throw new ForeignFormatError(path, version);
  }
}

/**
 * Looks at a vhost's segments, checkpoints and definitions before anything in it is touched. What else lies there
 * needs no look: a server of another version that wrote any of it wrote one of these as well.
 *
 * @throws ForeignFormatError naming the first file that is of another version
 * @throws StorageError when a file cannot be read
 */
export function refuseForeignFiles(fs: FileSystem, directory: string): void {
  for (const name of fs.list(directory)) {
    if (LEADING_FILE.test(name)) refuseForeignFile(fs, join(directory, name));
  }
}

/** @throws ForeignFormatError when the file is of another version @throws StorageError when it cannot be read */
export function refuseForeignFile(fs: FileSystem, path: string): void {
  refuseForeignFormat(path, readFormatHead(fs, path));
}

function readFormatHead(fs: FileSystem, path: string): Buffer {
  const file = fs.openForReading(path);
  try {
    const head = Buffer.alloc(FORMAT_HEAD_SIZE);
    return head.subarray(0, file.readNow(head, 0, head.length, 0));
  } finally {
    file.close();
  }
}
