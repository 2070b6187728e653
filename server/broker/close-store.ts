/**
 * The end of a vhost's storage at a stop in order: what was settled and answered must be on the disk, so that none of
 * it comes back. A disk that refuses is asked again for a while.
 */
import type { CheckpointSource, MessageStore } from '../storage/message-store.ts';

/** For so long a stop asks a disk that refuses again; one that does not answer is waited for twice as long. */
export const STOP_RETRY_MS: number = 5000;
/** The pause between two attempts. */
const STOP_PAUSE_MS = 100;

/** How the storage of a vhost ended. */
export type StoreEnd =
  /** A clean checkpoint was written. */
  | { readonly kind: 'clean' }
  /** All is in the log, stable, but there is no checkpoint: the next start reads the log. */
  | { readonly kind: 'stable'; readonly error: unknown }
  /** What was settled or published in the `unstableMs` before the stop may not be on the disk. */
  | { readonly kind: 'unstable'; readonly error: unknown; readonly unstableMs: number };

/**
 * Makes all that is in the store stable, and writes its last checkpoint; then it is closed. A disk that refuses is asked
 * again for `retryMs`; after `answerMs` nothing is waited for.
 */
export async function closeStore(
  store: MessageStore,
  source: CheckpointSource,
  retryMs: number = STOP_RETRY_MS,
  answerMs: number = 2 * retryMs,
): Promise<StoreEnd> {
  const startedAt = performance.now();
  const unstableMs = store.log.unstableMs;
  const silence = new Error('the disk does not answer');
  let end: StoreEnd = { kind: 'unstable', error: silence, unstableMs };
  const attempts = (async () => {
    do {
      end = await attempt(store, source, unstableMs);
      if (end.kind !== 'clean') await pause(Math.min(STOP_PAUSE_MS, retryMs));
    } while (end.kind !== 'clean' && performance.now() - startedAt < retryMs);
  })();
  await orTimeout(attempts, answerMs);
  store.close();
  return end;
}

/** One attempt; `unstableMs` is what is at stake if it fails. */
async function attempt(
  store: MessageStore,
  source: CheckpointSource,
  unstableMs: number,
): Promise<StoreEnd> {
  try {
    await store.stopCompaction();
    await store.checkpoint(source, true);
    return { kind: 'clean' };
  } catch (error) {
    return syncAlone(store, error, unstableMs);
  }
}

/** Without a checkpoint nothing comes back either, as long as the log is stable. */
async function syncAlone(
  store: MessageStore,
  checkpointError: unknown,
  unstableMs: number,
): Promise<StoreEnd> {
  try {
    await store.log.syncAll();
    return { kind: 'stable', error: checkpointError };
  } catch (error) {
    return { kind: 'unstable', error, unstableMs };
  }
}

/** Waits for `promise`, but no longer than `ms`. */
async function orTimeout(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
