/** Replacing a file whole, so that after a crash there is the old one or the new one, never a mixture. */
import { dirname } from 'node:path';
import type { FileSystem } from './fs.ts';

/**
 * Writes `bytes` to a temporary name, syncs, renames it over `path` and syncs the folder; stable when the
 * promise resolves. Callers keep their own writes of one file in a row.
 *
 * @throws StorageError when the disk refuses; the old file is then still there, and nothing beside it
 */
export async function replaceFile(fs: FileSystem, path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await writeWhole(fs, temporary, bytes);
    await fs.renameLater(temporary, path);
  } catch (error) {
    discard(fs, temporary);
    throw error;
  }
  await fs.syncDirectory(dirname(path));
}

async function writeWhole(fs: FileSystem, path: string, bytes: Buffer): Promise<void> {
  const file = fs.openForWriting(path);
  try {
    file.truncate(0);
    file.writeAt(bytes, 0, bytes.length, 0);
    await file.datasync();
  } finally {
    void file.closeLater();
  }
}

/** What was refused takes no space of a disk that has none. */
function discard(fs: FileSystem, path: string): void {
  try {
    fs.delete(path);
  } catch {
    // A disk that refuses this too: the next attempt begins by emptying the file.
  }
}
