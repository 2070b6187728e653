/**
 * What the server runs with: one frozen, typed object, made once at start and handed down from the
 * launcher. Nobody else reads the command line or the environment.
 *
 * Limits carry their unit in the name. Those without a command-line flag are set by programs that
 * embed the server, tests among them.
 */

/** The log levels, most talkative first. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** A log level. */
export type LogLevel = (typeof logLevels)[number];

/** Everything that can be set. */
export interface Config {
  /** Where everything that must survive a restart is kept; absolute. */
  readonly dataDir: string;
  /** Addresses that every listener binds, in this order. */
  readonly bindAddresses: readonly string[];
  /** AMQP 0-9-1; 0 takes a free port. */
  readonly amqpPort: number;
  /** HTTP; 0 takes a free port. */
  readonly httpPort: number;
  readonly logLevel: LogLevel;
  /** The largest frame that is offered to clients in `connection.tune`, with its 8 bytes of framing. */
  readonly frameMaxBytes: number;
  /** The highest channel number that is offered to clients. */
  readonly channelMax: number;
  /** Consumers that one channel may have; 0: any number. */
  readonly consumersPerChannelMax: number;
  /** The heartbeat interval that is offered to clients; 0 offers none. */
  readonly heartbeatSeconds: number;
  /** From accept to `connection.open-ok`; a slower client is dropped. */
  readonly handshakeTimeoutMs: number;
  /** The largest message body; a larger one is refused. */
  readonly maxMessageSizeBytes: number;
  /** Whether the user `guest` may connect from this machine only. */
  readonly guestOnlyLoopback: boolean;
  /**
   * Memory at which publishers are blocked: up to 1 as a share of what the process may use, above that in bytes.
   */
  readonly memoryHighWatermark: number;
  /** Free space on the disk of the data directory below which publishers are blocked. */
  readonly diskFreeLimitBytes: number;
}

/** All defaults; the data directory has none. */
export const configDefaults: Omit<Config, 'dataDir'> = Object.freeze({
  bindAddresses: Object.freeze(['127.0.0.1', '::1']),
  amqpPort: 5672,
  httpPort: 15672,
  logLevel: 'info',
  frameMaxBytes: 131_072,
  channelMax: 2047,
  consumersPerChannelMax: 0,
  heartbeatSeconds: 60,
  handshakeTimeoutMs: 10_000,
  maxMessageSizeBytes: 128 * 1024 * 1024,
  guestOnlyLoopback: true,
  memoryHighWatermark: 0.4,
  diskFreeLimitBytes: 50_000_000,
});

/** What a caller of {@link createConfig} must and may give. */
export type ConfigOptions = Pick<Config, 'dataDir'> & Partial<Config>;

/** The defaults with `options` over them, frozen. */
export function createConfig(options: ConfigOptions): Config {
  const config = { ...configDefaults, ...options };
  return Object.freeze({ ...config, bindAddresses: Object.freeze([...config.bindAddresses]) });
}
