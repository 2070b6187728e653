/**
 * One row on one broker: the broker, the generators that load it, the figures that come of it, and everything that is
 * open, which is closed with it however it ends.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection, createReadBuffer } from '../amqp/bench-connection.ts';
import type { Goal, Unit } from '../storage/figure.ts';
import { PinnedProcess } from '../targets/pinned-process.ts';
import type { RunningTarget, StartOptions, Target, TlsListener } from '../targets/target.ts';
import { formatUri, plainCommandLine } from './command-lines.ts';
import { RowSkipped } from './row.ts';
import { type Cost, RowFigure } from './row-figure.ts';

const GENERATOR_MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const CHECK_INTERVAL_MS = 50;

/** How long, how often, how large. */
export interface RunSettings {
  readonly repeats: number;
  /** Length of an ordinary run. */
  readonly seconds: number;
  /** Messages to wait, queues and connections are multiplied by it; 1: as the goals say. */
  readonly scale: number;
  /** null: anywhere. */
  readonly serverCore: number | null;
  readonly generatorCore: number | null;
  /** Ends the measurement after what is under way. */
  readonly signal: AbortSignal;
}

/** What a generator printed, and what it cost both sides. */
export interface Generated {
  /** Its JSON. */
  readonly result: unknown;
  /** CPU time of the broker meanwhile, all its processes; null where unknown. */
  readonly serverCpuSeconds: number | null;
  /** Octets that the broker occupied at its end; null where unknown. */
  readonly serverMemoryBytes: number | null;
  /** How late its event loop came meanwhile; null where it has none. */
  readonly loopDelayP99Ms: number | null;
}

/** What a row measures with. */
export class RowRun {
  readonly settings: RunSettings;
  /** How the broker was started. */
  readonly startOptions: StartOptions;
  readonly figures: RowFigure[];
  /** Every command line that ran, once. */
  readonly commands: string[];
  /** The broker. Another object after a restart. */
  broker: RunningTarget;
  private readonly target: Target;
  private readonly medianElsewhere: (rowId: string) => number | null;
  /** Of all connections: none of them pauses. */
  private readonly readBuffer: Buffer;
  private readonly connections: Set<BenchConnection>;

  private constructor(
    settings: RunSettings,
    target: Target,
    startOptions: StartOptions,
    broker: RunningTarget,
    medianElsewhere: (rowId: string) => number | null,
  ) {
    this.settings = settings;
    this.target = target;
    this.startOptions = startOptions;
    this.broker = broker;
    this.medianElsewhere = medianElsewhere;
    this.figures = [];
    this.commands = [];
    this.readBuffer = createReadBuffer();
    this.connections = new Set();
    if (broker.command !== '') this.tellCommand(broker.command);
  }

  /**
   * Starts the broker.
   *
   * @param medianElsewhere the first figure of a row measured before, on the same broker; null: it was not
   */
  static async begin(
    settings: RunSettings,
    target: Target,
    startOptions: StartOptions,
    medianElsewhere: (rowId: string) => number | null,
  ): Promise<RowRun> {
    const broker = await target.start(startOptions);
    return new RowRun(settings, target, startOptions, broker, medianElsewhere);
  }

  get uri(): AmqpUri {
    return this.broker.uri;
  }

  /** Where the broker speaks TLS. */
  get tlsListener(): TlsListener {
    if (this.broker.tls === null) throw new RowSkipped('it is not set up for TLS');
    return this.broker.tls;
  }

  /** The same as an address for connections of this process. */
  get tlsUri(): AmqpUri {
    const { port, ca } = this.tlsListener;
    const tls = { ca: Buffer.from(ca), certificate: null, key: null, verifiesPeer: true };
    return { ...this.uri, port, tls };
  }

  /** A figure that the report shows. */
  figure(what: string, unit: Unit, goal: Goal): RowFigure {
    const figure = new RowFigure(what, unit, goal);
    this.figures.push(figure);
    return figure;
  }

  /** The median of another row's first figure on this broker; null where that was not measured before. */
  medianOf(rowId: string): number | null {
    return this.medianElsewhere(rowId);
  }

  /** A number of messages, queues or connections in this run's size. */
  scaled(fullSize: number): number {
    return Math.max(1, Math.round(fullSize * this.settings.scale));
  }

  /** Runs `measure` as often as the settings say, one after the other. */
  async repeat(measure: () => Promise<void>): Promise<void> {
    for (let i = 1; i <= this.settings.repeats; i++) {
      this.settings.signal.throwIfAborted();
      await measure();
    }
  }

  /** Runs `firnmqperf COMMAND -j --uri URI FLAGS...` on the generator's core, to its end. @throws Error when it fails */
  async generate(
    command: string,
    flags: readonly string[],
    uri: string = formatUri(this.uri),
  ): Promise<Generated> {
    this.settings.signal.throwIfAborted();
    const args = [command, '-j', '--uri', uri, ...flags];
    this.tellCommand(`firnmqperf ${args.join(' ')}`);
    await this.broker.loopDelay();
    const cpuBefore = this.broker.cpuSeconds();
    const generator = await PinnedProcess.spawn(this.settings.generatorCore, [
      process.execPath,
      GENERATOR_MAIN,
      ...args,
    ]);
    const output = await generator.readOutput();
    const cpuAfter = this.broker.cpuSeconds();
    return {
      result: JSON.parse(output),
      serverCpuSeconds: cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore,
      serverMemoryBytes: this.broker.memoryBytes(),
      loopDelayP99Ms: await this.loopDelayP99Ms(),
    };
  }

  /** Notes a command line for the report. */
  tellCommand(line: string): void {
    const plain = plainCommandLine(line);
    if (!this.commands.includes(plain)) this.commands.push(plain);
  }

  /**
   * Does `work` in this process.
   *
   * @param operationsOf how many messages or operations it was, of which each has its part of the cost
   */
  async withCost<Result>(
    work: () => Promise<Result>,
    operationsOf: (result: Result) => number,
  ): Promise<{ readonly result: Result; readonly cost: Cost }> {
    await this.broker.loopDelay();
    const serverBefore = this.broker.cpuSeconds();
    const generatorBefore = process.cpuUsage();
    const startedMs = performance.now();
    const result = await work();
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(generatorBefore);
    const serverAfter = this.broker.cpuSeconds();
    const operations = Math.max(1, operationsOf(result));
    const perOperation = (cpuSeconds: number): number => (cpuSeconds * 1e9) / operations;
    const serverSeconds =
      serverBefore === null || serverAfter === null ? null : serverAfter - serverBefore;
    const generatorSeconds = (user + system) / 1e6;
    const cost = {
      serverNsPerMessage: serverSeconds === null ? null : perOperation(serverSeconds),
      generatorNsPerMessage: perOperation(generatorSeconds),
      generatorShare: generatorSeconds / seconds,
      serverMemoryBytes: this.broker.memoryBytes(),
      loopDelayP99Ms: await this.loopDelayP99Ms(),
    };
    return { result, cost };
  }

  /** Opens a connection that ends with the row at the latest. */
  async connect(): Promise<BenchConnection> {
    const connection = await BenchConnection.open(this.uri, 'firnmqperf numbers', {
      readBuffer: this.readBuffer,
    });
    this.connections.add(connection);
    return connection;
  }

  /** Closes connections that {@link connect} has opened. */
  async close(...connections: readonly BenchConnection[]): Promise<void> {
    await Promise.all(connections.map((connection) => connection.close()));
    for (const connection of connections) this.connections.delete(connection);
  }

  /** Opens a connection for one use. */
  async withConnection<Result>(
    use: (connection: BenchConnection) => Promise<Result>,
  ): Promise<Result> {
    const connection = await this.connect();
    try {
      return await use(connection);
    } finally {
      await this.close(connection);
    }
  }

  /** Kills the broker and starts it again; resolves when it has answered connection.open. */
  async restart(): Promise<void> {
    const { killAndRestart } = this.broker;
    if (killAndRestart === null) throw new RowSkipped('somebody else started this broker');
    this.broker = await killAndRestart();
  }

  /**
   * Makes the broker as empty as it was: ours by `cleanUp`, so that it stays warm; another that can be started again
   * by that, since it may still be busy for minutes with what it has taken.
   *
   * @param connections that the measurement has opened; they are closed
   */
  async clear(
    connections: readonly BenchConnection[],
    cleanUp: (control: BenchConnection) => Promise<void>,
  ): Promise<void> {
    if (!this.target.isOurs && this.broker.killAndRestart !== null) {
      await this.renew();
      await this.close(...connections);
    } else {
      await this.close(...connections);
      await this.withConnection(cleanUp);
    }
  }

  /** Ends the broker and starts another on an empty directory. */
  async renew(): Promise<void> {
    await this.broker.stop();
    this.broker = await this.target.start(this.startOptions);
  }

  /** Octets that the broker occupies when it has come to rest, as far as the time of two runs lets it. */
  async restingMemoryBytes(): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    const endMs = performance.now() + 2 * this.settings.seconds * 1000;
    while (performance.now() < endMs) {
      const bytes = this.broker.memoryBytes();
      if (bytes === null) throw new RowSkipped('the memory of this broker cannot be seen');
      least = Math.min(least, bytes);
      await this.pause(CHECK_INTERVAL_MS);
    }
    return least;
  }

  /** Files and sockets that the broker has open. */
  openFileCount(): number {
    const count = this.broker.openFileCount();
    if (count === null) throw new RowSkipped('the files of this broker cannot be seen');
    return count;
  }

  /** Waits, unless the measurement is ended. */
  async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.settings.signal });
  }

  /** Closes what is open and ends the broker. */
  async dispose(): Promise<void> {
    await this.close(...this.connections);
    await this.broker.stop();
  }

  private async loopDelayP99Ms(): Promise<number | null> {
    return (await this.broker.loopDelay())?.p99Ms ?? null;
  }
}
