/**
 * Small documents that an operator may read and mend with an editor while the server is down:
 * users.json, vhosts.json, policies.json.
 *
 * A document is replaced whole (replace-file.ts). Callers keep their own writes of one document in a row.
 */
import type { FileSystem } from './fs.ts';
import { replaceFile } from './replace-file.ts';
import { StorageError } from './storage-error.ts';

/**
 * Reads a document; null when it does not exist. A byte order mark, as some editors leave it, is skipped.
 *
 * @throws StorageError when it cannot be read or is not JSON
 */
export function readJsonDocument(fs: FileSystem, path: string): unknown {
  const bytes = fs.readFile(path);
  if (bytes === null) return null;
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StorageError(path, `is not valid JSON: ${reason}`, '', { cause });
  }
}

/**
 * Replaces a document; stable when the promise resolves.
 *
 * @throws StorageError when the disk refuses; the old document is then still there
 */
export function writeJsonDocument(fs: FileSystem, path: string, value: unknown): Promise<void> {
  return replaceFile(fs, path, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
}
