/** A child process that keeps, with all its threads and children, to one core (taskset of util-linux). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { treeCpuSeconds, treeMemoryBytes, treeOpenFileCount, treePids } from './process-tree.ts';

const TERMINATION_TIMEOUT_MS = 30_000;
const LAST_WORDS_SIZE_MAX = 4096;

/** Whether this machine can keep a process to `core`. */
export function canPinTo(core: number): boolean {
  return spawnSync('taskset', ['-c', String(core), 'true']).status === 0;
}

/**
 * Keeps this process, with all its threads, to `core`.
 *
 * @throws Error when taskset cannot do it.
 */
export function pinThisProcess(core: number): void {
  const { status, stderr } = spawnSync(
    'taskset',
    ['-a', '-p', '-c', String(core), String(process.pid)],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`taskset cannot keep the generator to core ${core}: ${stderr}`);
}

/** Where a child is kept: on one core, on all there are even where this process is kept to one, or (null) as this. */
export type CoreChoice = number | 'all' | null;

/** What a child gets beside its command. */
export interface SpawnOptions {
  /** In addition to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** A channel for messages, as {@link PinnedProcess.ask} needs it. */
  readonly withChannel?: boolean;
}

/** A running child. Its standard output can be read line by line. */
export class PinnedProcess {
  readonly pid: number;
  /** As it was started, with what keeps it to its core. */
  readonly commandLine: string;
  private readonly child: ChildProcess;
  private readonly name: string;
  /** The last of what it wrote, for the error that says that it ended. */
  private lastWords: string;

  private constructor(child: ChildProcess, pid: number, name: string, commandLine: string) {
    this.child = child;
    this.pid = pid;
    this.name = name;
    this.commandLine = commandLine;
    this.lastWords = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.lastWords = (this.lastWords + text).slice(-LAST_WORDS_SIZE_MAX);
    });
  }

  /**
   * Starts a command on a core.
   *
   * @throws Error when taskset, or without a core the command, cannot be run.
   */
  static async spawn(
    core: CoreChoice,
    command: readonly string[],
    { env = {}, withChannel = false }: SpawnOptions = {},
  ): Promise<PinnedProcess> {
    const cores = core === 'all' ? `0-${cpus().length - 1}` : String(core);
    const pinned = core === null ? command : ['taskset', '-c', cores, ...command];
    const child = spawn(pinned[0] ?? '', pinned.slice(1), {
      env: { ...process.env, ...env },
      stdio: withChannel ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    });
    await once(child, 'spawn').catch((error: unknown) => {
      const reason =
        core === null
          ? `${command[0]} cannot be run`
          : 'taskset (util-linux) is needed to keep a process to one core';
      throw new Error(reason, { cause: error });
    });
    if (child.pid === undefined) throw new Error('a process without an id');
    return new PinnedProcess(child, child.pid, command.join(' '), pinned.join(' '));
  }

  /** True until it has ended. */
  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The code that it ended with; null while it runs and when a signal ended it. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** Calls back once it has ended, which it may have already. */
  whenEnded(callback: () => void): void {
    if (this.isRunning) this.child.once('exit', callback);
    else callback();
  }

  /** All of its standard output; rejects when it ends with another code than 0. */
  async readOutput(): Promise<string> {
    let output = '';
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await once(this.child, 'close');
    if (this.child.exitCode !== 0) throw this.endedError();
    return output;
  }

  /** The first value other than null that `find` makes of a line of standard output. */
  async findLine<Found>(find: (line: string) => Found | null): Promise<Found> {
    const { stdout } = this.child;
    if (stdout === null) throw new Error(`${this.name} has no output`);
    const lines = createInterface({ input: stdout });
    try {
      for await (const line of lines) {
        this.lastWords = line;
        const found = find(line);
        if (found !== null) return found;
      }
    } finally {
      lines.close();
      // What follows is read and forgotten, so that a full pipe never stops the process.
      stdout.resume();
    }
    if (this.isRunning) await once(this.child, 'exit');
    throw this.endedError();
  }

  /** Sends a message over its channel, where it listens to one; its next message. */
  async ask(): Promise<unknown> {
    const { child } = this;
    return new Promise<unknown>((resolve, reject) => {
      const onExit = (): void => reject(this.endedError());
      child.once('exit', onExit);
      child.once('message', (answer) => {
        child.off('exit', onExit);
        resolve(answer);
      });
      child.send('ask', (error) => {
        // The channel of one that ends may be closed before the end itself is told: that says more.
        if (error !== null) this.whenEnded(() => reject(this.endedError()));
      });
    });
  }

  /** Reads standard output and forgets it. */
  ignoreOutput(): void {
    this.child.stdout?.resume();
  }

  /** CPU seconds of it and its descendants. */
  cpuSeconds(): number {
    return treeCpuSeconds(this.pid);
  }

  /** Octets that are resident of it and its descendants. */
  memoryBytes(): number {
    return treeMemoryBytes(this.pid);
  }

  /** Files and sockets that it and its descendants have open. */
  openFileCount(): number {
    return treeOpenFileCount(this.pid);
  }

  /** Asks it to end, and kills it with its descendants when it does not. */
  async terminate(): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child, 'exit');
    const timer = setTimeout(() => this.killTree(), TERMINATION_TIMEOUT_MS);
    this.child.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
  }

  /** Ends it with SIGKILL, and its descendants with it; resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child, 'exit');
    this.killTree();
    await ended;
  }

  /** The error that says that, and with what last words, it ended. */
  endedError(): Error {
    const how = this.child.signalCode ?? `code ${this.child.exitCode}`;
    return new Error(`${this.name} ended with ${how}: ${this.lastWords.trim()}`);
  }

  private killTree(): void {
    for (const pid of treePids(this.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}
