/** This repository's server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { awaitBroker } from './await-broker.ts';
import { firnmqCommand, spawnFirnmq } from './firnmq-process.ts';
import type { PinnedProcess } from './pinned-process.ts';
import type { RunningTarget, Target } from './target.ts';

/** The server with its default configuration, on free ports, kept to `core`. */
export function createFirnmqTarget(core: number): Target {
  return { name: 'firnmq', start: () => startFirnmq(core) };
}

async function startFirnmq(core: number): Promise<RunningTarget> {
  const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
  const startedMs = performance.now();
  let server: PinnedProcess | null = null;
  const stop = async (): Promise<void> => {
    await server?.terminate();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const { process: running, uri } = await spawnFirnmq(core, firnmqCommand(dataDir));
    server = running;
    await awaitBroker(uri, running);
    const startupMs = performance.now() - startedMs;
    return { uri, startupMs, cpuSeconds: () => running.cpuSeconds(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
