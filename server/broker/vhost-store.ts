/** The vhosts of a data directory: their names, from `vhosts.json` (form: vhost-document.ts), and their folders. */
import { join } from 'node:path';
import type { FileSystem } from '../storage/fs.ts';
import { readJsonDocument, writeJsonDocument } from '../storage/json-document.ts';
import { decodeVhosts, encodeVhosts, folderNameOf, VHOSTS_FILE } from './vhost-document.ts';

/** The vhosts of a data directory. */
export class VhostStore {
  /** In the order of the file. */
  readonly names: readonly string[];
  readonly dataDir: string;

  private constructor(dataDir: string, names: readonly string[]) {
    this.dataDir = dataDir;
    this.names = names;
  }

  /**
   * Reads `vhosts.json` in `dataDir`; where there is none, makes it, with the vhost `/`.
   *
   * @throws ConfigError or StorageError when the file cannot be used; it is left as it is
   */
  static async load(fs: FileSystem, dataDir: string): Promise<VhostStore> {
    const path = join(dataDir, VHOSTS_FILE);
    const content = readJsonDocument(fs, path);
    if (content !== null) return new VhostStore(dataDir, decodeVhosts(path, content));
    const names = ['/'];
    await writeJsonDocument(fs, path, encodeVhosts(names));
    return new VhostStore(dataDir, names);
  }

  /** The folder that holds what a vhost keeps. */
  folderOf(name: string): string {
    return join(this.dataDir, folderNameOf(name));
  }
}
