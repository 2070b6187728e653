/** Finds and reads the configuration file. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import { CONFIG_VARIABLE, type Environment } from './environment-source.ts';
import { readIniSettings } from './ini-source.ts';
import type { SettingSource } from './setting-source.ts';

/** The file's name in a directory that is for it alone. */
export const CONFIG_FILE_NAME = 'firnmq.ini';

/** A file above this size is none that somebody wrote. */
const FILE_SIZE_MAX = 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EISDIR: 'is a directory, and not a file',
  ENOTDIR: 'lies below something that is not a directory',
  ELOOP: 'is a link that leads to itself',
};

/**
 * The file to read: the one that the command line names, or `FIRNMQ_CONFIG`, or `firnmq.ini` in one of the
 * directories of `CONFIGURATION_DIRECTORY` (systemd, systemd.exec(5)), where there is one; else null. A server that is
 * started by hand reads nothing that nobody named.
 */
export function findConfigFile(named: string | null, env: Environment): string | null {
  const chosen = named ?? env[CONFIG_VARIABLE] ?? '';
  if (chosen !== '' || named !== null) return chosen;
  const directories = directoriesIn(env['CONFIGURATION_DIRECTORY']);
  const paths = directories.map((directory) => join(directory, CONFIG_FILE_NAME));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** The directories that systemd names, with colons between them. */
export function directoriesIn(text: string | undefined): readonly string[] {
  return (text ?? '').split(':').filter((directory) => directory !== '');
}

/**
 * Reads a file; one that cannot be read is a problem.
 *
 * @param path as the user wrote it
 * @param read replaces the disk in tests
 */
export function readConfigFile(
  path: string,
  baseDirectory: string,
  read: (path: string) => Uint8Array = readStart,
): SettingSource {
  if (path === '') return unreadable('command line: --config: the name of the file is empty');
  try {
    const bytes = read(resolve(baseDirectory, path));
    if (bytes.length <= FILE_SIZE_MAX) return readIniSettings(resolve(baseDirectory, path), bytes);
    return unreadable(`${path}: is larger than 1 MiB, and surely no configuration`);
  } catch (error) {
    return unreadable(`${path}: ${reasonOf(error)}`);
  }
}

/** Files that a Config names and that cannot be read, a line for each. */
export function unreadableFilesIn(config: Config): readonly string[] {
  const { tlsCertPath, tlsKeyPath, tlsCaPath, tlsServerNames } = config;
  const ofServerNames = tlsServerNames.flatMap(({ certPath, keyPath }) => [certPath, keyPath]);
  return [tlsCertPath, tlsKeyPath, tlsCaPath, ...ofServerNames].flatMap((path) => {
    if (path === null) return [];
    try {
      readStart(path);
      return [];
    } catch (error) {
      return [`${path}: ${reasonOf(error)}`];
    }
  });
}

/** @throws what was given, when the system did not throw it */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) throw error;
  return REASONS[String(error.code)] ?? `cannot be read: ${error.message}`;
}

function unreadable(problem: string): SettingSource {
  return { given: [], serverNames: [], problems: [problem], warnings: [] };
}

/** All of the file, or enough of it to see that it is too large: pipes and devices have no size. */
function readStart(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const buf = Buffer.allocUnsafe(FILE_SIZE_MAX + 1);
    let size = 0;
    while (size < buf.length) {
      const count = readSync(file, buf, size, buf.length - size, null);
      if (count === 0) break;
      size += count;
    }
    return buf.subarray(0, size);
  } finally {
    closeSync(file);
  }
}
