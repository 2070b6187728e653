/** A broker to compare: how to start it on an empty directory, and what to know of it while it runs. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';

/** How a broker is started where it may be started in more than one way; all false: its default configuration. */
export interface StartOptions {
  /** Messages that are consumed at once are written to its files too. */
  readonly writesConsumed: boolean;
}

/** A broker that can be measured. */
export interface Target {
  readonly name: string;
  /** Whether it is this repository's server, for which the goals are. */
  readonly isOurs: boolean;
  /** Whether it leaves consumed messages unwritten, and can be told not to. */
  readonly canWriteConsumed: boolean;
  /** Starts it, on an empty directory where it has one; resolves when it has answered connection.open. */
  start(options: StartOptions): Promise<RunningTarget>;
}

/** A broker that runs. */
export interface RunningTarget {
  readonly uri: AmqpUri;
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
  /**
   * Ends its processes with SIGKILL and starts it again on the same directory, under the same options; this object
   * is of no use any more. null: it was started by somebody else.
   */
  readonly killAndRestart: (() => Promise<RunningTarget>) | null;
  /** Ends its processes and removes its directory. */
  stop(): Promise<void>;
}
