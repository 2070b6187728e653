/** How the log fares: what failed last, when it is tried again, and what everybody else has to know of it. */
import type { LogLimits } from './log-limits.ts';
import type { StorageError } from './storage-error.ts';

/** What publishers and operators have to know. */
export interface LogState {
  /** Too much is not on the disk yet: publishers should pause. */
  readonly behind: boolean;
  /** The disk has no room: publishers and declares should pause until consumers have made some. */
  readonly diskFull: boolean;
  /** What the disk refused last, while nothing can be confirmed because of it. */
  readonly failing: StorageError | null;
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);
/** Nothing was written, or nothing that a second attempt at the same place would not mend. */
const HARMLESS = new Set([...FULL, 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** Whether the disk, or a quota, has no room. */
export function isDiskFull({ errno }: StorageError): boolean {
  return FULL.has(errno);
}

/** Whether a write that failed like this may be tried again in the same file. */
export function mayWriteAgain({ errno }: StorageError): boolean {
  return HARMLESS.has(errno);
}

/** The state of one log. */
export class LogHealth {
  state: LogState;
  /** Failures so far. */
  failureCount: number;
  lastFailure: StorageError | null;
  /** Monotonic time of the next attempt; 0: the last one succeeded. */
  retryAtMs: number;

  private readonly limits: LogLimits;
  private readonly changed: (state: LogState) => void;
  private pauseMs: number;

  constructor(limits: LogLimits, changed: (state: LogState) => void) {
    this.state = { behind: false, diskFull: false, failing: null };
    this.failureCount = 0;
    this.lastFailure = null;
    this.retryAtMs = 0;
    this.limits = limits;
    this.changed = changed;
    this.pauseMs = 0;
  }

  /** The last attempt failed. */
  get isTroubled(): boolean {
    return this.retryAtMs > 0;
  }

  /** A write or sync failed; the next attempt comes after a pause that grows. */
  failed(error: StorageError, nowMs: number): void {
    const { retryMs, retryMsMax } = this.limits;
    this.failureCount++;
    this.lastFailure = error;
    this.pauseMs = this.pauseMs === 0 ? retryMs : Math.min(2 * this.pauseMs, retryMsMax);
    this.retryAtMs = nowMs + this.pauseMs;
    if (isDiskFull(error)) this.set({ diskFull: true });
    else this.set({ failing: error });
  }

  /** All that was tried has succeeded. */
  succeeded(): void {
    this.pauseMs = 0;
    this.retryAtMs = 0;
    this.set({ failing: null });
  }

  /** HOT per turn. `bytes` are not on the disk for certain. */
  measure(bytes: number): void {
    const { behindBytes, caughtUpBytes } = this.limits;
    if (this.state.behind ? bytes <= caughtUpBytes : bytes > behindBytes) {
      this.set({ behind: !this.state.behind });
    }
  }

  /** Changes the state; the owner hears of it if that makes a difference. */
  set(change: Partial<LogState>): void {
    const before = this.state;
    const state = { ...before, ...change };
    const isSame =
      state.behind === before.behind &&
      state.diskFull === before.diskFull &&
      state.failing?.message === before.failing?.message;
    if (isSame) return;
    this.state = state;
    this.changed(state);
  }
}
