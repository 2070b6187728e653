/** This repository's server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type AmqpUri, parseAmqpUri } from '../amqp/amqp-uri.ts';
import { awaitBroker } from './await-broker.ts';
import { PinnedProcess } from './pinned-process.ts';
import type { RunningTarget, Target } from './target.ts';

const SERVER_MAIN = fileURLToPath(new URL('../../server/main.js', import.meta.url));

/** The server with its default configuration, on free ports, kept to `core`. */
export function createFirnmqTarget(core: number): Target {
  return { name: 'firnmq', start: () => startFirnmq(core) };
}

async function startFirnmq(core: number): Promise<RunningTarget> {
  const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
  const startedMs = performance.now();
  const args = ['-D', dataDir, '-b', '127.0.0.1', '-p', '0', '--http-port', '0'];
  const server = await PinnedProcess.spawn(core, [process.execPath, SERVER_MAIN, ...args]);
  const stop = async (): Promise<void> => {
    await server.terminate();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const uri = await server.findLine(findAmqpListener);
    await awaitBroker(uri, server);
    const startupMs = performance.now() - startedMs;
    return { uri, startupMs, cpuSeconds: () => server.cpuSeconds(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address in a log line with the event `listening` for AMQP; null for any other line. */
function findAmqpListener(line: string): AmqpUri | null {
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== 'object' || entry === null) return null;
  if (!('event' in entry && 'protocol' in entry && 'port' in entry)) return null;
  if (entry.event !== 'listening' || entry.protocol !== 'amqp') return null;
  return parseAmqpUri(`amqp://127.0.0.1:${Number(entry.port)}`);
}
