/**
 * Small documents that an operator may read and mend with an editor while the server is down:
 * users.json, vhosts.json, policies.json.
 *
 * A document is replaced whole (replace-file.ts). Callers keep their own writes of one document in a row. One
 * that cannot be read by this version will be an object with a number `format_version`.
 */

import { ForeignFormatError, STORAGE_FORMAT_VERSION } from './format-version.ts';
import type { FileSystem } from './fs.ts';
import { replaceFile } from './replace-file.ts';
import { StorageError } from './storage-error.ts';

/**
 * Reads a document; null when it does not exist. A byte order mark, as some editors leave it, is skipped.
 *
 * @throws StorageError when it cannot be read or is not JSON
 * @throws ForeignFormatError when it names a format version above this one's
 */
export function readJsonDocument(fs: FileSystem, path: string): unknown {
  const bytes = fs.readFile(path);
  return bytes === null ? null : parseJsonDocument(path, bytes);
}

/** The same with bytes that were read already. */
export function parseJsonDocument(path: string, bytes: Buffer): unknown {
  const content = parse(path, bytes);
  const version = formatVersionIn(content);
  if (version > STORAGE_FORMAT_VERSION) throw new ForeignFormatError(path, version);
  return content;
}

function parse(path: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StorageError(path, `is not valid JSON: ${reason}`, '', { cause });
  }
}

function formatVersionIn(content: unknown): number {
  const isVersioned =
    typeof content === 'object' && content !== null && 'format_version' in content;
  return isVersioned ? Number(content.format_version) : 0;
}

/**
 * Replaces a document; stable when the promise resolves.
 *
 * @throws StorageError when the disk refuses; the old document is then still there
 */
export function writeJsonDocument(fs: FileSystem, path: string, value: unknown): Promise<void> {
  return replaceFile(fs, path, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
}
