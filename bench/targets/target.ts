/** A broker to compare: how to start it on an empty directory, and what to know of it while it runs. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';

/** A broker that can be measured. */
export interface Target {
  readonly name: string;
  /** Starts it, on an empty directory where it has one; resolves when it has answered connection.open. */
  start(): Promise<RunningTarget>;
}

/** A broker that runs. */
export interface RunningTarget {
  readonly uri: AmqpUri;
  /** From the start of its process to connection.open-ok; null where it ran already. */
  readonly startupMs: number | null;
  /** CPU time that its processes have used so far, all threads; null where that cannot be known. */
  cpuSeconds(): number | null;
  /** Ends its processes and removes its directory. */
  stop(): Promise<void>;
}
