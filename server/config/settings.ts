/**
 * The registry: every setting with its names, its kind and what it does. The command line, the configuration file, the
 * environment, `--print-config` and the table in docs/reference/config.md are derived from it.
 *
 * A new setting is a field and a default in config.ts, an entry here, and a row of that table; the compiler and a test
 * ask for what is missing. Its name in the environment follows from section and key ({@link environmentName}).
 */
import {
  type Config,
  certificateLogins,
  configDefaults,
  logLevels,
  peerVerifications,
} from './config.ts';
import {
  addressListType,
  booleanType,
  byteSizeType,
  choiceType,
  durationType,
  fileModeType,
  integerType,
  keepaliveType,
  memoryMarkType,
  optionalPortType,
  optionalType,
  passwordHashType,
  passwordType,
  pathType,
  portType,
  textType,
  tlsVersionType,
  trustedSourcesType,
  type ValueType,
} from './value-types.ts';

/** The sections of the file, in the order in which they are shown. */
export const sectionNames = ['main', 'amqp', 'mgmt'] as const;

/** A section of the file. */
export type SectionName = (typeof sectionNames)[number];

/** Other names of sections: AvalancheMQ knows both. */
export const sectionAliases: Readonly<Record<string, SectionName>> = { http: 'mgmt' };

/** A setting by the field of the Config that it fills. Sections `[sni:HOST]` fill the one that is left out. */
export type SettingName = Exclude<keyof Config, 'tlsServerNames'>;

/** One setting, but for its name. */
export interface Setting<T> {
  readonly section: SectionName;
  readonly key: string;
  /** Short form, long form and the name of the value, as the help shows them. */
  readonly flags?: string;
  readonly type: ValueType<T>;
  /** One line, for the help. */
  readonly description: string;
  /** What the help and the reference page say instead of the default value. */
  readonly defaultText?: string;
  /** Whether the value is never shown. */
  readonly isSecret?: true;
  /** Whether the flag may be repeated; the values are joined by commas. */
  readonly isRepeatable?: true;
  /** Further places in the file, as `section.key`. */
  readonly aliases?: readonly string[];
  /** Settings that this one takes back to their defaults where a weaker source gave them. */
  readonly resets?: readonly SettingName[];
}

/** An entry for every field that can be set. */
export type Settings = { readonly [K in SettingName]: Setting<Config[K]> };

const MIB = 2 ** 20;
const AS_BIND = "as [main] 'bind'";

/** All settings, in the order in which they are shown. */
export const settings: Settings = {
  dataDir: {
    section: 'main',
    key: 'data_dir',
    flags: '-D, --data-dir <dir>',
    type: pathType,
    description: 'directory that holds everything that survives a restart (required)',
    defaultText: '$STATE_DIRECTORY',
  },
  logLevel: {
    section: 'main',
    key: 'log_level',
    flags: '-l, --log-level <level>',
    type: choiceType(logLevels, { warning: 'warn' }),
    description: `least level that is logged: ${logLevels.join(', ')}`,
  },
  logFilePath: {
    section: 'main',
    key: 'log_file',
    type: optionalType(pathType),
    description: 'file for the log',
    defaultText: 'standard output',
  },
  defaultUser: {
    section: 'main',
    key: 'default_user',
    flags: '--default-user <name>',
    type: textType,
    description: 'user that the first start makes',
  },
  defaultPassword: {
    section: 'main',
    key: 'default_password',
    type: optionalType(passwordType),
    description: 'password of that user',
    defaultText: 'guest, for guest',
    isSecret: true,
    resets: ['defaultPasswordHash'],
  },
  defaultPasswordHash: {
    section: 'main',
    key: 'default_password_hash',
    flags: '--default-password-hash <hash>',
    type: optionalType(passwordHashType),
    description: 'password of that user as a hash, as users.json has it',
    isSecret: true,
    resets: ['defaultPassword'],
  },
  guestOnlyLoopback: {
    section: 'main',
    key: 'guest_only_loopback',
    flags: '--guest-only-loopback <bool>',
    type: booleanType,
    description: 'whether guest may connect from this machine only',
  },
  bindAddresses: {
    section: 'main',
    key: 'bind',
    flags: '-b, --bind <address>',
    type: addressListType,
    description: 'address to listen on, instead of the default ones; may be repeated',
    isRepeatable: true,
    resets: ['amqpBindAddresses', 'httpBindAddresses'],
  },
  memoryHighWatermark: {
    section: 'main',
    key: 'memory_high_watermark',
    flags: '--memory-high-watermark <mark>',
    type: memoryMarkType,
    description: 'memory at which publishers are blocked: share of what there is, or a size',
  },
  diskFreeLimitBytes: {
    section: 'main',
    key: 'disk_free_limit',
    flags: '--disk-free-limit <size>',
    type: byteSizeType({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    description: 'free disk space below which publishers are blocked',
    defaultText: '50MB',
    aliases: ['main.free_disk_min'],
  },
  writeConsumed: {
    section: 'main',
    key: 'write_consumed',
    flags: '--write-consumed <bool>',
    type: booleanType,
    description: 'whether messages that are consumed at once are written too',
  },
  busyWaitUs: {
    section: 'main',
    key: 'busy_wait',
    type: integerType({ min: 0, max: 10_000 }),
    description: 'microseconds that the server stays awake for a client that asks again at once',
  },
  tcpNodelay: {
    section: 'main',
    key: 'tcp_nodelay',
    type: booleanType,
    description: 'whether small pieces of output leave at once',
  },
  tcpKeepaliveIdleSeconds: {
    section: 'main',
    key: 'tcp_keepalive',
    type: keepaliveType,
    description: 'seconds of silence after which TCP asks whether the peer is there, or off',
  },
  tlsCertPath: {
    section: 'main',
    key: 'tls_cert',
    flags: '--cert <file>',
    type: optionalType(pathType),
    description: 'certificate and its chain, PEM; with one, AMQPS is served',
    aliases: ['amqp.tls_cert'],
  },
  tlsKeyPath: {
    section: 'main',
    key: 'tls_key',
    flags: '--key <file>',
    type: optionalType(pathType),
    description: "the certificate's key, PEM, if it is in another file",
    defaultText: 'in tls_cert',
    aliases: ['amqp.tls_key'],
  },
  tlsKeyPassphrasePath: {
    section: 'main',
    key: 'tls_key_passphrase_file',
    type: optionalType(pathType),
    description: 'file with the passphrase of the keys, if they have one',
  },
  tlsCaPath: {
    section: 'main',
    key: 'tls_ca_cert',
    type: optionalType(pathType),
    description: 'who may sign certificates of clients, PEM',
  },
  tlsVerifyPeer: {
    section: 'main',
    key: 'tls_verify_peer',
    type: choiceType(peerVerifications, {
      ...{ false: 'off', no: 'off', 0: 'off' },
      ...{ true: 'require', yes: 'require', on: 'require', 1: 'require' },
    }),
    description: `certificates of clients: ${peerVerifications.join(', ')}`,
  },
  tlsCertificateLogin: {
    section: 'main',
    key: 'tls_cert_login_from',
    type: choiceType(certificateLogins),
    description: `user name in a client's certificate: ${certificateLogins.join(', ')}`,
  },
  tlsMinVersion: {
    section: 'main',
    key: 'tls_min_version',
    flags: '--tls-min-version <version>',
    type: tlsVersionType,
    description: 'oldest version of TLS that is spoken: 1.2 or 1.3',
  },
  tlsCiphers: {
    section: 'main',
    key: 'tls_ciphers',
    flags: '--ciphers <list>',
    type: optionalType(textType),
    description: "ciphers, in OpenSSL's form",
    defaultText: 'those of Node.js',
  },
  amqpBindAddresses: {
    section: 'amqp',
    key: 'bind',
    flags: '--amqp-bind <address>',
    type: optionalType(addressListType),
    description: 'address for AMQP alone; may be repeated',
    defaultText: AS_BIND,
    isRepeatable: true,
  },
  amqpPort: {
    section: 'amqp',
    key: 'port',
    flags: '-p, --amqp-port <port>',
    type: portType,
    description: 'port for AMQP; 0 takes a free one',
  },
  amqpsPort: {
    section: 'amqp',
    key: 'tls_port',
    flags: '--amqps-port <port>',
    type: optionalPortType,
    description: 'port for AMQP over TLS, when there is a certificate; or off',
  },
  amqpUnixPath: {
    section: 'amqp',
    key: 'unix_path',
    flags: '--amqp-unix-path <path>',
    type: optionalType(pathType),
    description: 'Unix socket for AMQP',
  },
  amqpUnixMode: {
    section: 'amqp',
    key: 'unix_mode',
    type: fileModeType,
    description: 'permissions of that socket, octal',
  },
  proxyProtocolTrustedSources: {
    section: 'amqp',
    key: 'tcp_proxy_protocol',
    type: trustedSourcesType,
    description: 'proxies that are believed about the address of a client (PROXY protocol), or off',
    aliases: ['amqp.proxy_protocol_trusted_sources'],
  },
  proxyProtocolCommonName: {
    section: 'amqp',
    key: 'proxy_protocol_common_name',
    type: booleanType,
    description: "whether these are also believed about the name in a client's certificate",
  },
  heartbeatSeconds: {
    section: 'amqp',
    key: 'heartbeat',
    type: integerType({ min: 0, max: 65_535 }),
    description: 'seconds between heartbeats, as offered to clients; 0 offers none',
  },
  handshakeTimeoutMs: {
    section: 'amqp',
    key: 'handshake_timeout',
    type: durationType({ min: 100, max: 600_000 }),
    description: 'time from connecting to the end of the handshake',
    defaultText: '10s',
  },
  frameMaxBytes: {
    section: 'amqp',
    key: 'frame_max',
    type: byteSizeType({ min: 4096, max: 16 * MIB }),
    description: 'largest frame, as offered to clients',
  },
  channelMax: {
    section: 'amqp',
    key: 'channel_max',
    type: integerType({ min: 0, max: 65_535 }),
    description: 'channels of a connection, as offered to clients; 0 is no limit',
  },
  consumersPerChannelMax: {
    section: 'amqp',
    key: 'max_consumers_per_channel',
    type: integerType({ min: 0, max: 2 ** 31 - 1 }),
    description: 'consumers of a channel; 0 is no limit',
  },
  connectionsMax: {
    section: 'amqp',
    key: 'max_connections',
    type: integerType({ min: 0, max: 2 ** 31 - 1 }),
    description: 'open connections; 0 is no limit',
  },
  maxMessageSizeBytes: {
    section: 'amqp',
    key: 'max_message_size',
    type: byteSizeType({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    description: 'largest body of a message',
    defaultText: '128MiB',
  },
  httpBindAddresses: {
    section: 'mgmt',
    key: 'bind',
    flags: '--http-bind <address>',
    type: optionalType(addressListType),
    description: 'address for HTTP alone; may be repeated',
    defaultText: AS_BIND,
    isRepeatable: true,
  },
  httpPort: {
    section: 'mgmt',
    key: 'port',
    flags: '--http-port <port>',
    type: portType,
    description: 'port for HTTP; 0 takes a free one',
  },
};

/** Whether a text names a setting. */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** The names of all settings, in the order in which they are shown. */
export const settingNames: readonly SettingName[] = Object.keys(settings).filter(isSettingName);

/** How the environment calls a setting: `FIRNMQ_LOG_LEVEL`, `FIRNMQ_AMQP_PORT`, `FIRNMQ_HTTP_PORT`. */
export function environmentName(name: SettingName): string {
  const { section, key } = settings[name];
  const prefix = { main: '', amqp: 'AMQP_', mgmt: 'HTTP_' }[section];
  return `FIRNMQ_${prefix}${key.toUpperCase()}`;
}

/** The default as the help and the reference page show it. */
export function defaultTextOf(name: SettingName): string {
  return settings[name].defaultText ?? formatDefault(name);
}

function formatDefault<K extends SettingName>(name: K): string {
  const defaults: Config = { ...configDefaults, dataDir: '' };
  return settings[name].type.format(defaults[name]) ?? '';
}
