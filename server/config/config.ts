/**
 * What the server runs with: one frozen, typed object, made once at start and handed down from the
 * launcher. Nobody else reads the command line, the file or the environment.
 *
 * Limits carry their unit in the name. How a user sets a field is in settings.ts, which has an entry for each.
 */

/** The log levels, most talkative first. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** A log level. */
export type LogLevel = (typeof logLevels)[number];

/** A version of TLS, as Node.js names it. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** What clients are asked for when they connect with TLS. */
export const peerVerifications = ['off', 'request', 'require'] as const;

/** `off`: no certificate; `request`: one that is right, or none; `require`: one that is right. */
export type PeerVerification = (typeof peerVerifications)[number];

/** Which part of a client's certificate is its user name, in RabbitMQ's words. */
export const certificateLogins = ['distinguished_name', 'common_name'] as const;

/** One of {@link certificateLogins}. */
export type CertificateLogin = (typeof certificateLogins)[number];

/** A certificate for clients that ask for a certain host, as a section `[sni:HOST]` names it. */
export interface TlsServerName {
  /** A host name, or `*.` and a domain. */
  readonly host: string;
  /** PEM, the chain included. */
  readonly certPath: string;
  /** PEM; null when the key is in the file of the certificate. */
  readonly keyPath: string | null;
}

/** Everything that can be set. */
export interface Config {
  /** Where everything that must survive a restart is kept; absolute. */
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  /** The file that lines are added to; null: standard output. */
  readonly logFilePath: string | null;
  /** The user that the first start makes. */
  readonly defaultUser: string;
  /** In clear; null where there is none, or {@link Config.defaultPasswordHash} has it. */
  readonly defaultPassword: string | null;
  /** As `users.json` has it. */
  readonly defaultPasswordHash: string | null;
  /** Whether the user `guest` may connect from this machine only. */
  readonly guestOnlyLoopback: boolean;
  /** Addresses that every listener binds that has none of its own, in this order. */
  readonly bindAddresses: readonly string[];
  /**
   * Memory at which publishers are blocked: up to 1 as a share of what the process may use, above that in bytes.
   */
  readonly memoryHighWatermark: number;
  /** Free space on the disk of the data directory below which publishers are blocked. */
  readonly diskFreeLimitBytes: number;
  /** Whether what was consumed before it was due to be written is written nonetheless. */
  readonly writeConsumed: boolean;
  /** How long the event loop stays awake for clients that ask again at once; 0: it does not. */
  readonly busyWaitUs: number;
  /** Whether small pieces of output leave at once. */
  readonly tcpNodelay: boolean;
  /** Silence after which TCP asks whether the peer is there; null: never. */
  readonly tcpKeepaliveIdleSeconds: number | null;
  /** The server's certificate and its chain, PEM; null: no TLS. */
  readonly tlsCertPath: string | null;
  /** The key of the certificate, PEM; null: it is in the certificate's file. */
  readonly tlsKeyPath: string | null;
  /** A file whose one line opens the keys; null: they are open. */
  readonly tlsKeyPassphrasePath: string | null;
  /** Certificates of those who may sign certificates of clients, PEM; null: none may. */
  readonly tlsCaPath: string | null;
  readonly tlsVerifyPeer: PeerVerification;
  readonly tlsMinVersion: TlsVersion;
  /** Which part of a client's certificate is its user name, for the mechanism EXTERNAL. */
  readonly tlsCertificateLogin: CertificateLogin;
  /** In OpenSSL's form; null: those of Node.js. */
  readonly tlsCiphers: string | null;
  /** Certificates for certain hosts. */
  readonly tlsServerNames: readonly TlsServerName[];
  /** Addresses for AMQP; null: {@link Config.bindAddresses}. */
  readonly amqpBindAddresses: readonly string[] | null;
  /** AMQP 0-9-1; 0 takes a free port. */
  readonly amqpPort: number;
  /** AMQP over TLS, where there is a certificate; 0 takes a free port, null: not at all. */
  readonly amqpsPort: number | null;
  /** The Unix socket for AMQP; null: none. */
  readonly amqpUnixPath: string | null;
  /** Its permissions: whoever may write to it may connect. */
  readonly amqpUnixMode: number;
  /**
   * Peers that are believed when they say with the PROXY protocol for whom they connect: addresses, networks in CIDR
   * notation, `unix` for the Unix socket. From nobody else such a header is taken.
   */
  readonly proxyProtocolTrustedSources: readonly string[];
  /** Whether these are also believed about the certificate of a client: its common name is then a user's name. */
  readonly proxyProtocolCommonName: boolean;
  /** The heartbeat interval that is offered to clients; 0 offers none. */
  readonly heartbeatSeconds: number;
  /** From accept to `connection.open-ok`; a slower client is dropped. */
  readonly handshakeTimeoutMs: number;
  /** The largest frame that is offered to clients in `connection.tune`, with its 8 bytes of framing. */
  readonly frameMaxBytes: number;
  /** How many channels a connection may have, as it is offered to clients; 0: no limit. */
  readonly channelMax: number;
  /** How many consumers a channel may have; 0: no limit. */
  readonly consumersPerChannelMax: number;
  /** How many connections may be open; 0: no limit. */
  readonly connectionsMax: number;
  /** The largest message body; a larger one is refused. */
  readonly maxMessageSizeBytes: number;
  /** Addresses for HTTP; null: {@link Config.bindAddresses}. */
  readonly httpBindAddresses: readonly string[] | null;
  /** HTTP; 0 takes a free port. */
  readonly httpPort: number;
}

/** All defaults; the data directory has none. */
export const configDefaults: Omit<Config, 'dataDir'> = Object.freeze({
  logLevel: 'info',
  logFilePath: null,
  defaultUser: 'guest',
  defaultPassword: null,
  defaultPasswordHash: null,
  guestOnlyLoopback: true,
  bindAddresses: Object.freeze(['127.0.0.1', '::1']),
  memoryHighWatermark: 0.4,
  diskFreeLimitBytes: 50_000_000,
  writeConsumed: false,
  busyWaitUs: 80,
  tcpNodelay: true,
  tcpKeepaliveIdleSeconds: 60,
  tlsCertPath: null,
  tlsKeyPath: null,
  tlsKeyPassphrasePath: null,
  tlsCaPath: null,
  tlsVerifyPeer: 'off',
  tlsCertificateLogin: 'distinguished_name',
  tlsMinVersion: 'TLSv1.2',
  tlsCiphers: null,
  tlsServerNames: Object.freeze([]),
  amqpBindAddresses: null,
  amqpPort: 5672,
  amqpsPort: 5671,
  amqpUnixPath: null,
  amqpUnixMode: 0o660,
  proxyProtocolTrustedSources: Object.freeze([]),
  proxyProtocolCommonName: false,
  heartbeatSeconds: 60,
  handshakeTimeoutMs: 10_000,
  frameMaxBytes: 131_072,
  channelMax: 2047,
  consumersPerChannelMax: 0,
  connectionsMax: 0,
  maxMessageSizeBytes: 128 * 1024 * 1024,
  httpBindAddresses: null,
  httpPort: 15672,
});

/** What a caller of {@link createConfig} must and may give. */
export type ConfigOptions = Pick<Config, 'dataDir'> & Partial<Config>;

/** The defaults with `options` over them, frozen; lists are copied. */
export function createConfig(options: ConfigOptions): Config {
  const config = { ...configDefaults, ...options };
  return Object.freeze({
    ...config,
    bindAddresses: copyOf(config.bindAddresses),
    amqpBindAddresses: config.amqpBindAddresses && copyOf(config.amqpBindAddresses),
    httpBindAddresses: config.httpBindAddresses && copyOf(config.httpBindAddresses),
    proxyProtocolTrustedSources: copyOf(config.proxyProtocolTrustedSources),
    tlsServerNames: copyOf(config.tlsServerNames),
  });
}

function copyOf<T>(list: readonly T[]): readonly T[] {
  return Object.freeze([...list]);
}
