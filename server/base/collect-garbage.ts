/**
 * Asks V8 for a full garbage collection. It takes some 10 ms per 100 MB of heap, and nothing else runs
 * meanwhile: for when memory is short and everybody waits for it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Collects garbage now.
 *
 * @param isCompacting moves what is left together, so that half-empty pages go: twice to three times the work
 */
export function collectGarbage(isCompacting = false): void {
  if (isCompacting) setFlagsFromString('--compact-on-every-full-gc');
  // The function is there only with the flag, and only in contexts that are made after it is set.
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') Reflect.apply(collect, undefined, []);
  setFlagsFromString('--no-expose-gc');
  if (isCompacting) setFlagsFromString('--no-compact-on-every-full-gc');
}
