/**
 * Programs that stand in for a broker, to see where a ceiling is: the stand-in keeps nothing, so that what it reaches is
 * the generator's own; the bare broker has the hot path and nothing beside it, so that what it reaches is the machine's.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { PinnedProcess } from './pinned-process.ts';
import type { RunningTarget, Target } from './target.ts';

const STAND_IN_MAIN = fileURLToPath(new URL('../testing/stand-in-broker-main.js', import.meta.url));
const BARE_MAIN = fileURLToPath(new URL('../micro/bare/bare-broker-main.js', import.meta.url));

/** The stand-in that keeps nothing, kept to `core` (null: anywhere). */
export function createStandInTarget(core: number | null): Target {
  return {
    name: 'stand-in',
    isOurs: false,
    isBroker: false,
    canWriteConsumed: false,
    start: () => startProgram(core, [process.execPath, STAND_IN_MAIN], async () => {}),
  };
}

/** The bare broker, kept to `core` (null: anywhere). */
export function createBareTarget(core: number | null): Target {
  return {
    name: 'bare',
    isOurs: false,
    isBroker: false,
    canWriteConsumed: true,
    start: async ({ writesConsumed }) => {
      const directory = await mkdtemp(join(tmpdir(), 'firnmq-bare-'));
      const flags = writesConsumed ? ['--write-consumed'] : [];
      const command = [process.execPath, '--v8-pool-size=1', BARE_MAIN, directory, ...flags];
      const removeDirectory = () => rm(directory, { recursive: true, force: true });
      return startProgram(core, command, removeDirectory);
    },
  };
}

/** Starts a program that prints its URI. */
async function startProgram(
  core: number | null,
  command: readonly string[],
  cleanUp: () => Promise<void>,
): Promise<RunningTarget> {
  const startedMs = performance.now();
  const broker = await PinnedProcess.spawn(core, command);
  const uri = await broker.findLine((line) => parseAmqpUri(line));
  return {
    uri,
    tls: null,
    startupMs: performance.now() - startedMs,
    command: broker.commandLine,
    cpuSeconds: () => broker.cpuSeconds(),
    memoryBytes: () => broker.memoryBytes(),
    openFileCount: () => broker.openFileCount(),
    loopDelay: async () => null,
    killAndRestart: null,
    stop: async () => {
      await broker.terminate();
      await cleanUp();
    },
  };
}
