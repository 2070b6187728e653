/** A subscription of which a library tells by callbacks. */
import type { InteropSubscription } from './interop-client.ts';
import type { WaitingLine } from './waiting-line.ts';

/**
 * Resolves once it is there for the first time.
 *
 * @param arrived bodies, as they come
 * @param ready an entry each time that the library has restored it, the first time included
 */
export async function subscription(
  arrived: WaitingLine<string>,
  ready: WaitingLine<true>,
  close: () => Promise<void>,
): Promise<InteropSubscription> {
  await ready.take();
  return {
    next: () => arrived.take(),
    restored: async () => {
      await ready.take();
    },
    close,
  };
}
