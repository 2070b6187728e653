/** Waiting for a broker without sleeping: everything awaited has a deadline and a name. */

/** How long a broker may take for anything, in milliseconds; generous, since only failures wait. */
export const PATIENCE_MS = 10_000;

/** `promise`, or a rejection that says what was awaited when it takes longer than `limitMs`. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  limitMs: number = PATIENCE_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until `holds` answers true; a rejection naming `what` when that takes too long. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  limitMs: number = PATIENCE_MS,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not ${what} within ${limitMs} ms`);
  }
}
