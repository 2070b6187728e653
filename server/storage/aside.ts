/** The folder for what recovery cut off or found damaged: for people; nothing reads it. */
import { join } from 'node:path';
import type { FileSystem } from './fs.ts';
import { StorageError } from './storage-error.ts';

const ASIDE_FOLDER = 'aside';

/** Writes a copy of `bytes`. Where the disk refuses, boot goes on without: the sentence returned says so. */
export function keepAside(
  fs: FileSystem,
  directory: string,
  name: string,
  bytes: Buffer,
): string | null {
  const folder = join(directory, ASIDE_FOLDER);
  const path = join(folder, name);
  try {
    fs.makeDirectory(folder);
  } catch (error) {
    return refused(error);
  }
  try {
    const file = fs.openForWriting(path);
    try {
      file.truncate(0);
      file.writeAt(bytes, 0, bytes.length, 0);
      file.datasyncNow();
    } finally {
      file.close();
    }
    return null;
  } catch (error) {
    giveUp(fs, path);
    return refused(error);
  }
}

/** Half a copy is of little use, and may have taken the last of the disk, which the log needs. */
function giveUp(fs: FileSystem, path: string): void {
  try {
    fs.delete(path);
  } catch {
    // The failure that led here is the one to tell.
  }
}

/** Moves a whole file there; the sentence returned says where that was refused. */
export function moveAside(fs: FileSystem, directory: string, name: string): string | null {
  const folder = join(directory, ASIDE_FOLDER);
  try {
    fs.makeDirectory(folder);
    fs.rename(join(directory, name), join(folder, name));
    return null;
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): string {
  if (error instanceof StorageError) return `it could not be kept aside: ${error.message}`;
  throw error;
}
