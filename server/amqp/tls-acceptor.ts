/**
 * Speaks TLS with clients: takes accepted sockets and gives back secured ones with what their certificates say.
 *
 * The sockets are accepted elsewhere and put into a `tls.Server` that never listens; a reload puts another one in its
 * place, so that connections that are open, or half-way, go on with what they began with. `node:tls` is loaded with
 * the first acceptor.
 */
import type { Socket } from 'node:net';
import type { SecureContext, Server, TLSSocket } from 'node:tls';
import { certificateUserName } from '../auth/certificate-name.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import {
  readTlsFiles,
  type TlsFiles,
  type TlsKeyPair,
  type TlsSettings,
} from '../config/tls-files.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CertificateIdentity } from './transport.ts';

/** The settings of TLS. */
export type TlsAcceptorSettings = TlsSettings &
  Pick<Config, 'tlsVerifyPeer' | 'tlsMinVersion' | 'tlsCiphers' | 'tlsCertificateLogin'>;

/** Takes over a socket whose handshake is done. */
export type Secured = (socket: TLSSocket, identity: CertificateIdentity) => void;

type TlsModule = typeof import('node:tls');

/** What became of a handshake that failed, for the log: some causes have a plain explanation. */
const HINTS: readonly (readonly [code: RegExp, hint: string])[] = [
  [
    /WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE/,
    'the client does not speak TLS: for AMQP without TLS there is another port',
  ],
  [
    /UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW/,
    'the client speaks only versions of TLS that are not allowed',
  ],
  [/NO_SHARED_CIPHER/, 'client and server have no cipher in common'],
  [
    /ALERT_UNKNOWN_CA|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE|UNKNOWN_CA/,
    "the client does not accept the server's certificate",
  ],
];

/** The TLS side of a listener. */
export class TlsAcceptor {
  private readonly tls: TlsModule;
  private readonly settings: TlsAcceptorSettings;
  private readonly logger: Logger;
  /** By both ends of the socket, which TLS leaves as they are. */
  private readonly waiting: Map<string, Secured>;
  private server: Server;

  private constructor(tls: TlsModule, settings: TlsAcceptorSettings, logger: Logger) {
    this.tls = tls;
    this.settings = settings;
    this.logger = logger.child({ component: 'amqp' });
    this.waiting = new Map();
    this.server = this.createServer();
  }

  /**
   * Loads TLS and the files that the settings name.
   *
   * @throws ConfigError when a file or a setting cannot be used
   */
  static async load(settings: TlsAcceptorSettings, logger: Logger): Promise<TlsAcceptor> {
    return new TlsAcceptor(await import('node:tls'), settings, logger);
  }

  /** Reads the files again, for handshakes from now on; what cannot be used leaves all as it is, and is logged. */
  reload(): void {
    try {
      this.server = this.createServer();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.logger.error(
        { event: 'tls.reload-fail', reason: error.message },
        'the new certificates cannot be used, the old ones stay',
      );
    }
  }

  /** Begins a handshake. One that fails is logged, and its socket closed. */
  accept(socket: Socket, secured: Secured): void {
    const ends = endsKey(socket);
    if (ends === null) {
      socket.destroy();
      return;
    }
    this.waiting.set(ends, secured);
    socket.once('close', () => this.waiting.delete(ends));
    this.server.emit('connection', socket);
  }

  /** @throws ConfigError when a file or a setting cannot be used */
  private createServer(): Server {
    const { tlsVerifyPeer, tlsMinVersion: minVersion, tlsCiphers } = this.settings;
    const files = readTlsFiles(this.settings);
    const common = {
      minVersion,
      ...(tlsCiphers !== null && { ciphers: tlsCiphers }),
      ...(files.ca !== null && { ca: files.ca }),
    };
    const contextOf = ({ certPath, cert, key, passphrase }: TlsKeyPair): SecureContext => {
      try {
        return this.tls.createSecureContext({
          ...common,
          cert,
          key,
          ...(passphrase !== undefined && { passphrase }),
        });
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new ConfigError(certPath, 'tls_cert, tls_ciphers', `cannot be used: ${reason}`, {
          cause,
        });
      }
    };
    contextOf(files.keyPair);
    const { cert, key, passphrase } = files.keyPair;
    const named = new Map(files.serverNames.map(({ host, keyPair }) => [host, contextOf(keyPair)]));
    const server = this.tls.createServer({
      ...common,
      cert,
      key,
      ...(passphrase !== undefined && { passphrase }),
      requestCert: tlsVerifyPeer !== 'off',
      // Looked at when the handshake is done, so that a refusal can be explained.
      rejectUnauthorized: false,
      SNICallback: (host, done) => done(null, contextFor(named, host)),
    });
    server.on('secureConnection', (socket) => this.secured(socket));
    server.on('tlsClientError', (error, socket) => this.failed(error, socket));
    this.logLoaded(files);
    return server;
  }

  private secured(socket: TLSSocket): void {
    const ends = endsKey(socket);
    const secured = ends === null ? undefined : this.waiting.get(ends);
    if (ends === null || secured === undefined) {
      socket.destroy();
      return;
    }
    this.waiting.delete(ends);
    const identity = this.identify(socket);
    if (identity === null) socket.destroy();
    else secured(socket, identity);
  }

  /** Whom a client's certificate stands for; null when it may not connect. */
  private identify(socket: TLSSocket): CertificateIdentity | null {
    const { tlsVerifyPeer, tlsCertificateLogin } = this.settings;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) {
      if (tlsVerifyPeer === 'require') {
        this.refuse(socket, 'the client shows no certificate');
        return null;
      }
      return { userName: null, refusal: 'the client shows no certificate' };
    }
    if (!socket.authorized) {
      this.refuse(
        socket,
        `the client's certificate is not accepted: ${String(socket.authorizationError)}`,
      );
      return null;
    }
    const userName = certificateUserName(certificate.subject, tlsCertificateLogin);
    if (userName !== null) return { userName, refusal: null };
    return { userName, refusal: `the client's certificate has no ${tlsCertificateLogin}` };
  }

  private refuse(socket: TLSSocket, reason: string): void {
    this.logger.warn(
      { event: 'tls.refuse', peer: peerOf(socket), reason },
      'the TLS handshake fails',
    );
  }

  private failed(error: Error, socket: TLSSocket): void {
    const code = 'code' in error ? String(error.code) : '';
    const fields = { event: 'tls.refuse', peer: peerOf(socket), reason: error.message };
    if (code === 'ECONNRESET') {
      // A client that thought better of it, or a check whether the port answers.
      this.logger.debug(fields, 'the client leaves before TLS is spoken');
      return;
    }
    const hint = HINTS.find(([pattern]) => pattern.test(code))?.[1];
    this.logger.warn(
      { ...fields, code, ...(hint !== undefined && { hint }) },
      'the TLS handshake fails',
    );
  }

  private logLoaded({ keyPair, serverNames }: TlsFiles): void {
    for (const { certPath: path, certificate } of [keyPair, ...serverNames.map((s) => s.keyPair)]) {
      const { subject, validFrom, validTo, fingerprint256: fingerprint } = certificate;
      const fields = { path, subject, validFrom, validTo, fingerprint };
      this.logger.info({ event: 'tls.load', ...fields }, 'a certificate is in use');
      const now = Date.now();
      if (now < Date.parse(validFrom) || now > Date.parse(validTo)) {
        this.logger.warn({ event: 'tls.expired', ...fields }, 'a certificate is not valid today');
      }
    }
  }
}

/** The context for a host: its own, one for its domain, or undefined for the default. */
function contextFor(
  contexts: ReadonlyMap<string, SecureContext>,
  host: string,
): SecureContext | undefined {
  const name = host.toLowerCase();
  return contexts.get(name) ?? contexts.get(`*${name.slice(name.indexOf('.'))}`);
}

function endsKey({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | null {
  if (remoteAddress === undefined) return null;
  return `${remoteAddress}:${remotePort}-${localAddress}:${localPort}`;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
