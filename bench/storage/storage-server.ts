/** The server under measurement: a process on a data directory that outlives it. */
import { readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import {
  firnmqCommand,
  type ListeningFirnmq,
  LONGEST_TURN_FLAGS,
  spawnFirnmq,
} from '../targets/firnmq-process.ts';
import type { CoreChoice, PinnedProcess } from '../targets/pinned-process.ts';
import type { LongestTurn } from '../targets/target.ts';
import { TurnWatch } from '../targets/turn-watch.ts';
import {
  forgetPeakMemory,
  type ProcessMemory,
  peakMemoryBytes,
  readProcessMemory,
} from './process-memory.ts';

/** A running server. */
export class StorageServer {
  readonly uri: AmqpUri;
  /** From the start of its process to connection.open-ok. */
  readonly startupMs: number;
  /** Where it speaks TLS; null: it does not. */
  readonly tlsPort: number | null;
  private readonly process: PinnedProcess;
  private turns: TurnWatch | null;

  private constructor({ process, uri, tlsPort }: ListeningFirnmq, startupMs: number) {
    this.process = process;
    this.turns = null;
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
   * Starts one that tells the longest turn of its event loop ({@link longestTurn}). It is kept to no core: what its
   * other threads take from the loop's core is no turn.
   *
   * @param cores those of which the machine's own pauses can be seen; none: this process is kept to none
   */
  static async startWatched(
    dataDir: string,
    cores: readonly number[],
    signal: AbortSignal,
  ): Promise<StorageServer> {
    const command = firnmqCommand(dataDir, LONGEST_TURN_FLAGS);
    const core = cores.length > 0 ? 'all' : null;
    const server = await StorageServer.start(dataDir, core, signal, command, true);
    server.turns = await TurnWatch.start(server.process, cores, signal);
    return server;
  }

  /** The longest turn of its event loop since it was last asked, to about a millisecond, where it is watched. */
  async longestTurn(): Promise<LongestTurn> {
    if (this.turns === null) throw new Error('nobody watches the turns of this server');
    return this.turns.longest();
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
