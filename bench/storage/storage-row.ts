/** A row of the storage benchmark: one promise of the storage, measured from outside. */
import type { RowRun } from './row-run.ts';

/** What measures one row. It shares nothing with other rows but the code. */
export interface StorageRow {
  readonly id: string;
  /** What is measured, for people. */
  readonly title: string;
  /** Octets of disk that it may fill at full size. */
  readonly diskBytes: number;
  /** It is given up after so long. */
  readonly deadlineMs: number;
  /**
   * Measures into figures of `run`.
   *
   * @throws RowSkipped when the row cannot be measured here; any other error fails the row.
   */
  measure(run: RowRun): Promise<void>;
}

/** The row does not concern this server or machine; the message says why. */
export class RowSkipped extends Error {}
