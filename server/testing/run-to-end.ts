/** Runs the program, as it is built, for tests of what it prints and ends with. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { spawnNode } from './spawn-node.ts';
import { serverMain } from './start-server-process.ts';

/** What a process left behind. */
export interface EndedProcess {
  /** Null after a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program with a command line until it ends by itself. */
export async function runToEnd(...args: readonly string[]): Promise<EndedProcess> {
  const child = spawnNode([serverMain, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { STATE_DIRECTORY: '' },
  });
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  const [code] = (await ended) as [number | null];
  return { code, stdout, stderr };
}
