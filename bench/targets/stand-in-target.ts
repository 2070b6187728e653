/** The stand-in broker that keeps nothing: what it reaches is the generator's own ceiling. */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { PinnedProcess } from './pinned-process.ts';
import type { RunningTarget, Target } from './target.ts';

const STAND_IN_MAIN = fileURLToPath(new URL('../testing/stand-in-broker-main.js', import.meta.url));

/** The stand-in, kept to `core`. */
export function createStandInTarget(core: number): Target {
  return { name: 'stand-in', start: () => startStandIn(core) };
}

async function startStandIn(core: number): Promise<RunningTarget> {
  const startedMs = performance.now();
  const broker = await PinnedProcess.spawn(core, [process.execPath, STAND_IN_MAIN]);
  const uri = await broker.findLine((line) => parseAmqpUri(line));
  return {
    uri,
    startupMs: performance.now() - startedMs,
    cpuSeconds: () => broker.cpuSeconds(),
    stop: () => broker.terminate(),
  };
}
