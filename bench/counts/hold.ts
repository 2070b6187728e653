/** How long what was made is kept. */
import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** What comes after it: more of the same, or the end. */
export type AfterHold = 'more' | 'end';

/**
 * Waits `seconds`, or where none are given on a terminal until somebody presses enter, which asks for more.
 *
 * @param seconds null: not given; away from a terminal it is over at once then
 */
export async function hold(
  seconds: number | null,
  question: string,
  signal: AbortSignal,
): Promise<AfterHold> {
  if (signal.aborted) return 'end';
  if (seconds !== null) {
    await delay(seconds * 1000, undefined, { signal }).catch(() => {});
    return 'end';
  }
  if (!process.stdin.isTTY || !process.stdout.isTTY) return 'end';
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    await terminal.question(question, { signal });
    return 'more';
  } catch {
    // The question ends with the signal.
    return 'end';
  } finally {
    terminal.close();
  }
}
