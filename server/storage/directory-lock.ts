/**
 * Keeps a second server out of a data directory, without files that outlive their meaning.
 *
 * A process number in a file proves nothing (in containers every server is process 1) and Node has no
 * flock. A listening Unix socket does: the kernel answers on it exactly as long as its process lives,
 * SIGKILL included. The sockets lie in a folder of their own:
 *
 *     DIR/.lock/7              the holder's, generation 7; the highest number is the one that counts
 *     DIR/.lock/new-9f2c41ab   of a server that is starting, gone as soon as it won or lost
 *
 * To take the lock: (1) listen under a `new-` name; (2) list the folder and knock at the highest number
 * N: an answer means that it is held; (3) hard-link the own, already listening socket to N + 1, which
 * fails when another one was faster: start over; (4) list again: a higher number than the own means that
 * (2) saw the folder in the middle of a change: take the link away and start over; (5) delete the lower
 * numbers and the `new-` name.
 *
 * Why only one wins: N + 1 can be linked once, and only by one who found N dead; a number answers from
 * the moment it exists. So nobody passes a living N. That needs the highest number never to go down,
 * hence the holder leaves its own behind, even at a clean stop. Deleting and listing at once is what (4)
 * is for; the folder holds little else, so that the kernel lists it in one piece.
 *
 * It does not work between machines that share a directory over a network.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../base/app-error.ts';
import { makeFolder } from './fs.ts';
import { StorageError } from './storage-error.ts';

/** Another server works on the directory. */
export class DirectoryInUseError extends AppError {
  readonly directory: string;
  /** The process number that the other one told, as its own container counts; null when it told none. */
  readonly holderPid: number | null;

  constructor(directory: string, holderPid: number | null) {
    const holder = holderPid === null ? 'which does not answer' : `process ${holderPid}`;
    super('DIRECTORY_IN_USE', `${directory} is in use by another server (${holder})`);
    this.directory = directory;
    this.holderPid = holderPid;
  }
}

/** The right to work on a directory. */
export interface DirectoryLock {
  readonly directory: string;
  /** Lets the next server in. The end of the process does the same. */
  release(): void;
}

/** Options of {@link acquireDirectoryLock}. */
export interface DirectoryLockOptions {
  /** How long a holder may take to tell its process number; it may be busy, or stopped. */
  readonly answerTimeoutMs?: number;
}

/** What fits into the address of a Unix socket (sun_path, less its closing zero), in bytes. */
const SOCKET_PATH_BYTES_MAX = 107;

/** Each new attempt means that another server made progress, so this many never happen. */
const ATTEMPTS_MAX = 1000;

/** A start takes far less. */
const FORGOTTEN_AFTER_MS = 60 * 60 * 1000;

/**
 * Takes the lock of a directory, creating the directory where it is missing.
 *
 * @throws DirectoryInUseError when another server holds it
 * @throws StorageError when the directory cannot be used
 */
export async function acquireDirectoryLock(
  directory: string,
  { answerTimeoutMs = 5000 }: DirectoryLockOptions = {},
): Promise<DirectoryLock> {
  const folder = join(directory, '.lock');
  try {
    makeFolder(folder);
    const newName = `new-${randomBytes(4).toString('hex')}`;
    const server = await listenAt(join(folder, newName));
    try {
      await takeNextNumber(directory, folder, newName, answerTimeoutMs);
    } catch (error) {
      server.close();
      throw error;
    } finally {
      fs.rmSync(join(folder, newName), { force: true });
    }
    return { directory, release: () => void server.close() };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw StorageError.from(folder, 'lock', error);
  }
}

/**
 * Looks whether a server works on a directory, without a trace in it. One that starts a moment later is not seen.
 *
 * @throws DirectoryInUseError when one does
 * @throws StorageError when that cannot be found out
 */
export async function refuseDirectoryInUse(
  directory: string,
  { answerTimeoutMs = 5000 }: DirectoryLockOptions = {},
): Promise<void> {
  const folder = join(directory, '.lock');
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const highest = fs.existsSync(folder) ? Math.max(0, ...listNumbers(folder)) : 0;
      if (highest === 0) return;
      const answer = await knock(join(folder, String(highest)), answerTimeoutMs);
      if (answer.kind === 'dead') return;
      if (answer.kind === 'held') throw new DirectoryInUseError(directory, answer.pid);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw StorageError.from(folder, 'look', error);
  }
  throw new DirectoryInUseError(directory, null);
}

async function takeNextNumber(
  directory: string,
  folder: string,
  newName: string,
  answerTimeoutMs: number,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const highest = Math.max(0, ...listNumbers(folder));
    if (highest > 0) {
      const answer = await knock(join(folder, String(highest)), answerTimeoutMs);
      if (answer.kind === 'held') throw new DirectoryInUseError(directory, answer.pid);
      if (answer.kind === 'changed') continue;
    }
    if (tryNumber(folder, newName, highest + 1)) return;
  }
  throw new DirectoryInUseError(directory, null);
}

/** Steps 3 to 5; false means that another server was faster. */
function tryNumber(folder: string, newName: string, number: number): boolean {
  const path = join(folder, String(number));
  try {
    fs.linkSync(join(folder, newName), path);
  } catch (error) {
    // ENOENT: the own `new-` name was taken for a forgotten one, after a very long wait.
    if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
  const others = listNumbers(folder).filter((other) => other !== number);
  if (others.some((other) => other > number)) {
    fs.rmSync(path, { force: true });
    return false;
  }
  for (const lower of others) fs.rmSync(join(folder, String(lower)), { force: true });
  deleteForgotten(folder);
  return true;
}

/** `new-` names of servers that were killed while they were starting. */
function deleteForgotten(folder: string): void {
  for (const name of fs.readdirSync(folder).filter((found) => found.startsWith('new-'))) {
    const path = join(folder, name);
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > FORGOTTEN_AFTER_MS) {
      fs.rmSync(path, { force: true });
    }
  }
}

function listNumbers(folder: string): readonly number[] {
  return fs
    .readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** What a knock at a number found: a live holder, a dead one, or that it is no longer as it was. */
type Answer =
  | { readonly kind: 'held'; readonly pid: number | null }
  | { readonly kind: 'dead' }
  | { readonly kind: 'changed' };

async function knock(path: string, timeoutMs: number): Promise<Answer> {
  const short = shortenPath(path);
  try {
    return await connect(short.path, timeoutMs);
  } finally {
    short.dispose();
  }
}

function connect(path: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = createConnection(path);
    const timer = setTimeout(() => settle({ kind: 'held', pid: null }), timeoutMs);
    const settle = (answer: Answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.endsWith('\n')) settle({ kind: 'held', pid: Number.parseInt(text, 10) });
    });
    // Closed without a word: it was about to die, which takes the kernel a moment after a SIGKILL.
    socket.on('end', () => settle({ kind: 'changed' }));
    socket.on('error', (error) => {
      const errno = errnoOf(error);
      if (errno === 'ECONNREFUSED') settle({ kind: 'dead' });
      else if (errno === 'ENOENT' || errno === 'ECONNRESET') settle({ kind: 'changed' });
      // A full queue of others who knock, or a socket of another user: somebody may live there.
      else if (errno === 'EAGAIN' || errno === 'EACCES') settle({ kind: 'held', pid: null });
      else {
        clearTimeout(timer);
        reject(error);
      }
    });
  });
}

function listenAt(path: string): Promise<Server> {
  const server = createServer((socket) => {
    // Whoever knocked may be gone before it reads the answer; that is no business of the holder.
    socket.on('error', () => socket.destroy());
    socket.end(`${process.pid}\n`);
  });
  server.unref();
  const short = shortenPath(path);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      short.dispose();
      reject(error);
    });
    server.listen(short.path, () => {
      short.dispose();
      resolve(server);
    });
  });
}

/**
 * A path to the same place that fits into a socket address: where it is too long, through a symbolic
 * link to its folder in the system's temporary directory, needed only until the socket is bound.
 */
function shortenPath(path: string): { readonly path: string; dispose(): void } {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return { path, dispose: () => undefined };
  const place = fs.mkdtempSync(join(tmpdir(), 'firnmq-'));
  const link = join(place, 'd');
  const cut = path.lastIndexOf('/');
  fs.symlinkSync(fs.realpathSync(path.slice(0, cut)), link);
  return {
    path: link + path.slice(cut),
    dispose: () => fs.rmSync(place, { recursive: true, force: true }),
  };
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
