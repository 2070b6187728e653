/** Where a measurement ran, in lines of text. */
import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';

/** Date and commit; processor, kernel and Node. */
export function describeMachine(): string[] {
  return [
    `${new Date().toISOString().slice(0, 10)}, commit ${commitName()}`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Linux ${release().split('-')[0]}, Node ${process.version}`,
  ];
}

/** The commit of the checkout that this runs in, `-dirty` where it was changed since. */
export function commitName(): string {
  try {
    const command = ['describe', '--always', '--dirty'];
    return execFileSync('git', command, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    // Not a checkout, or one without a commit.
    return 'unknown';
  }
}
