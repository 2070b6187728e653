/** A row of the comparison: one kind of load, measured against every broker. */
import type { RowRun } from './row-run.ts';

/** What measures one row. It shares nothing with other rows but the code. */
export interface Row {
  readonly id: string;
  /** What runs, for people; 16-byte bodies unless it says otherwise. */
  readonly title: string;
  /**
   * Whether messages are consumed while they are published: a broker that leaves those unwritten is measured twice,
   * with that and without.
   */
  readonly consumesAtOnce: boolean;
  /** Whether the broker is to speak TLS. */
  readonly needsTls?: true;
  /** Whether what watches the broker from within would be a part of what is measured. */
  readonly isUnwatched?: true;
  /** How many times as much as the broker that ours is compared with its first figure must reach. */
  readonly timesTheLast?: number;
  /**
   * Measures into figures of `run`, whose broker has just been started on an empty directory.
   *
   * @throws RowSkipped when the row cannot be measured on this broker; any other error fails the row.
   */
  measure(run: RowRun): Promise<void>;
}

/** The row cannot be measured on this broker; the message says why. */
export class RowSkipped extends Error {}
