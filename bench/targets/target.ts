/** A broker to compare: how to start it on an empty directory, and what to know of it while it runs. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';

/** How a broker is started where it may be started in more than one way. */
export interface StartOptions {
  /** Messages that are consumed at once are written to its files too. */
  readonly writesConsumed: boolean;
  /** It listens for AMQP over TLS as well, with a certificate of its own for localhost. */
  readonly withTls: boolean;
  /** It is started as users start it: nothing in its process tells how late its event loop comes. */
  readonly isUnwatched: boolean;
}

/** Its default configuration. */
export const DEFAULT_START: StartOptions = {
  writesConsumed: false,
  withTls: false,
  isUnwatched: false,
};

/** Where a broker speaks TLS. */
export interface TlsListener {
  readonly port: number;
  /** Who signed its certificate, PEM, and where that is kept. */
  readonly ca: string;
  readonly caPath: string;
}

/** How late a broker's event loop came to what was due. */
export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A time in which the machine stood still, by its monotonic clock. */
export interface MachinePause {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A turn that was long, and between which moments of the machine's monotonic clock it was. */
export interface WatchedTurn extends MachinePause {
  readonly turnMs: number;
}

/** What a server's process knows of its turns: the longest of the short ones, how late a timer came, the long ones. */
export interface WatchedTurns {
  shortMs: number;
  lateMs: number;
  readonly long: WatchedTurn[];
}

/**
 * The longest turn of a broker's event loop; the longest that the machine stood still in one, which is taken off; and
 * the latest that a timer came to it, for whatever reason.
 */
export interface LongestTurn {
  readonly turnMs: number;
  readonly pausedMs: number;
  readonly lateMs: number;
}

/** A broker that can be measured. */
export interface Target {
  readonly name: string;
  /** Whether it is this repository's server, for which the goals are. */
  readonly isOurs: boolean;
  /** False: it stands in for one, and does less. */
  readonly isBroker: boolean;
  /** Whether it leaves consumed messages unwritten, and can be told not to. */
  readonly canWriteConsumed: boolean;
  /** Starts it, on an empty directory where it has one; resolves when it has answered connection.open. */
  start(options: StartOptions): Promise<RunningTarget>;
}

/** A broker that runs. */
export interface RunningTarget {
  readonly uri: AmqpUri;
  /** null: it was not asked for, or cannot be had. */
  readonly tls: TlsListener | null;
  /** From the start of its process to connection.open-ok; null where it ran already. */
  readonly startupMs: number | null;
  /** How it was started; empty where it ran already. */
  readonly command: string;
  /** CPU time that its processes have used so far, all threads; null where that cannot be known. */
  cpuSeconds(): number | null;
  /** Octets that its processes occupy now, together; null where that cannot be known. */
  memoryBytes(): number | null;
  /** How many files and sockets its processes have open; null where that cannot be known. */
  openFileCount(): number | null;
  /** Since it was last asked, or since the start; null where there is no event loop to ask. */
  loopDelay(): Promise<LoopDelay | null>;
  /**
   * Ends its processes with SIGKILL and starts it again on the same directory, under the same options; this object
   * is of no use any more. null: it was started by somebody else.
   */
  readonly killAndRestart: (() => Promise<RunningTarget>) | null;
  /** Ends its processes and removes its directory. */
  stop(): Promise<void>;
}
