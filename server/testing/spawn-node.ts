/**
 * Starts Node processes for tests, as a user would.
 *
 * The test runner wraps `node:child_process` so that every child loads its instrumentation, which takes
 * a second on a busy machine. These children measure their own start-up, are killed by the dozen and
 * need none of it, so the real module is asked for behind the wrapper's back.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';

/** Runs a program with the Node that runs the test, ended by its caller. */
export function spawnNode(args: readonly string[], options: SpawnOptions): ChildProcess {
  const { spawn } = process.getBuiltinModule('node:child_process');
  const { NODE_OPTIONS: _, ...env } = { ...process.env, ...options.env };
  return spawn(process.execPath, args, { ...options, env });
}
