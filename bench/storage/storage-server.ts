/** The server under measurement: a process on a data directory that outlives it. */
import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import {
  firnmqCommand,
  type ListeningFirnmq,
  loopDelayFlags,
  readLoopDelay,
  spawnFirnmq,
} from '../targets/firnmq-process.ts';
import type { CoreChoice, PinnedProcess } from '../targets/pinned-process.ts';
import {
  forgetPeakMemory,
  type ProcessMemory,
  peakMemoryBytes,
  readProcessMemory,
} from './process-memory.ts';

const TURN_RESOLUTION_MS = 1;

/** A running server. */
export class StorageServer {
  readonly uri: AmqpUri;
  /** From the start of its process to connection.open-ok. */
  readonly startupMs: number;
  /** Where it speaks TLS; null: it does not. */
  readonly tlsPort: number | null;
  private readonly process: PinnedProcess;

  private constructor({ process, uri, tlsPort }: ListeningFirnmq, startupMs: number) {
    this.process = process;
    this.uri = uri;
    this.tlsPort = tlsPort;
    this.startupMs = startupMs;
  }

  /**
   * Starts a server.
   *
   * @param signal kills it, whatever it is doing
   * @param command its default configuration where none is given
   */
  static async start(
    dataDir: string,
    core: CoreChoice,
    signal: AbortSignal,
    command: readonly string[] = firnmqCommand(dataDir),
    withChannel = false,
  ): Promise<StorageServer> {
    const startedMs = performance.now();
    const listening = await spawnFirnmq(core, command, signal, { withChannel });
    try {
      const connection = await BenchConnection.open(listening.uri, 'firnmqperf start-up');
      const startupMs = performance.now() - startedMs;
      await connection.close();
      return new StorageServer(listening, startupMs);
    } catch (error) {
      await listening.process.kill();
      throw error;
    }
  }

  /**
   * Starts one that tells the longest turn of its event loop ({@link longestTurnMs}). It is kept to no core: what its
   * other threads take from the loop's core is no turn.
   *
   * @param isPinned this process is kept to one
   */
  static async startWatched(
    dataDir: string,
    isPinned: boolean,
    signal: AbortSignal,
  ): Promise<StorageServer> {
    const command = firnmqCommand(dataDir, loopDelayFlags(TURN_RESOLUTION_MS));
    return StorageServer.start(dataDir, isPinned ? 'all' : null, signal, command, true);
  }

  /** The longest turn of its event loop since it was last asked, in milliseconds, to about one. */
  async longestTurnMs(): Promise<number> {
    return (await readLoopDelay(this.process)).maxMs;
  }

  /** CPU time so far, all threads, in steps of 10 ms. */
  get cpuSeconds(): number {
    return this.process.cpuSeconds();
  }

  get memory(): ProcessMemory {
    return readProcessMemory(this.process.pid);
  }

  /** The most that was resident since {@link forgetPeak}, or since its start where that is not possible. */
  get peakBytes(): number {
    return peakMemoryBytes(this.process.pid);
  }

  /** Open files, sockets among them. */
  get openFileCount(): number {
    return readdirSync(`/proc/${this.process.pid}/fd`).length;
  }

  forgetPeak(): void {
    forgetPeakMemory(this.process.pid);
  }

  /**
   * Stops it in order.
   *
   * @throws Error when it does not end by itself, and with code 0.
   */
  async stop(): Promise<void> {
    await this.process.terminate();
    if (this.process.exitCode !== 0) throw this.process.endedError();
  }

  /** Ends it with SIGKILL, if it runs. */
  async kill(): Promise<void> {
    await this.process.kill();
  }
}
