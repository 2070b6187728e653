/**
 * What a connection stands on: its socket, who is at the other end of it, and how it may be called. Made once per
 * connection, when the PROXY header and the TLS handshake, where there are any, are over.
 */
import type { Socket } from 'node:net';
import { isLoopbackAddress } from '../base/address-list.ts';
import type { Endpoint, ProxyHeader } from './proxy-header.ts';

/** Whether TLS stands between the peer and `socket`. */
export function isEncrypted(socket: Socket): boolean {
  return 'encrypted' in socket && socket.encrypted === true;
}

/** Whom a client's certificate stands for; `userName` is null when nobody, and `refusal` then says why. */
export type CertificateIdentity =
  | { readonly userName: string; readonly refusal: null }
  | { readonly userName: null; readonly refusal: string };

/** Where sockets come in. */
export interface Door {
  readonly protocol: 'amqp' | 'amqps';
  /** The path of a Unix socket; null for an address and port. */
  readonly unixPath: string | null;
  /** Clients of the Unix socket so far: having no addresses, they are told apart by their number. */
  clientCount: number;
}

/** A connection's socket and its two ends. */
export interface Transport {
  /** Bytes of AMQP in the clear: the socket itself, or TLS over it. */
  readonly socket: Socket;
  /** What was read from the socket already, behind a PROXY header; null when nothing was. */
  readonly early: Buffer | null;
  /** `client -> server`, each an address and port: the name of the connection. */
  readonly description: string;
  /** Whether the client is on this machine, as far as that is certain. */
  readonly isLoopback: boolean;
  /** When the socket was accepted, on the monotonic clock. */
  readonly acceptedMs: number;
  /** Null where no certificate can be: the mechanism EXTERNAL does not exist there. */
  readonly identity: CertificateIdentity | null;
}

/** The two ends of a connection. */
export type Ends = Pick<Transport, 'description' | 'isLoopback'>;

/** The ends of an accepted socket; null when it is gone already. */
export function endsOf(socket: Socket, door: Door, header: ProxyHeader | null): Ends | null {
  if (header?.source != null && header.destination !== null) {
    const { source, destination } = header;
    return {
      description: `${format(source)} -> ${format(destination)}`,
      isLoopback: isLoopbackAddress(source.address),
    };
  }
  // A proxy that does not tell for whom it connects must not make a stranger look like a client of this machine.
  const isOwnEnd = header === null || header.isLocal;
  if (door.unixPath !== null) {
    door.clientCount++;
    return { description: `unix:${door.clientCount} -> ${door.unixPath}`, isLoopback: isOwnEnd };
  }
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || localAddress === undefined) return null;
  const peer = { address: remoteAddress, port: remotePort ?? 0 };
  return {
    description: `${format(peer)} -> ${format({ address: localAddress, port: localPort ?? 0 })}`,
    isLoopback: isOwnEnd && isLoopbackAddress(remoteAddress),
  };
}

function format({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}
