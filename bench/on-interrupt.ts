/** Ctrl-C ends a command in order, with what it has so far; a second one ends the process. */

/** Runs `work`, whose signal is aborted by the first SIGINT or SIGTERM. */
export async function onInterrupt<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const interrupt = new AbortController();
  const abort = (): void => interrupt.abort();
  process.once('SIGINT', abort);
  process.once('SIGTERM', abort);
  try {
    return await work(interrupt.signal);
  } finally {
    process.off('SIGINT', abort);
    process.off('SIGTERM', abort);
  }
}
