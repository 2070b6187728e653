/**
 * A data directory that no server works on: its vhosts and where they are kept. Whoever opens it has been told if it is
 * of a later version, or in use.
 */
import { join } from 'node:path';
import { decodeUsers, USERS_FILE } from '../auth/user-document.ts';
import { isAppError } from '../base/app-error.ts';
import { decodeVhosts, folderNameOf, VHOSTS_FILE } from '../broker/vhost-document.ts';
import { CHUNK_FOLDER } from '../storage/chunk-file-format.ts';
import { refuseDirectoryInUse } from '../storage/directory-lock.ts';
import {
  ForeignFormatError,
  refuseForeignFile,
  refuseForeignFiles,
} from '../storage/format-version.ts';
import type { FileSystem } from '../storage/fs.ts';
import { readJsonDocument } from '../storage/json-document.ts';
import { LARGE_FOLDER } from '../storage/large-file-format.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { Finding } from './finding.ts';
import { ToolUsageError } from './tool-usage-error.ts';

/** One vhost's folder. */
export interface VhostFolder {
  /** The vhost's name; the folder's where no vhost is known to have it. */
  readonly name: string;
  readonly directory: string;
  /** Whether `vhosts.json` names it: a start opens no other. */
  readonly isKnown: boolean;
}

/** What {@link openOfflineDirectory} found. */
export interface OfflineDirectory {
  readonly vhosts: readonly VhostFolder[];
  /** What is wrong with the documents. */
  readonly findings: readonly Finding[];
  /** Whether a server has run here, as far as the documents tell. */
  readonly isEmpty: boolean;
}

const FOLDER_NAME = /^[0-9a-f]{40}$/;
/** The vhost that a server makes where no document names any. */
const DEFAULT_VHOSTS: readonly string[] = ['/'];

/**
 * Looks at a data directory.
 *
 * @throws ToolUsageError when there is none, or a server works on it
 * @throws ForeignFormatError when another version wrote anything in it
 */
export async function openOfflineDirectory(
  fs: FileSystem,
  directory: string,
): Promise<OfflineDirectory> {
  requireDirectory(fs, directory);
  await refuseDirectoryInUse(directory).catch((error: unknown) => {
    if (!isAppError(error) || error.code !== 'DIRECTORY_IN_USE') throw error;
    throw new ToolUsageError(error.message);
  });
  const findings: Finding[] = [];
  const names = readDocument(fs, join(directory, VHOSTS_FILE), findings, decodeVhosts);
  readDocument(fs, join(directory, USERS_FILE), findings, decodeUsers);
  const vhosts = vhostsIn(fs, directory, names ?? DEFAULT_VHOSTS);
  for (const vhost of vhosts) {
    refuseForeignFiles(fs, vhost.directory);
    for (const folder of [CHUNK_FOLDER, LARGE_FOLDER].map((name) => join(vhost.directory, name))) {
      for (const name of fs.list(folder)) refuseForeignFile(fs, join(folder, name));
    }
  }
  return { vhosts, findings, isEmpty: names === null && findings.length === 0 };
}

function requireDirectory(fs: FileSystem, directory: string): void {
  try {
    // On a folder as on a file; what is none of both is told by its absence.
    fs.openForReading(directory).close();
    fs.list(directory);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const isMissing = error.errno === 'ENOENT';
    throw new ToolUsageError(`${directory} ${isMissing ? 'does not exist' : 'is no directory'}`);
  }
}

/** The content of a document; null when it is missing, or cannot be used. */
function readDocument<T>(
  fs: FileSystem,
  path: string,
  findings: Finding[],
  decode: (path: string, content: unknown) => T,
): T | null {
  try {
    const content = readJsonDocument(fs, path);
    return content === null ? null : decode(path, content);
  } catch (error) {
    if (!isAppError(error) || error instanceof ForeignFormatError) throw error;
    const prefix = `${path}: `;
    const { message } = error;
    const reason = message.startsWith(prefix) ? message.slice(prefix.length) : message;
    findings.push({ path, offset: null, reason });
    return null;
  }
}

function vhostsIn(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
): readonly VhostFolder[] {
  const known = names.map((name) => folderNameOf(name));
  const present = fs.list(directory).filter((name) => FOLDER_NAME.test(name));
  const unknown = present.filter((folder) => !known.includes(folder));
  return [
    ...names.map((name, i) => ({ name, directory: join(directory, known[i]!), isKnown: true })),
    ...unknown.map((folder) => ({
      name: folder,
      directory: join(directory, folder),
      isKnown: false,
    })),
  ];
}
