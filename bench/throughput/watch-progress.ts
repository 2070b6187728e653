/** Watches a run: ends it in time, tells how far it is, and notices when nothing moves any more. */
import { performance } from 'node:perf_hooks';
import type { Load } from './load.ts';

const PROGRESS_INTERVAL_MS = 1000;
/** A run that nothing moves for so long has lost a message, and would never end. */
const STALLED_INTERVALS_MAX = 30;

/** What a run has moved so far. */
export interface ThroughputProgress {
  readonly published: number;
  readonly consumed: number;
  readonly confirmed: number;
  readonly elapsedMs: number;
}

/** How a caller watches a run, and ends it early. */
export interface ThroughputObserver {
  /**
   * Called once a second.
   *
   * @param latestP99Ms of the second's latencies from publish to consumer, or where those are not measured of its
   *   confirms or commits; null: there were none
   */
  readonly onProgress: (progress: ThroughputProgress, latestP99Ms: number | null) => void;
  /** Ends the run as its duration would. */
  readonly signal: AbortSignal;
}

/** From the start of a run to its end. */
export interface ProgressWatch {
  /** Resolves when the duration is over or the observer says so. */
  readonly whenEnded: Promise<void>;
  /** Rejects when nothing has moved for too long. */
  readonly whenStalled: Promise<never>;
  readonly end: () => void;
}

/** Begins to watch. `durationMs` 0: the run has no end of its own. */
export function watchProgress(
  load: Load,
  durationMs: number,
  observer: ThroughputObserver | null,
): ProgressWatch {
  let endRun = (): void => {};
  let failRun = (_error: Error): void => {};
  const whenEnded = new Promise<void>((resolve) => {
    endRun = resolve;
  });
  const whenStalled = new Promise<never>((_resolve, reject) => {
    failRun = reject;
  });
  const startedMs = performance.now();
  let movedBefore = 0;
  let stalledIntervals = 0;
  const ticker = setInterval(() => {
    const { published, consumed, confirmed, latencyUs, confirmLatencyUs } = load;
    const moved = published + consumed + confirmed + load.nacked + load.committed;
    stalledIntervals = moved === movedBefore ? stalledIntervals + 1 : 0;
    movedBefore = moved;
    if (stalledIntervals === STALLED_INTERVALS_MAX) {
      failRun(new Error(`nothing moved for 30 s: ${published} published, ${consumed} consumed`));
    }
    if (observer === null) return;
    const latestP99Ms = latencyUs.takeLatestP99Ms() ?? confirmLatencyUs.takeLatestP99Ms();
    const elapsedMs = performance.now() - startedMs;
    observer.onProgress({ published, consumed, confirmed, elapsedMs }, latestP99Ms);
  }, PROGRESS_INTERVAL_MS);
  const deadline = durationMs > 0 ? setTimeout(endRun, durationMs) : null;
  observer?.signal.addEventListener('abort', endRun);
  return {
    whenEnded,
    whenStalled,
    end: () => {
      clearInterval(ticker);
      if (deadline !== null) clearTimeout(deadline);
      observer?.signal.removeEventListener('abort', endRun);
    },
  };
}
