/**
 * A process that takes and releases directory locks on command, for directory-lock.test.ts.
 *
 * Told `{directory, attempts}` it makes that many attempts at once and answers how each ended; told
 * 'release' it releases what it holds and answers 'released'.
 */
import {
  acquireDirectoryLock,
  DirectoryInUseError,
  type DirectoryLock,
} from '../storage/directory-lock.ts';

/** What is sent to a contender. */
export type ContenderCommand =
  | { readonly directory: string; readonly attempts: number }
  | 'release';

/** How one attempt ended. */
export type AttemptOutcome = 'held' | 'refused' | string;

let held: DirectoryLock | null = null;

async function attempt(directory: string): Promise<AttemptOutcome> {
  try {
    held = await acquireDirectoryLock(directory);
    return 'held';
  } catch (error) {
    return error instanceof DirectoryInUseError ? 'refused' : String(error);
  }
}

async function obey(command: ContenderCommand): Promise<unknown> {
  if (command === 'release') {
    held?.release();
    held = null;
    return 'released';
  }
  const attempts = Array.from({ length: command.attempts }, () => attempt(command.directory));
  return Promise.all(attempts);
}

process.on('message', (command: ContenderCommand) => {
  void obey(command).then((answer) => process.send?.(answer));
});
