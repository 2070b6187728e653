/** The socket under a connection of the generator: TCP, read into one buffer, or TLS. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { AmqpUri } from './amqp-uri.ts';

/** Beyond what an address says. */
export interface SocketOptions {
  /** What is read is put here, again and again; many sockets may share one. */
  readonly readBuffer: Buffer;
  /** The address to connect from; null: the system's choice. */
  readonly localAddress: string | null;
}

/**
 * Connects. `onRead` gets what was read, valid until it returns, and says whether reading goes on;
 * `socket.resume()` takes it up again.
 */
export function openSocket(
  uri: AmqpUri,
  { readBuffer, localAddress }: SocketOptions,
  onRead: (bytes: Buffer, size: number) => boolean,
): Socket {
  const { host, port, tls } = uri;
  const address = { host, port, noDelay: true, ...(localAddress === null ? {} : { localAddress }) };
  if (tls === undefined) {
    // `onread` reads into our buffer; the stream's own way allocates 64 KiB for every read.
    return connect({
      ...address,
      onread: { buffer: readBuffer, callback: (size) => onRead(readBuffer, size) },
    });
  }
  const { ca, certificate, key, verifiesPeer } = tls;
  const socket = connectTls({
    ...address,
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    rejectUnauthorized: verifiesPeer,
    ...(ca === null ? {} : { ca }),
    ...(certificate === null ? {} : { cert: certificate }),
    ...(key === null ? {} : { key }),
  });
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    if (!onRead(chunk, chunk.length)) socket.pause();
  });
  return socket;
}
