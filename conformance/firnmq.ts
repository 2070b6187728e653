/** Starts this repository's server as its users do, on a free port with a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunningBroker } from './running-broker.ts';
import { PATIENCE_MS, within } from './support/deadline.ts';
import { passwordHash, USERS } from './support/users.ts';

const SERVER = join(import.meta.dirname, '..', 'server', 'main.js');
const LAST_LINES = 20;

/** @throws Error with the last lines of the server's log when it does not come up */
export async function startFirnmq(): Promise<RunningBroker> {
  const directory = mkdtempSync(join(tmpdir(), 'firnmq-conformance-'));
  writeFileSync(join(directory, 'users.json'), JSON.stringify(users()));
  const child = spawn(process.execPath, [SERVER, '-D', directory, '-p', '0', '--http-port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const abandon = (): void => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', abandon); // also when the run is given up half-way
  const log: string[] = [];
  const port = await amqpPort(child, log).catch((error: unknown) => {
    process.off('exit', abandon);
    abandon();
    throw new Error(`the server did not start: ${String(error)}\n${log.join('\n')}`);
  });
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    hasUsers: true,
    description: `dist/server/main.js, pid ${child.pid}`,
    stop: async () => {
      process.off('exit', abandon);
      const complaint = await stop(child, log);
      rmSync(directory, { recursive: true, force: true });
      return complaint;
    },
  };
}

/** What users.json holds: guest, and the users of the suite. */
function users(): unknown {
  return USERS.map(({ name, password, permissions }) => ({
    name,
    password_hash: passwordHash(password),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: [],
    permissions: permissions === null ? {} : { '/': permissions },
  }));
}

/** Reads the log up to the line that tells the AMQP port; keeps the last lines of all that follows. */
function amqpPort(child: ChildProcess, log: string[]): Promise<number> {
  const told = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`exit code ${code}`)));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        log.push(line);
        if (log.length > LAST_LINES) log.shift();
        const port = listeningPort(line);
        if (port !== null) resolve(port);
      });
    }
  });
  return within(told, 'log line with the AMQP port');
}

/** The port of a `listening` line for amqp on 127.0.0.1; null for any other line. */
function listeningPort(line: string): number | null {
  if (!line.startsWith('{')) return null;
  const entry = JSON.parse(line) as Record<string, unknown>;
  const isAmqp = entry['event'] === 'listening' && entry['protocol'] === 'amqp';
  const port = entry['port'];
  return isAmqp && entry['address'] === '127.0.0.1' && typeof port === 'number' ? port : null;
}

/** Asks the server to end; a server that is gone already, or does not end with 0, is a complaint. */
async function stop(child: ChildProcess, log: readonly string[]): Promise<string | null> {
  const trouble = (what: string): string => `${what}\n${log.join('\n')}`;
  if (child.exitCode !== null || child.signalCode !== null) {
    return trouble(`the server ended by itself (${child.exitCode ?? child.signalCode})`);
  }
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  try {
    const code = await within(ended, 'end of the server after SIGTERM', PATIENCE_MS);
    return code === 0 ? null : trouble(`the server ended with code ${code}`);
  } catch (error) {
    child.kill('SIGKILL');
    return trouble(String(error));
  }
}
