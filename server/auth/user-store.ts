/**
 * The users of a server, kept in `users.json` (form: user-document.ts).
 *
 * All are in memory; a change is on the disk before anybody sees it. `version` goes up with every
 * change, so that whoever keeps a decision asks again only when it moved. A file that cannot be read
 * is reported and left as it is: to start without it would open or lock the server by surprise.
 */
import { join } from 'node:path';
import type { FileSystem } from '../storage/fs.ts';
import { readJsonDocument, writeJsonDocument } from '../storage/json-document.ts';
import { isDiskFull } from '../storage/log-health.ts';
import { StorageError } from '../storage/storage-error.ts';
import { hashPassword, verifyPassword } from './password-hash.ts';
import { Permissions } from './permissions.ts';
import type { User } from './user.ts';
import { decodeUsers, encodeUsers, USERS_FILE } from './user-document.ts';

/** Why a login was refused. For the log alone: a client is never told which it was. */
export type LoginRefusal =
  | 'unknown user'
  | 'wrong password'
  | 'blank password'
  | 'user without password'
  | 'user may only connect from this machine';

/** What {@link UserStore.authenticate} decides. */
export type Login =
  | { readonly user: User; readonly refusal: null }
  | { readonly user: null; readonly refusal: LoginRefusal };

/** Options of {@link UserStore.load}; the user that the first start makes is guest/guest where none is named. */
export interface UserStoreOptions {
  /** Whether `guest` may connect from this machine only. */
  readonly guestOnlyLoopback: boolean;
  readonly defaultUser?: string;
  /** In clear; null where there is none, or the hash is given. */
  readonly defaultPassword?: string | null;
  readonly defaultPasswordHash?: string | null;
}

const GUEST = 'guest';

function createFirstUser({
  defaultUser = GUEST,
  defaultPassword,
  defaultPasswordHash,
}: UserStoreOptions): User {
  return {
    name: defaultUser,
    passwordHash: defaultPasswordHash ?? hashPassword(defaultPassword ?? GUEST),
    tags: ['administrator'],
    permissions: new Map([['/', new Permissions({ configure: '.*', write: '.*', read: '.*' })]]),
  };
}

/** Users by name. */
export class UserStore {
  /** The disk has no room for the file: told to those who can wait until it has (launcher.ts). */
  spaceRefused: () => void = () => {};
  private readonly fs: FileSystem;
  private readonly path: string;
  private readonly guestOnlyLoopback: boolean;
  /** Takes the place of the hash of a user who has none, so that a refusal takes as long. */
  private readonly nobodysHash: string = hashPassword('');
  private users: ReadonlyMap<string, User>;
  private changes: number = 0;
  /** The last write that was asked for; the next one waits for it. */
  private lastWrite: Promise<void> = Promise.resolve();

  private constructor(
    fs: FileSystem,
    path: string,
    users: readonly User[],
    { guestOnlyLoopback }: UserStoreOptions,
  ) {
    this.fs = fs;
    this.path = path;
    this.users = byName(users);
    this.guestOnlyLoopback = guestOnlyLoopback;
  }

  /**
   * Reads `users.json` in `dataDir`; where there is none, makes it, with the first user.
   *
   * @throws ConfigError or StorageError when the file cannot be used
   */
  static async load(
    fs: FileSystem,
    dataDir: string,
    options: UserStoreOptions,
  ): Promise<UserStore> {
    const path = join(dataDir, USERS_FILE);
    const content = readJsonDocument(fs, path);
    if (content !== null) return new UserStore(fs, path, decodeUsers(path, content), options);
    const store = new UserStore(fs, path, [], options);
    await store.put(createFirstUser(options));
    return store;
  }

  /** Goes up with every change. */
  get version(): number {
    return this.changes;
  }

  find(name: string): User | null {
    return this.users.get(name) ?? null;
  }

  /** What a user may do in a vhost; null when it is closed to the user, or the user is gone. */
  permissions(name: string, vhost: string): Permissions | null {
    return this.users.get(name)?.permissions.get(vhost) ?? null;
  }

  /** Checks a name and a password, as a client on this machine or on another one gave them. */
  authenticate(name: string, password: string, peerIsLoopback: boolean): Login {
    const user = this.find(name);
    const isRight = verifyPassword(password, user?.passwordHash || this.nobodysHash);
    if (user === null) return refuse('unknown user');
    if (password === '') return refuse('blank password');
    if (user.passwordHash === '') return refuse('user without password');
    if (!isRight) return refuse('wrong password');
    return this.admitUser(user, peerIsLoopback);
  }

  /** Lets a user in whose name was proven without a password, as by a certificate. */
  admit(name: string, peerIsLoopback: boolean): Login {
    const user = this.find(name);
    return user === null ? refuse('unknown user') : this.admitUser(user, peerIsLoopback);
  }

  private admitUser(user: User, peerIsLoopback: boolean): Login {
    if (user.name === GUEST && this.guestOnlyLoopback && !peerIsLoopback) {
      return refuse('user may only connect from this machine');
    }
    return { user, refusal: null };
  }

  /** Adds a user, or replaces the one of the same name; stable when the promise resolves. */
  put(user: User): Promise<void> {
    const write = this.lastWrite.then(() => this.replace(user));
    // Whoever asked for the write hears of its failure; the one behind it does not depend on it.
    this.lastWrite = write.catch(() => undefined);
    return write;
  }

  private async replace(user: User): Promise<void> {
    const users = byName([...this.users.values(), user]);
    try {
      await writeJsonDocument(this.fs, this.path, encodeUsers(users.values()));
    } catch (error) {
      if (error instanceof StorageError && isDiskFull(error)) this.spaceRefused();
      throw error;
    }
    this.users = users;
    this.changes++;
  }
}

function refuse(refusal: LoginRefusal): Login {
  return { user: null, refusal };
}

/** A later user takes the place of an earlier one of the same name. */
function byName(users: readonly User[]): ReadonlyMap<string, User> {
  return new Map(users.map((user) => [user.name, user]));
}
