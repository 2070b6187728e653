/**
 * `vhosts.json`: the names of the vhosts as `[{"name": "/"}]`, and the folder that each has beside it, named by the
 * SHA-1 of its vhost's name in hex, since a name may hold any character.
 */
import { createHash } from 'node:crypto';
import { ConfigError } from '../config/config-error.ts';

/** The document's name in the data directory. */
export const VHOSTS_FILE: string = 'vhosts.json';

/** The vhosts in the form of the file. */
export function encodeVhosts(names: readonly string[]): unknown {
  return names.map((name) => ({ name }));
}

/**
 * Reads the content of the file: the vhosts' names in its order.
 *
 * @param path for messages
 * @throws ConfigError naming the file, the vhost and what is wrong with it
 */
export function decodeVhosts(path: string, content: unknown): readonly string[] {
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

/** The name of the folder that holds what a vhost keeps. */
export function folderNameOf(vhost: string): string {
  return createHash('sha1').update(vhost).digest('hex');
}
