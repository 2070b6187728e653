/** This repository's server as a child process on free ports, which can be ended and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const SERVER_MAIN = join(import.meta.dirname, '..', '..', 'server', 'main.js');

export class LocalServer {
  private readonly dataDirectory: string;
  private child: ChildProcess;
  private port: number;

  private constructor(dataDirectory: string, child: ChildProcess, port: number) {
    this.dataDirectory = dataDirectory;
    this.child = child;
    this.port = port;
  }

  /** Starts a server on a new temporary directory. */
  static async start(): Promise<LocalServer> {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'firnmq-interop-'));
    const child = spawnServer(dataDirectory);
    return new LocalServer(dataDirectory, child, await amqpPort(child));
  }

  /** Where it listens; another port after every restart. */
  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  /** Ends the process with a signal and starts another one on the same directory. */
  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await end(this.child, signal);
    this.child = spawnServer(this.dataDirectory);
    this.port = await amqpPort(this.child);
  }

  /** Ends the process in order and deletes its directory. */
  async stop(): Promise<void> {
    try {
      await end(this.child, 'SIGTERM');
    } finally {
      await rm(this.dataDirectory, { recursive: true });
    }
  }
}

function spawnServer(dataDirectory: string): ChildProcess {
  const args = [SERVER_MAIN, '-D', dataDirectory, '-p', '0', '--http-port', '0'];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Waits for the log line that tells the port; reads on after it, so that the log never fills its pipe. */
function amqpPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('the server has no standard output');
    const log: string[] = [];
    child.once('exit', () => reject(new Error(`the server did not start\n${log.join('\n')}`)));
    createInterface({ input: child.stdout }).on('line', (text) => {
      // Written by our own server, one JSON object a line.
      const line = JSON.parse(text) as Record<string, unknown>;
      const isAmqp = line['event'] === 'listening' && line['protocol'] === 'amqp';
      if (isAmqp && line['address'] === '127.0.0.1') resolve(Number(line['port']));
      else log.push(text);
    });
  });
}

/** @throws Error when the process was not there any more, or does not end as the signal demands */
async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    if (signal === 'SIGKILL' || child.exitCode === 0) return;
  }
  throw new Error(`the server ended with ${child.signalCode ?? child.exitCode}`);
}
