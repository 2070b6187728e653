/** One user; never changed, only replaced in the store by another of the same name. */
import type { Permissions } from './permissions.ts';

/** A user as the broker sees it. */
export interface User {
  readonly name: string;
  /** As {@link file://./password-hash.ts} makes it; '' is a user who cannot log in with a password. */
  readonly passwordHash: string;
  /** What the user may do in the management API: `administrator`, `monitoring`, ... */
  readonly tags: readonly string[];
  /** By vhost name; a vhost that is missing here is closed to the user. */
  readonly permissions: ReadonlyMap<string, Permissions>;
}
