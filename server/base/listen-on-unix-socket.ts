/**
 * Listens on a Unix socket, a path that other processes of this machine connect to.
 *
 * A socket that a killed server left behind is taken away, one that somebody answers on is not, and neither is a file
 * that is no socket. From its first moment the socket has no more permissions than asked for: it is bound for its
 * owner alone and opened to others afterwards. It is deleted when the server closes.
 */
import { chmodSync, lstatSync, rmSync, statSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';
import { ListenError, type ListenerProtocol, type Listening } from './listen-on-addresses.ts';

/** What fits into the address of a Unix socket (sun_path, less its closing zero), in octets. */
const PATH_SIZE_MAX = 107;
/** The process's mask while it binds: nobody but the owner. */
const OWNER_ONLY_MASK = 0o177;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user is not allowed to make a socket there',
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'its directory does not exist',
  EEXIST: 'there is a file that is no socket',
  ENAMETOOLONG: `the path has more than ${PATH_SIZE_MAX} octets`,
};

/**
 * Opens the socket.
 *
 * @param path absolute
 * @param mode permissions of the socket file; whoever may write to it may connect
 * @throws ListenError when the path cannot be used, or somebody listens there
 */
export async function listenOnUnixSocket<S extends Server>(
  protocol: ListenerProtocol,
  path: string,
  mode: number,
  createServer: () => S,
): Promise<Listening<S>> {
  const wanted = { protocol, address: path, port: 0 };
  try {
    if (Buffer.byteLength(path) > PATH_SIZE_MAX) throw systemError('ENAMETOOLONG');
    await removeStaleSocket(path);
    const server = createServer();
    await bind(server, path, mode);
    return { ...wanted, server };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const errno = 'code' in error ? String(error.code) : 'UNKNOWN';
    throw new ListenError(wanted, errno, error, REASONS[errno]);
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  statSync(dirname(path)); // binding would call its absence a lack of permission
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw systemError('EEXIST');
  if (await isAnswered(path)) throw systemError('EADDRINUSE');
  rmSync(path, { force: true });
}

/** Whether somebody listens on a socket; one that cannot be asked counts as answered. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function bind(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      try {
        chmodSync(path, mode);
        resolve();
      } catch (error) {
        server.close();
        reject(error);
      }
    });
    // The socket is bound within the call.
    const mask = process.umask(OWNER_ONLY_MASK);
    try {
      server.listen({ path });
    } finally {
      process.umask(mask);
    }
  });
}

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}
