/** What a churn does again and again. */
import type { AmqpUri } from '../amqp/amqp-uri.ts';

/** Where it is done. */
export interface ChurnTarget {
  readonly uri: AmqpUri;
  /** Shared by all connections. */
  readonly readBuffer: Buffer;
}

/** One connection's part in it. */
export interface ChurnWorker {
  /**
   * What is done, each for itself and one behind the other, all waited for. `index` counts from 0 in each step; the
   * second and later ones do as many as the first did, and with the same indexes: they undo it.
   */
  readonly steps: readonly ((index: number) => Promise<void>)[];
  /** Product and version as the broker names them. */
  readonly broker: string;
  /** Leaves nothing behind. */
  close(): Promise<void>;
}

/** A series that is measured by itself. */
export interface ChurnSeries {
  /** A name for each step. */
  readonly names: readonly string[];
  /** Connects one worker. */
  open(target: ChurnTarget): Promise<ChurnWorker>;
}
