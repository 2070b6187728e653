/**
 * The users beside guest that permission scenarios need. A target that main.ts starts itself gets them
 * before it boots; against a broker by URL those scenarios are skipped.
 */
import { createHash, randomBytes } from 'node:crypto';

/** A user with its permissions in vhost `/`; none: the user may not open the vhost. */
export interface ConformanceUser {
  readonly name: string;
  readonly password: string;
  readonly permissions: Permissions | null;
  /** None where they are left out. */
  readonly tags?: readonly string[];
}

interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/**
 * May do with a resource what the letters in its name say: `perm.c-x` may be configured, `perm.wr-x`
 * written and read. It may do nothing with any other name.
 */
export const LIMITED: ConformanceUser = {
  name: 'conformance-limited',
  password: 'limited',
  permissions: {
    configure: '^perm\\.[wr]*c',
    write: '^perm\\.[cr]*w',
    read: '^perm\\.[cw]*r',
  },
};

/** Empty expressions match nothing, not even where an unanchored empty one would match everything. */
export const POWERLESS: ConformanceUser = {
  name: 'conformance-powerless',
  password: 'powerless',
  permissions: { configure: '', write: '', read: '' },
};

/** Known, but without permissions in any vhost. */
export const OUTSIDER: ConformanceUser = {
  name: 'conformance-outsider',
  password: 'outsider',
  permissions: null,
};

/** May publish in the name of others. */
export const IMPERSONATOR: ConformanceUser = {
  name: 'conformance-impersonator',
  password: 'impersonator',
  permissions: { configure: '.*', write: '.*', read: '.*' },
  tags: ['impersonator'],
};

/** Everybody's first user, who may do everything. */
const GUEST: ConformanceUser = {
  name: 'guest',
  password: 'guest',
  permissions: { configure: '.*', write: '.*', read: '.*' },
};

/** What a broker that the suite starts is given. */
export const USERS: readonly ConformanceUser[] = [
  GUEST,
  LIMITED,
  POWERLESS,
  OUTSIDER,
  IMPERSONATOR,
];

/** RabbitMQ's salted SHA-256: base64(salt, 4 octets ++ sha256(salt ++ password in UTF-8)). */
export function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}
