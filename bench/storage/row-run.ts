/**
 * One measurement of one row: its sizes, its figures, and everything it opens, which is closed with it however
 * it ends.
 */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { pinThisProcess } from '../targets/pinned-process.ts';
import { Figure, type Goal, type Unit } from './figure.ts';
import { StorageServer } from './storage-server.ts';

/** How large, how often, where. */
export interface StorageSettings {
  /** Messages and body sizes are multiplied by it; 1: as the goals say. */
  readonly scale: number;
  readonly repeats: number;
  /** Where the data directories are made. */
  readonly parentDirectory: string;
  /** Where servers are kept, and this process; null: anywhere. */
  readonly serverCore: number | null;
  readonly generatorCore: number | null;
  /** How long a server may take to come to rest before its memory is read. */
  readonly restMs: number;
  /** How long the disk use may take to settle. */
  readonly settleMs: number;
}

/** What a row measures with. */
export class RowRun {
  readonly settings: StorageSettings;
  readonly figures: Figure[];
  private readonly abort: AbortController;
  /** Also those that are still starting. */
  private readonly servers: Promise<StorageServer>[];
  private readonly directories: string[];
  private readonly connections: BenchConnection[];

  constructor(settings: StorageSettings) {
    this.settings = settings;
    this.figures = [];
    this.abort = new AbortController();
    this.servers = [];
    this.directories = [];
    this.connections = [];
  }

  /** A figure that the report shows. */
  figure(what: string, unit: Unit, goal: Goal): Figure {
    const figure = new Figure(what, unit, goal);
    this.figures.push(figure);
    return figure;
  }

  /** A number of messages or octets in this run's size. */
  scaled(fullSize: number, atLeast = 1): number {
    return Math.max(atLeast, Math.round(fullSize * this.settings.scale));
  }

  /** Runs `measure` as often as the settings say, one after the other. */
  async repeat(measure: (repeat: number) => Promise<void>): Promise<void> {
    for (let repeat = 0; repeat < this.settings.repeats; repeat++) await measure(repeat);
  }

  /** A new, empty data directory. */
  newDirectory(): string {
    this.abort.signal.throwIfAborted();
    const directory = mkdtempSync(join(this.settings.parentDirectory, 'firnmq-storage-'));
    this.directories.push(directory);
    return directory;
  }

  /** Starts a server; resolves when it has answered connection.open. */
  async startServer(dataDir: string, command?: readonly string[]): Promise<StorageServer> {
    this.abort.signal.throwIfAborted();
    const { serverCore } = this.settings;
    return this.keep(StorageServer.start(dataDir, serverCore, this.abort.signal, command));
  }

  /** Starts one whose turns are measured ({@link StorageServer.startWatched}). */
  async startWatchedServer(dataDir: string): Promise<StorageServer> {
    this.abort.signal.throwIfAborted();
    const { serverCore, generatorCore } = this.settings;
    const cores = [serverCore, generatorCore].filter((core) => core !== null);
    return this.keep(StorageServer.startWatched(dataDir, cores, this.abort.signal));
  }

  /** Opens a connection that ends with the row at the latest. */
  async connect(uri: AmqpUri): Promise<BenchConnection> {
    const connection = await BenchConnection.open(uri, 'firnmqperf storage');
    this.connections.push(connection);
    if (this.abort.signal.aborted) await connection.close();
    return connection;
  }

  /** Does what a server's core is to be compared with there: an interrupt may cost more on one core than another. */
  onServerCore<T>(work: () => T): T {
    const { serverCore, generatorCore } = this.settings;
    if (serverCore === null || generatorCore === null) return work();
    pinThisProcess(serverCore);
    try {
      return work();
    } finally {
      pinThisProcess(generatorCore);
    }
  }

  /** Waits, unless the row is given up. */
  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.abort.signal });
  }

  /** Resolves with what `isReached` waits for; looks every few milliseconds. */
  async until(isReached: () => boolean): Promise<void> {
    while (!isReached()) await this.pause(2);
  }

  private keep(starting: Promise<StorageServer>): Promise<StorageServer> {
    this.servers.push(starting);
    return starting;
  }

  /** Gives up what is under way, ends servers, removes directories. */
  async dispose(): Promise<void> {
    this.abort.abort(new Error('the row was given up'));
    for (const started of await Promise.allSettled(this.servers)) {
      if (started.status === 'fulfilled') await started.value.kill();
    }
    await Promise.all(this.connections.map((connection) => connection.close()));
    for (const directory of this.directories) await rm(directory, { recursive: true, force: true });
  }
}
