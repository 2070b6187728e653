/** What the log goes by: sizes and times, of which tests use small ones, and what it may leave out. */

export interface LogLimits {
  /** Whether batches are written of which nobody needs anything any more. */
  readonly writesConsumed: boolean;
  /** A new segment begins when a batch would end behind this offset. */
  readonly segmentBytes: number;
  /**
   * A sync of less than this, which somebody waits for, has zeros laid out behind it: of a larger one the bytes themselves
   * take as long as a new size of the file, and the sync that writes the zeros takes ten times as long as the others ...
   */
  readonly smallSyncBytes: number;
  /** ... so many, unless some are left. */
  readonly layOutBytes: number;
  /** Closed batches are written when this many bytes have come together ... */
  readonly unwrittenBytes: number;
  /** ... or the oldest of them has waited this long. */
  readonly unwrittenMs: number;
  /** A sync begins when this many bytes are written and not synced, even where nobody waits ... */
  readonly unsyncedBytes: number;
  /** ... or the oldest of them has waited this long. */
  readonly unsyncedMs: number;
  /** The log is behind when this many bytes are in memory alone or not synced ... */
  readonly behindBytes: number;
  /** ... until no more than these are left. */
  readonly caughtUpBytes: number;
  /** How long the log waits before it tries again what failed: at first, and at most. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

const MIB = 1024 * 1024;

export const LOG_LIMITS: LogLimits = Object.freeze({
  writesConsumed: false,
  segmentBytes: 32 * MIB,
  smallSyncBytes: 16 * 1024,
  layOutBytes: 256 * 1024,
  unwrittenBytes: MIB,
  unwrittenMs: 5,
  unsyncedBytes: 32 * MIB,
  unsyncedMs: 1000,
  behindBytes: 128 * MIB,
  caughtUpBytes: 32 * MIB,
  retryMs: 100,
  retryMsMax: 1000,
});
