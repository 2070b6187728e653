/**
 * Sockets that were accepted and are no connections yet: the header of a trusted proxy is read, then TLS is spoken,
 * then a {@link Transport} is handed on. Where neither is configured a socket passes in the same call.
 *
 *     accepted -> PROXY header? -> TLS handshake? -> connection
 *
 * What a socket may cost until then is bounded: {@link PROXY_HEADER_SIZE_MAX} octets and one chunk, the handshake's
 * timeout, and no timer of its own.
 */
import type { Socket } from 'node:net';
import type { Logger } from '../telemetry/logger.ts';
import { MalformedProxyHeader, type ProxyHeader, scanProxyHeader } from './proxy-header.ts';
import type { ProxyTrust } from './proxy-trust.ts';
import type { TlsAcceptor } from './tls-acceptor.ts';
import { type CertificateIdentity, type Door, endsOf, type Transport } from './transport.ts';

/** What {@link Arrivals} work with. */
export interface ArrivalsOptions {
  /** Null where there is no door for AMQPS. */
  readonly tls: TlsAcceptor | null;
  /** Null where nobody is trusted. */
  readonly proxyTrust: ProxyTrust | null;
  /** Whether a trusted proxy is believed about the common name in a client's certificate. */
  readonly believesCommonName: boolean;
  /** From accept to the end of the handshake of AMQP, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  readonly connect: (transport: Transport) => void;
  readonly logger: Logger;
}

/** Sockets on their way in. */
export class Arrivals {
  private readonly options: ArrivalsOptions;
  private readonly logger: Logger;
  /** When each of them must have become a connection, on the monotonic clock. */
  private readonly deadlines: Map<Socket, number>;

  constructor(options: ArrivalsOptions) {
    this.options = options;
    this.logger = options.logger.child({ component: 'amqp' });
    this.deadlines = new Map();
  }

  /** How many are under way. */
  get count(): number {
    return this.deadlines.size;
  }

  /** Takes a socket that was accepted. */
  receive(socket: Socket, door: Door): void {
    const acceptedMs = performance.now();
    const isProxied = this.options.proxyTrust?.covers(socket, door) === true;
    if (!isProxied && door.protocol === 'amqp') {
      this.connect({ socket, early: null, identity: null }, door, null, acceptedMs);
      return;
    }
    this.deadlines.set(socket, acceptedMs + this.options.handshakeTimeoutMs);
    socket.once('close', () => this.deadlines.delete(socket));
    socket.on('error', ignoreError); // its close follows
    if (isProxied) this.readProxyHeader(socket, door, acceptedMs);
    else this.secure(socket, door, null, acceptedMs);
  }

  /** Drops those that took too long; called a few times a second. */
  tick(nowMs: number): void {
    for (const [socket, deadlineMs] of this.deadlines) {
      if (nowMs < deadlineMs) return; // the later ones came later
      this.logger.warn(
        { event: 'handshake.timeout', peer: socket.remoteAddress },
        'the client took too long to open',
      );
      this.deadlines.delete(socket);
      socket.destroy();
    }
  }

  /** Drops all of them. */
  destroyAll(): void {
    for (const socket of [...this.deadlines.keys()]) socket.destroy();
  }

  private readProxyHeader(socket: Socket, door: Door, acceptedMs: number): void {
    let bytes: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const header = this.scan(socket, bytes);
      if (header === 'incomplete') return;
      socket.off('data', onData);
      if (header === 'malformed') return;
      const rest = header === null ? bytes : bytes.subarray(header.size);
      if (door.protocol === 'amqps') {
        socket.pause();
        socket.unshift(rest); // TLS takes it from there
        this.secure(socket, door, header, acceptedMs);
      } else {
        const early = rest.length === 0 ? null : rest;
        this.connect(
          { socket, early, identity: this.identityIn(header) },
          door,
          header,
          acceptedMs,
        );
      }
    };
    socket.on('data', onData);
  }

  /** The header at the beginning of what a trusted peer sent; null when it sent none. */
  private scan(socket: Socket, bytes: Buffer): ProxyHeader | null | 'incomplete' | 'malformed' {
    try {
      const scan = scanProxyHeader(bytes);
      return scan === 'none' ? null : scan;
    } catch (error) {
      if (!(error instanceof MalformedProxyHeader)) throw error;
      this.logger.warn(
        { event: 'proxy-header.refuse', peer: socket.remoteAddress, reason: error.message },
        'a proxy sends a malformed header',
      );
      socket.destroy();
      return 'malformed';
    }
  }

  /** What a proxy that spoke TLS with the client says of its certificate. */
  private identityIn(header: ProxyHeader | null): CertificateIdentity | null {
    const commonName = header?.commonName ?? null;
    if (commonName === null || commonName === '' || !this.options.believesCommonName) return null;
    return { userName: commonName, refusal: null };
  }

  private secure(socket: Socket, door: Door, header: ProxyHeader | null, acceptedMs: number): void {
    const { tls } = this.options;
    if (tls === null) throw new Error('a door for AMQPS needs a certificate');
    tls.accept(socket, (secured, identity) => {
      this.deadlines.delete(socket);
      this.connect({ socket: secured, early: null, identity }, door, header, acceptedMs);
    });
  }

  private connect(
    client: Pick<Transport, 'socket' | 'early' | 'identity'>,
    door: Door,
    header: ProxyHeader | null,
    acceptedMs: number,
  ): void {
    this.deadlines.delete(client.socket);
    const ends = endsOf(client.socket, door, header);
    if (ends === null) client.socket.destroy();
    else this.options.connect({ ...client, ...ends, acceptedMs });
  }
}

function ignoreError(): void {}
