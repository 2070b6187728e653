/**
 * Turns the configured addresses and a port into listening sockets, the same way for every protocol.
 *
 * An address that this machine does not have (`::1` where IPv6 is off) is left out as long as another
 * one listens; everything else that goes wrong ends the attempt, and what was opened is closed again.
 */
import type { Server } from 'node:net';
import { AppError } from './app-error.ts';

/** The protocols that listeners speak. */
export type ListenerProtocol = 'amqp' | 'amqps' | 'http';

/** Where a listener accepts connections. */
export interface ListenerAddress {
  readonly protocol: ListenerProtocol;
  /** An IP address or host name, or the absolute path of a Unix socket. */
  readonly address: string;
  /** 0 for a Unix socket. */
  readonly port: number;
}

/** Whether an address is the path of a Unix socket. */
export function isUnixPath(address: string): boolean {
  return address.startsWith('/');
}

/** A server and where it listens. */
export interface Listening<S extends Server> extends ListenerAddress {
  readonly server: S;
}

/** What {@link listenOnAddresses} opened, and what it left out. */
export interface ListenResult<S extends Server> {
  readonly listening: readonly Listening<S>[];
  readonly skipped: readonly ListenError[];
}

/**
 * Connections that may wait to be accepted: as many as Linux lets a program ask for by default (net.core.somaxconn).
 * When all clients come back at once, those for which there is no room try again only after a second, then two, then four.
 */
const BACKLOG = 4096;

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another program',
  EACCES: 'this user is not allowed to use the port',
  EADDRNOTAVAIL: 'this machine does not have the address',
  EAFNOSUPPORT: 'this machine does not support addresses of this kind',
  ENOTFOUND: 'the name has no address',
  EINVAL: 'the address is not usable here',
};

/** An address and port, or a Unix socket, on which a protocol cannot listen. */
export class ListenError extends AppError {
  readonly protocol: ListenerProtocol;
  readonly address: string;
  readonly port: number;

  /** @param reason what is wrong, where the error number alone does not say it */
  constructor(
    { protocol, address, port }: ListenerAddress,
    errno: string,
    cause: Error,
    reason: string = reasons[errno] ?? cause.message,
  ) {
    const place = isUnixPath(address) ? address : `${address} port ${port}`;
    super(`LISTEN_${errno}`, `cannot listen for ${protocol} on ${place}: ${reason}`, {
      cause,
    });
    this.protocol = protocol;
    this.address = address;
    this.port = port;
  }

  /** Whether only this machine lacks the address, so that others may still work. */
  get isAddressMissing(): boolean {
    return this.code === 'LISTEN_EADDRNOTAVAIL' || this.code === 'LISTEN_EAFNOSUPPORT';
  }
}

/**
 * Opens one server per address.
 *
 * @param port 0 takes a free port, another one for each address
 * @throws ListenError when an address fails for another reason than being missing, or when all are missing
 */
export async function listenOnAddresses<S extends Server>(
  protocol: ListenerProtocol,
  addresses: readonly string[],
  port: number,
  createServer: () => S,
): Promise<ListenResult<S>> {
  const listening: Listening<S>[] = [];
  const skipped: ListenError[] = [];
  try {
    for (const address of addresses) {
      const wanted = { protocol, address, port };
      const server = createServer();
      const error = await listen(server, wanted);
      if (error === null) listening.push({ ...wanted, port: boundPort(server, port), server });
      else if (error.isAddressMissing) skipped.push(error);
      else throw error;
    }
    if (listening.length === 0 && skipped[0] !== undefined) throw skipped[0];
  } catch (error) {
    for (const { server } of listening) server.close();
    throw error;
  }
  return { listening, skipped };
}

function listen(server: Server, wanted: ListenerAddress): Promise<ListenError | null> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException) =>
      resolve(new ListenError(wanted, error.code ?? 'UNKNOWN', error));
    server.once('error', onError);
    server.listen({ host: wanted.address, port: wanted.port, backlog: BACKLOG }, () => {
      server.off('error', onError);
      resolve(null);
    });
  });
}

function boundPort(server: Server, otherwise: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : otherwise;
}
