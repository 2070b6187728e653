/** This repository's server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { awaitBroker } from './await-broker.ts';
import { firnmqCommand, spawnFirnmq } from './firnmq-process.ts';
import type { RunningTarget, Target } from './target.ts';

/** The server with its default configuration, on free ports, kept to `core` (null: anywhere). */
export function createFirnmqTarget(core: number | null): Target {
  return {
    name: 'firnmq',
    isOurs: true,
    canWriteConsumed: true,
    start: async ({ writesConsumed }) => {
      const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
      const flags = writesConsumed ? ['--write-consumed', 'true'] : [];
      try {
        return await startOn(dataDir, core, flags);
      } catch (error) {
        await rm(dataDir, { recursive: true, force: true });
        throw error;
      }
    },
  };
}

/** Starts a server on a directory that is removed when it is stopped. */
async function startOn(
  dataDir: string,
  core: number | null,
  flags: readonly string[],
): Promise<RunningTarget> {
  const command = [...firnmqCommand(dataDir), ...flags];
  const startedMs = performance.now();
  const { process: server, uri } = await spawnFirnmq(core, command);
  try {
    await awaitBroker(uri, server);
  } catch (error) {
    await server.terminate();
    throw error;
  }
  return {
    uri,
    startupMs: performance.now() - startedMs,
    command: server.commandLine,
    cpuSeconds: () => server.cpuSeconds(),
    memoryBytes: () => server.memoryBytes(),
    openFileCount: () => server.openFileCount(),
    killAndRestart: async () => {
      await server.kill();
      return startOn(dataDir, core, flags);
    },
    stop: async () => {
      await server.terminate();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
