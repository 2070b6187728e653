/** What a directory occupies on its disk, and what is free there. */
import { lstat, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** The unit of `st_blocks`, whatever the file system's own (stat(2)). */
const STAT_BLOCK_BYTES = 512;
const TMPFS_MAGIC = 0x01021994;

/** Octets allocated to all files below a directory: of a file with holes only what is there. */
export async function diskUseBytes(directory: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(directory, { recursive: true })) {
    try {
      const stats = await lstat(join(directory, name));
      if (stats.isFile()) sum += stats.blocks * STAT_BLOCK_BYTES;
    } catch {
      // It was deleted while the list was read.
    }
  }
  return sum;
}

/** Octets that may still be written below a directory. */
export async function freeDiskBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** Whether a directory lies in memory, where a sync costs nothing and tells nothing. */
export async function isInMemory(directory: string): Promise<boolean> {
  return (await statfs(directory)).type === TMPFS_MAGIC;
}
