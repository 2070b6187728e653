/**
 * The composition root: builds the server from its parts, in the order in which they need each other, and takes
 * it apart in the reverse order. Imports all, is imported by main.ts and index.ts alone.
 *
 * Start: lock the directory, users, vhosts with their recovery, HTTP, AMQP, and only then the word that it
 * listens. Stop: no new connections, polite closes, checkpoints, lock released.
 */
import { AmqpListener } from './amqp/listener.ts';
import { UserStore } from './auth/user-store.ts';
import { collectGarbage } from './base/collect-garbage.ts';
import type { ListenerAddress } from './base/listen-on-addresses.ts';
import { Broker } from './broker/broker.ts';
import { ResourceMonitor } from './broker/resource-monitor.ts';
import { VhostStore } from './broker/vhost-store.ts';
import type { Config } from './config/config.ts';
import {
  availableMemoryBytes,
  memoryMarkBytes,
  residentMarkBytes,
} from './config/resource-limits.ts';
import { productVersion } from './config/version.ts';
import { HttpListener } from './http/http-listener.ts';
import { acquireDirectoryLock } from './storage/directory-lock.ts';
import { type FileSystem, realFileSystem } from './storage/fs.ts';
import { logListening, logSkippedAddress } from './telemetry/log-listening.ts';
import type { Logger } from './telemetry/logger.ts';
import { LoopDelay } from './telemetry/loop-delay.ts';
import { LoopUse } from './telemetry/loop-use.ts';

/** A server that accepts connections. */
export interface RunningServer {
  readonly listeners: readonly ListenerAddress[];
  /** Reads certificates and keys again; those that cannot be used leave the old ones in force. Logged. */
  reload(): void;
  /**
   * Closes clients politely, writes checkpoints, lets go of the directory.
   *
   * @returns false when the disk refused to the end, so that what was acked last may come back
   */
  stop(reason: string): Promise<boolean>;
}

/**
 * Starts a server; resolves when it accepts connections.
 *
 * @throws AppError when the directory is in use, a document in it cannot be used, or a port cannot be bound
 */
export async function startServer(config: Config, logger: Logger): Promise<RunningServer> {
  const fs = realFileSystem;
  fs.makeDirectory(config.dataDir);
  const lock = await acquireDirectoryLock(config.dataDir);
  const undo: (() => Promise<void> | void)[] = [() => lock.release()];
  const unwind = async () => {
    for (const step of undo.reverse()) await step();
    undo.length = 0;
  };
  try {
    const users = await UserStore.load(fs, config.dataDir, config);
    const vhostStore = await VhostStore.load(fs, config.dataDir);
    const broker = new Broker(fs, vhostStore, logger, {
      limits: { writesConsumed: config.writeConsumed },
      busyWaitMs: config.busyWaitUs / 1000,
    });
    users.spaceRefused = () => broker.spaceRefused();
    let isStable = true;
    undo.push(async () => {
      isStable = await broker.close();
    });
    const amqp = await AmqpListener.start(
      { config, broker, users, version: productVersion },
      logger,
    );
    undo.push(() => amqp.stop());
    const monitor = watchResources(config, fs, broker, amqp);
    undo.push(() => monitor.stop());
    const loopDelay = new LoopDelay();
    loopDelay.start();
    undo.push(() => loopDelay.stop());
    const listeners: ListenerAddress[] = [...amqp.addresses];
    const http = await HttpListener.start({
      addresses: config.httpBindAddresses ?? config.bindAddresses,
      port: config.httpPort,
      status: {
        listeners: () => listeners,
        health: () => broker.health(),
        alarm: () => broker.alarms.reason,
        loopDelays: () => loopDelay.latest,
      },
      logger,
    });
    undo.push(() => http.stop());
    listeners.push(...http.addresses);
    for (const skipped of [...amqp.skipped, ...http.skipped]) logSkippedAddress(logger, skipped);
    for (const listener of listeners) logListening(logger, listener);
    return {
      listeners,
      reload: () => amqp.reloadCertificates(),
      async stop(reason) {
        logger.info({ event: 'server.close', reason }, 'the server closes');
        await unwind();
        return isStable;
      },
    };
  } catch (error) {
    await unwind();
    throw error;
  }
}

/** Measures what the server uses, and blocks its publishers when that is too much. */
function watchResources(
  config: Config,
  fs: FileSystem,
  broker: Broker,
  amqp: AmqpListener,
): ResourceMonitor {
  const available = availableMemoryBytes();
  const memoryBytes = memoryMarkBytes(config.memoryHighWatermark, available);
  const loopUse = new LoopUse();
  const monitor = new ResourceMonitor(
    broker.alarms,
    {
      pooledBytes: () => broker.blockBytes + amqp.outputBytes,
      sampledBytes: () => broker.indexBytes() + amqp.connectionBytes(),
      residentBytes: () => process.memoryUsage.rss(),
      allocatedBytes: () => {
        // `external` holds the buffers as well, but V8 brings it up to date late.
        const { heapTotal, arrayBuffers } = process.memoryUsage();
        return heapTotal + arrayBuffers;
      },
      freeDiskBytes: () => fs.freeBytes(config.dataDir),
      takeBusyShare: () => loopUse.takeBusyShare(),
      letGo: () => broker.rest() + amqp.rest(),
      heapBytes: () => process.memoryUsage().heapTotal,
      collectGarbage,
    },
    {
      memoryBytes,
      residentBytes: residentMarkBytes(memoryBytes, available),
      freeDiskBytes: config.diskFreeLimitBytes,
    },
  );
  broker.reactor.addTurnEnder(monitor);
  monitor.start();
  return monitor;
}
