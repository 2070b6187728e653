/** Waits for what other processes, sockets or disks bring about. */
import { setTimeout as delay } from 'node:timers/promises';

/** Options of {@link eventually}. */
export interface EventuallyOptions {
  /** When to give up. Generous: only a failing test waits for it. */
  readonly deadlineMs?: number;
}

/**
 * Calls `attempt` again and again until it does not throw, and resolves to what it returned.
 *
 * @throws what the last attempt threw, once the deadline has passed
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  { deadlineMs = 20_000 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
    }
    await delay(5);
  }
}
