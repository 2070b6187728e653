/** What a test expects of malformed bytes. */
import { WireError } from '../wire-error.ts';

/** The WireError that `run` throws; anything else that happens is an error of the test. */
export function wireErrorOf(run: () => unknown): WireError {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error('a WireError was expected');
}
