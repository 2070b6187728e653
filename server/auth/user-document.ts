/**
 * `users.json`, between its text form and {@link User}s.
 *
 *     [
 *       {
 *         "name": "guest",
 *         "password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
 *         "hashing_algorithm": "rabbit_password_hashing_sha256",
 *         "tags": ["administrator"],
 *         "permissions": { "/": { "configure": ".*", "write": ".*", "read": ".*" } }
 *       }
 *     ]
 *
 * The keys are those of a user in RabbitMQ's definitions, with the permissions put under the user they
 * belong to, by vhost. So an operator finds everything about a user in one place, and can paste one from
 * exported definitions: tags may be a text with commas, the algorithm may be missing, keys that are not
 * known here are skipped. An empty or missing hash is a user who cannot log in with a password.
 */
import { ConfigError } from '../config/config-error.ts';
import { isPasswordHash, passwordHashingAlgorithm } from './password-hash.ts';
import { type PermissionPatterns, Permissions } from './permissions.ts';
import type { User } from './user.ts';

/** The document's name in the data directory. */
export const USERS_FILE: string = 'users.json';

/** Users in the form of the file. */
export function encodeUsers(users: Iterable<User>): unknown {
  return Array.from(users, (user) => ({
    name: user.name,
    password_hash: user.passwordHash,
    hashing_algorithm: passwordHashingAlgorithm,
    tags: user.tags,
    permissions: Object.fromEntries(
      Array.from(user.permissions, ([vhost, permissions]) => [vhost, permissions.patterns]),
    ),
  }));
}

/**
 * Reads the content of the file.
 *
 * @param path for messages
 * @throws ConfigError naming the file, the user and what is wrong with it
 */
export function decodeUsers(path: string, content: unknown): readonly User[] {
  if (!Array.isArray(content)) throw new ConfigError(path, 'the file', 'must be a list of users');
  const entries: readonly unknown[] = content;
  const users = entries.map((entry, index) => decodeUser(path, entry, index));
  const names = new Set<string>();
  for (const { name } of users) {
    if (names.has(name)) throw new ConfigError(path, `user '${name}'`, 'is there twice');
    names.add(name);
  }
  return users;
}

function decodeUser(path: string, entry: unknown, index: number): User {
  const place = `user number ${index + 1}`;
  if (!isRecord(entry)) throw new ConfigError(path, place, 'must be an object');
  const name = entry['name'];
  if (typeof name !== 'string' || name === '') throw new ConfigError(path, place, 'has no name');
  const key = `user '${name}'`;
  return {
    name,
    passwordHash: decodePasswordHash(path, key, entry),
    tags: decodeTags(path, key, entry['tags'] ?? []),
    permissions: decodePermissions(path, key, entry['permissions'] ?? {}),
  };
}

function decodePasswordHash(path: string, key: string, entry: Record<string, unknown>): string {
  const algorithm = entry['hashing_algorithm'] ?? passwordHashingAlgorithm;
  const hash = entry['password_hash'] ?? '';
  if (hash === '') return '';
  if (algorithm !== passwordHashingAlgorithm) {
    throw new ConfigError(path, key, `must have the hashing_algorithm ${passwordHashingAlgorithm}`);
  }
  if (typeof hash !== 'string' || !isPasswordHash(hash)) {
    throw new ConfigError(
      path,
      key,
      'must have a password_hash of 36 bytes in base64, or an empty one',
    );
  }
  return hash;
}

function decodeTags(path: string, key: string, tags: unknown): readonly string[] {
  if (typeof tags === 'string')
    return tags
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean);
  if (isTextList(tags)) return tags;
  throw new ConfigError(path, key, 'must have tags that are a list of texts');
}

function decodePermissions(
  path: string,
  key: string,
  content: unknown,
): ReadonlyMap<string, Permissions> {
  if (!isRecord(content)) {
    throw new ConfigError(
      path,
      key,
      'must have permissions that are an object with a key per vhost',
    );
  }
  const permissions = new Map<string, Permissions>();
  for (const [vhost, entry] of Object.entries(content)) {
    const place = `${key}, vhost '${vhost}',`;
    const patterns = {
      configure: decodePattern(path, place, entry, 'configure'),
      write: decodePattern(path, place, entry, 'write'),
      read: decodePattern(path, place, entry, 'read'),
    };
    permissions.set(vhost, new Permissions(patterns));
  }
  return permissions;
}

function decodePattern(
  path: string,
  place: string,
  entry: unknown,
  action: keyof PermissionPatterns,
): string {
  const pattern = isRecord(entry) ? entry[action] : undefined;
  if (typeof pattern !== 'string')
    throw new ConfigError(path, place, `must have a pattern '${action}'`);
  try {
    new RegExp(pattern);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(path, place, `has a '${action}' that cannot be used: ${reason}`, {
      cause,
    });
  }
  return pattern;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
