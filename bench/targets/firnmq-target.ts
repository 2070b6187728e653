/** This repository's server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { awaitBroker } from './await-broker.ts';
import { firnmqCommand, LOOP_DELAY_FLAGS, readLoopDelay, spawnFirnmq } from './firnmq-process.ts';
import { type CertificateFiles, writeCertificate } from './self-signed.ts';
import type { RunningTarget, Target } from './target.ts';

/** The server with its default configuration, on free ports, kept to `core` (null: anywhere). */
export function createFirnmqTarget(core: number | null): Target {
  return {
    name: 'firnmq',
    isOurs: true,
    isBroker: true,
    canWriteConsumed: true,
    start: async ({ writesConsumed, withTls, isUnwatched }) => {
      const parent = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
      const flags = writesConsumed ? ['--write-consumed', 'true'] : [];
      try {
        const certificate = withTls ? await writeCertificate(parent) : null;
        return await startIn({ parent, core, flags, certificate, isUnwatched });
      } catch (error) {
        await rm(parent, { recursive: true, force: true });
        throw error;
      }
    },
  };
}

/** How a server is started, and started again. */
interface Start {
  /** Holds its data directory; removed when it is stopped. */
  readonly parent: string;
  readonly core: number | null;
  readonly flags: readonly string[];
  readonly certificate: CertificateFiles | null;
  readonly isUnwatched: boolean;
}

async function startIn(start: Start): Promise<RunningTarget> {
  const { parent, core, flags, certificate, isUnwatched } = start;
  const nodeFlags = isUnwatched ? [] : LOOP_DELAY_FLAGS;
  const command = [...firnmqCommand(join(parent, 'data'), nodeFlags), ...flags];
  if (certificate !== null) {
    command.push('--cert', certificate.certPath, '--key', certificate.keyPath);
    command.push('--amqps-port', '0');
  }
  const startedMs = performance.now();
  const {
    process: server,
    uri,
    tlsPort,
  } = await spawnFirnmq(core, command, undefined, {
    withChannel: !isUnwatched,
  });
  try {
    await awaitBroker(uri, server);
  } catch (error) {
    await server.terminate();
    throw error;
  }
  return {
    uri,
    tls:
      certificate === null || tlsPort === null
        ? null
        : { port: tlsPort, ca: certificate.cert, caPath: certificate.certPath },
    startupMs: performance.now() - startedMs,
    command: server.commandLine,
    cpuSeconds: () => server.cpuSeconds(),
    memoryBytes: () => server.memoryBytes(),
    openFileCount: () => server.openFileCount(),
    loopDelay: async () => (isUnwatched ? null : readLoopDelay(server)),
    killAndRestart: async () => {
      await server.kill();
      return startIn(start);
    },
    stop: async () => {
      await server.terminate();
      await rm(parent, { recursive: true, force: true });
    },
  };
}
