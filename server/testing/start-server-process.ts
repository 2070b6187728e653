/**
 * The real server, in a process of its own, for tests of what only a process has: signals, exit codes,
 * kills, start-up. It ends with the test.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawnNode } from './spawn-node.ts';
import type { Teardown } from './temporary-directory.ts';

/** One line of the server's log, as JSON. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string };

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Options of {@link spawnServerProcess} and {@link startServerProcess}. */
export interface ServerProcessOptions {
  /** The data directory. */
  readonly dataDir: string;
  /** More of the command line; both ports are 0 unless it says otherwise. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Options for Node itself. */
  readonly nodeArgs?: readonly string[];
}

/** A server process that was started and may be anything between starting and ended. */
export interface ServerProcess {
  readonly pid: number;
  /** All log lines so far. */
  readonly log: readonly LogLine[];
  /** Everything on its standard error so far. */
  readonly stderr: string;
  /** Resolves when the process is gone and its output was read. */
  readonly stopped: Promise<ProcessEnd>;
  kill(signal: NodeJS.Signals): void;
  /** The first log line of an event, past or to come; rejects when the process ends without one. */
  waitForEvent(event: string, matches?: (line: LogLine) => boolean): Promise<LogLine>;
}

/** A server process that accepts connections. */
export interface RunningServerProcess extends ServerProcess {
  readonly amqpPort: number;
  readonly httpPort: number;
}

/** The program, as users run it. */
export const serverMain: string = fileURLToPath(new URL('../../firnmq/main.js', import.meta.url));

class SpawnedServer implements ServerProcess {
  readonly log: LogLine[] = [];
  readonly stopped: Promise<ProcessEnd>;
  stderr: string = '';
  private readonly child: ChildProcess;
  private readonly watchers: Set<() => void> = new Set();
  private end: ProcessEnd | null = null;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = spawnNode(command, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += String(chunk);
    });
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        this.log.push(JSON.parse(line) as LogLine);
        this.wakeWatchers();
      });
    }
    this.stopped = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.end = { code, signal };
        resolve(this.end);
        this.wakeWatchers();
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  waitForEvent(event: string, matches: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const line = this.log.find((candidate) => candidate.event === event && matches(candidate));
        if (line === undefined && this.end === null) return;
        this.watchers.delete(look);
        if (line !== undefined) resolve(line);
        else reject(new Error(`the server ended without '${event}'\n${this.describe()}`));
      };
      this.watchers.add(look);
      look();
    });
  }

  private describe(): string {
    const lines = this.log.map((line) => JSON.stringify(line)).join('\n');
    return `${JSON.stringify(this.end)}\n${lines}\n${this.stderr}`;
  }

  private wakeWatchers(): void {
    for (const look of [...this.watchers]) look();
  }
}

/** Starts the server and returns at once; kills it at the end of the test if it still runs then. */
export function spawnServerProcess(
  t: Teardown,
  { dataDir, args = [], env = {}, nodeArgs = [] }: ServerProcessOptions,
): ServerProcess {
  const ownArgs = ['-D', dataDir, '--amqp-port', '0', '--http-port', '0'];
  const server = new SpawnedServer([...nodeArgs, serverMain, ...ownArgs, ...args], env);
  t.teardown(() => {
    server.kill('SIGKILL');
    return server.stopped;
  });
  return server;
}

/** Starts the server and waits until both its listeners accept connections on 127.0.0.1. */
export async function startServerProcess(
  t: Teardown,
  options: ServerProcessOptions,
): Promise<RunningServerProcess> {
  const server = spawnServerProcess(t, options);
  const portOf = async (protocol: string): Promise<number> => {
    const isMine = (line: LogLine) =>
      line['protocol'] === protocol && line['address'] === '127.0.0.1';
    return Number((await server.waitForEvent('listening', isMine))['port']);
  };
  const amqpPort = await portOf('amqp');
  const httpPort = await portOf('http');
  return Object.assign(server, { amqpPort, httpPort });
}
