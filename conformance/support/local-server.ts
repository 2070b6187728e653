/**
 * This repository's server as its users start it: a process on free ports with a directory, which can be ended and
 * started again. Every wait has a deadline and says what it waited for; a process that does not end is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { within } from './deadline.ts';
import { SERVER_CERTIFICATE_PATH } from './tls-files.ts';

const SERVER_MAIN = join(import.meta.dirname, '..', '..', 'firnmq', 'main.js');
/** Lines of the log that are told with a failure. */
const LAST_LINES = 20;
/** How long a start or an end may take on a busy machine, in milliseconds. */
const START_LIMIT_MS = 60_000;
const END_LIMIT_MS = 60_000;
const TLS_ARGUMENTS = ['--cert', SERVER_CERTIFICATE_PATH, '--amqps-port', '0'];

/** How a server is started. */
export interface LocalServerOptions {
  /** Where its directory is made; the system's place for such things unless it says otherwise. */
  readonly parent?: string;
  /** Puts files into the directory before the first start. */
  readonly prepare?: (dataDirectory: string) => void;
  /** More of its command line. */
  readonly args?: readonly string[];
  /** It serves AMQPS as well. */
  readonly tls?: boolean;
  /** Added to its environment. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Told every line that the server prints. */
  readonly onLogLine?: (line: string) => void;
}

type Protocol = 'amqp' | 'amqps' | 'http';

/** The port of each protocol on 127.0.0.1. */
type Ports = ReadonlyMap<Protocol, number>;

/** What every start of a server has in common. */
interface Launch {
  readonly dataDirectory: string;
  readonly args: readonly string[];
  readonly protocols: readonly Protocol[];
  readonly variables: Readonly<Record<string, string>>;
  readonly onLogLine: (line: string) => void;
}

/** One server over all its starts. */
export class LocalServer {
  readonly dataDirectory: string;
  private process: ServerProcess;
  private ports: Ports;
  private readonly abandon: () => void;

  private readonly launch: Launch;

  private constructor(launch: Launch) {
    this.dataDirectory = launch.dataDirectory;
    this.launch = launch;
    this.process = new ServerProcess(launch);
    this.ports = new Map();
    this.abandon = () => {
      this.process.kill();
      rmSync(launch.dataDirectory, { recursive: true, force: true });
    };
    // Also when the run is given up half-way.
    process.once('exit', this.abandon);
  }

  /** @throws Error with the last lines of the server's log when it does not come up */
  static async start({
    parent = tmpdir(),
    prepare,
    args = [],
    tls = false,
    variables = {},
    onLogLine = () => undefined,
  }: LocalServerOptions = {}): Promise<LocalServer> {
    const dataDirectory = mkdtempSync(join(parent, 'firnmq-local-'));
    prepare?.(dataDirectory);
    const server = new LocalServer({
      dataDirectory,
      args: tls ? [...args, ...TLS_ARGUMENTS] : args,
      protocols: tls ? ['amqp', 'amqps', 'http'] : ['amqp', 'http'],
      variables,
      onLogLine,
    });
    try {
      server.ports = await server.process.listening();
    } catch (error) {
      server.forget();
      throw error;
    }
    return server;
  }

  /** Where it listens; another port after every start. */
  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.portOf('amqp')}`;
  }

  /** Where it serves AMQPS, by the name in its certificate that every client can check. */
  get tlsUrl(): string {
    return `amqps://guest:guest@localhost:${this.portOf('amqps')}`;
  }

  portOf(protocol: Protocol): number {
    const port = this.ports.get(protocol);
    if (port === undefined) throw new Error(`the server does not serve ${protocol}`);
    return port;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Ends the process with a signal and starts another one on the same directory. */
  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.process.end(signal);
    this.process = new ServerProcess(this.launch);
    this.ports = await this.process.listening();
  }

  /**
   * Ends the process in order and deletes its directory.
   *
   * @throws Error when it was gone already, or does not end with 0
   */
  async stop(): Promise<void> {
    try {
      await this.process.end('SIGTERM');
    } finally {
      this.forget();
    }
  }

  private forget(): void {
    process.off('exit', this.abandon);
    this.abandon();
  }
}

class ServerProcess {
  private readonly child: ChildProcess;
  private readonly log: string[];
  private readonly ended: Promise<void>;
  private readonly ports: Promise<Ports>;

  constructor({ dataDirectory, args, protocols, variables, onLogLine }: Launch) {
    this.child = spawn(
      process.execPath,
      [SERVER_MAIN, '-D', dataDirectory, '-p', '0', '--http-port', '0', ...args],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...variables } },
    );
    this.log = [];
    this.ended = new Promise((resolve) => {
      this.child.once('exit', () => resolve());
      this.child.once('error', (error) => {
        this.log.push(String(error));
        resolve();
      });
    });
    this.ports = this.readPorts(protocols, onLogLine);
    this.ports.catch(() => undefined); // told to whoever asks
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** The ports, once all of them are told. */
  async listening(): Promise<Ports> {
    try {
      return await within(this.ports, `log lines with the ports (pid ${this.pid})`, START_LIMIT_MS);
    } catch (error) {
      this.kill();
      throw this.trouble(`the server did not start: ${String(error)}`);
    }
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.hasEnded) throw this.trouble(`the server ended by itself (${this.endCode})`);
    this.child.kill(signal);
    try {
      await within(this.ended, `end of the server after ${signal} (pid ${this.pid})`, END_LIMIT_MS);
    } catch (error) {
      this.kill();
      throw this.trouble(String(error));
    }
    if (signal === 'SIGTERM' && this.child.exitCode !== 0) {
      throw this.trouble(`the server ended with ${this.endCode}`);
    }
  }

  kill(): void {
    if (!this.hasEnded) this.child.kill('SIGKILL');
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private get endCode(): string {
    return String(this.child.signalCode ?? this.child.exitCode);
  }

  private trouble(what: string): Error {
    return new Error(`${what}\n${this.log.join('\n')}`);
  }

  /** Reads all output, so that no pipe fills up, and keeps the last lines. */
  private readPorts(
    protocols: readonly Protocol[],
    onLogLine: (line: string) => void,
  ): Promise<Ports> {
    const ports = new Map<Protocol, number>();
    return new Promise((resolve, reject) => {
      this.ended.then(() => reject(new Error(`it ended with ${this.endCode}`)), reject);
      for (const stream of [this.child.stdout, this.child.stderr]) {
        if (stream === null) continue;
        createInterface({ input: stream }).on('line', (line) => {
          onLogLine(line);
          this.log.push(line);
          if (this.log.length > LAST_LINES) this.log.shift();
          for (const protocol of protocols) {
            const port = listeningPort(line, protocol);
            if (port !== null) ports.set(protocol, port);
          }
          if (ports.size === protocols.length) resolve(ports);
        });
      }
    });
  }
}

/** The port of a `listening` line for the protocol on 127.0.0.1; null for any other line. */
function listeningPort(line: string, protocol: Protocol): number | null {
  if (!line.startsWith('{')) return null;
  const entry = JSON.parse(line) as Record<string, unknown>; // written by our own server
  const isMeant = entry['event'] === 'listening' && entry['protocol'] === protocol;
  const port = entry['port'];
  return isMeant && entry['address'] === '127.0.0.1' && typeof port === 'number' ? port : null;
}
