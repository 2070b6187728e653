/** The folder for what recovery cut off or found damaged: for people; of it only the list of damage is read again. */
import { join } from 'node:path';
import type { FileSystem } from './fs.ts';
import { StorageError } from './storage-error.ts';

/** The folder's name, in that of its vhost. */
export const ASIDE_FOLDER = 'aside';

/**
 * Writes a copy of `bytes`, unless it is there. Another file of that name stays, and the copy gets a name of its own,
 * unless it `replaces` that. Where the disk refuses, boot goes on without: the sentence returned says so.
 */
export function keepAside(
  fs: FileSystem,
  directory: string,
  name: string,
  bytes: Buffer,
  { replaces = false }: { readonly replaces?: boolean } = {},
): string | null {
  const folder = join(directory, ASIDE_FOLDER);
  try {
    const free = replaces ? name : freeName(fs, directory, name, bytes);
    if (free === null) return null;
    fs.makeDirectory(folder);
    writeWhole(fs, join(folder, free), bytes);
    syncNames(fs, directory);
    return null;
  } catch (error) {
    return refused(error);
  }
}

/** Half a copy is of little use, and may have taken the last of the disk, which the log needs. */
function writeWhole(fs: FileSystem, path: string, bytes: Buffer): void {
  const file = fs.openForWriting(path);
  try {
    file.truncate(0);
    file.writeAt(bytes, 0, bytes.length, 0);
    file.datasyncNow();
  } catch (error) {
    fs.delete(path);
    throw error;
  } finally {
    file.close();
  }
}

/** A file of the folder; null where there is none, or it cannot be read. */
export function readAside(fs: FileSystem, directory: string, name: string): Buffer | null {
  try {
    return fs.readFile(join(directory, ASIDE_FOLDER, name));
  } catch (error) {
    if (error instanceof StorageError) return null;
    throw error;
  }
}

/** Moves a whole file there; the sentence returned says where that was refused. */
export function moveAside(fs: FileSystem, directory: string, name: string): string | null {
  const folder = join(directory, ASIDE_FOLDER);
  try {
    fs.makeDirectory(folder);
    fs.rename(join(directory, name), join(folder, name));
    syncNames(fs, directory);
    return null;
  } catch (error) {
    return refused(error);
  }
}

/** `name`, or `name.2` and so on where another file has it; null when one of them has these very bytes. */
function freeName(fs: FileSystem, directory: string, name: string, bytes: Buffer): string | null {
  const names = new Set(fs.list(join(directory, ASIDE_FOLDER)));
  let free = name;
  for (let i = 2; names.has(free); i++) {
    if (readAside(fs, directory, free)?.equals(bytes) === true) return null;
    free = `${name}.${i}`;
  }
  return free;
}

function syncNames(fs: FileSystem, directory: string): void {
  fs.syncDirectoryNow(join(directory, ASIDE_FOLDER));
  fs.syncDirectoryNow(directory);
}

function refused(error: unknown): string {
  if (error instanceof StorageError) return `it could not be kept aside: ${error.message}`;
  throw error;
}
