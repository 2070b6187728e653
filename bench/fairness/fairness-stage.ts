/** Where a scenario plays: a server of its own, processes that load it, and connections. All end with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type AmqpUri, parseAmqpUri } from '../amqp/amqp-uri.ts';
import { BenchConnection } from '../amqp/bench-connection.ts';
import { declareQueue } from '../amqp/control.ts';
import { firnmqCommand, noteListener } from '../targets/firnmq-process.ts';
import { PinnedProcess } from '../targets/pinned-process.ts';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const POLL_MS = 20;

/** Cores of the server and of all others; null: anywhere. */
export interface StageCores {
  readonly server: number | null;
  readonly load: number | null;
}

/** What the server says of its event loop (`GET /healthz/loop`), in milliseconds. */
export interface ServerLoop {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A server under load. */
export class FairnessStage {
  readonly uri: AmqpUri;
  private readonly dataDir: string;
  private readonly server: PinnedProcess;
  private readonly httpPort: number;
  private readonly loadCore: number | null;
  private readonly loads: PinnedProcess[];
  private readonly connections: BenchConnection[];

  private constructor(
    dataDir: string,
    server: PinnedProcess,
    ports: { readonly amqp: number; readonly http: number },
    loadCore: number | null,
  ) {
    this.uri = parseAmqpUri(`amqp://127.0.0.1:${ports.amqp}`);
    this.dataDir = dataDir;
    this.server = server;
    this.httpPort = ports.http;
    this.loadCore = loadCore;
    this.loads = [];
    this.connections = [];
  }

  /** Starts a server in its default configuration. */
  static async open(cores: StageCores): Promise<FairnessStage> {
    const dataDir = await mkdtemp(join(tmpdir(), 'firnmq-bench-'));
    const server = await PinnedProcess.spawn(cores.server, firnmqCommand(dataDir));
    const found = new Map<string, number>();
    try {
      const ports = await server.findLine((line) => {
        noteListener(line, found);
        const [amqp, http] = [found.get('amqp'), found.get('http')];
        return amqp === undefined || http === undefined ? null : { amqp, http };
      });
      return new FairnessStage(dataDir, server, ports, cores.load);
    } catch (error) {
      await server.terminate();
      await rm(dataDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** A connection that ends with the stage. */
  async connect(name: string): Promise<BenchConnection> {
    const connection = await BenchConnection.open(this.uri, name);
    this.connections.push(connection);
    return connection;
  }

  /** Runs `firnmqperf throughput` with these flags until the stage closes, in a process of its own. */
  async load(...flags: readonly string[]): Promise<void> {
    const load = await this.spawnLoad(flags);
    load.ignoreOutput();
  }

  /** The same until it ends by itself. */
  async loadToEnd(...flags: readonly string[]): Promise<void> {
    await (await this.spawnLoad(flags)).readOutput();
  }

  private async spawnLoad(flags: readonly string[]): Promise<PinnedProcess> {
    const { host, port } = this.uri;
    const uri = `amqp://${host}:${port}`;
    const command = [process.execPath, MAIN, 'throughput', '-q', '--uri', uri, ...flags];
    const load = await PinnedProcess.spawn(this.loadCore, command);
    // It shares its core with the bystanders, who are to wait for the server alone.
    setPriority(load.pid, constants.priority.PRIORITY_LOW);
    this.loads.push(load);
    return load;
  }

  /** Resolves when the queue has messages ready: a load has begun. */
  async whenFilling(connection: BenchConnection, queue: string): Promise<void> {
    await declareQueue(connection, queue, false);
    while ((await declareQueue(connection, queue, true)) === 0) await sleep(POLL_MS);
  }

  /** What the server says of its last ten seconds, or of all before. */
  async readLoop(): Promise<ServerLoop> {
    const url = `http://127.0.0.1:${this.httpPort}/healthz/loop`;
    // Not by `fetch`: what Node.js loads for its first request would keep the bystanders of this process waiting.
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, resolve).on('error', reject);
    });
    const told: unknown = JSON.parse(await text(response));
    if (typeof told !== 'object' || told === null || !('p99Ms' in told && 'maxMs' in told)) {
      throw new Error('the server does not tell of its event loop');
    }
    return { p99Ms: Number(told.p99Ms), maxMs: Number(told.maxMs) };
  }

  /** Ends everything. The server is killed: what is in its queues need not be written down. */
  async close(): Promise<void> {
    await Promise.all(this.loads.map((load) => load.kill()));
    await Promise.all(this.connections.map((connection) => connection.close()));
    await this.server.kill();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
