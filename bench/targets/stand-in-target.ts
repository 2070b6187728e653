/** The stand-in broker that keeps nothing: what it reaches is the generator's own ceiling. */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { PinnedProcess } from './pinned-process.ts';
import type { RunningTarget, Target } from './target.ts';

const STAND_IN_MAIN = fileURLToPath(new URL('../testing/stand-in-broker-main.js', import.meta.url));

/** The stand-in, kept to `core` (null: anywhere). */
export function createStandInTarget(core: number | null): Target {
  return {
    name: 'stand-in',
    isOurs: false,
    canWriteConsumed: false,
    start: () => startStandIn(core),
  };
}

async function startStandIn(core: number | null): Promise<RunningTarget> {
  const startedMs = performance.now();
  const broker = await PinnedProcess.spawn(core, [process.execPath, STAND_IN_MAIN]);
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
    stop: () => broker.terminate(),
  };
}
