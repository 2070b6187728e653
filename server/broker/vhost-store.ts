/**
 * The names of the vhosts, kept in `vhosts.json` as `[{"name": "/"}]`, and the folder of each.
 *
 * A folder is named by the SHA-1 of its vhost's name in hex, since a name may hold any character.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ConfigError } from '../config/config-error.ts';
import type { FileSystem } from '../storage/fs.ts';
import { readJsonDocument, writeJsonDocument } from '../storage/json-document.ts';

/** The vhosts of a data directory. */
export class VhostStore {
  /** In the order of the file. */
  readonly names: readonly string[];
  private readonly dataDir: string;

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
    const path = join(dataDir, 'vhosts.json');
    const content = readJsonDocument(fs, path);
    if (content !== null) return new VhostStore(dataDir, decodeNames(path, content));
    await writeJsonDocument(fs, path, [{ name: '/' }]);
    return new VhostStore(dataDir, ['/']);
  }

  /** The folder that holds what a vhost keeps. */
  folderOf(name: string): string {
    return join(this.dataDir, createHash('sha1').update(name).digest('hex'));
  }
}

function decodeNames(path: string, content: unknown): readonly string[] {
  if (!Array.isArray(content)) throw new ConfigError(path, 'the file', 'must be a list of vhosts');
  const entries: readonly unknown[] = content;
  const names = entries.map((entry, index) => decodeName(path, entry, index));
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new ConfigError(path, `vhost '${repeated}'`, 'is there twice');
  return names;
}

function decodeName(path: string, entry: unknown, index: number): string {
  if (typeof entry === 'object' && entry !== null && 'name' in entry) {
    if (typeof entry.name === 'string' && entry.name !== '') return entry.name;
  }
  throw new ConfigError(path, `vhost number ${index + 1}`, 'has no name');
}
