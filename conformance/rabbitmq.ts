/**
 * Starts a private RabbitMQ node: Debian's program, everything else (ports, name, cookie, data, name
 * service) of its own and on the loopback interface, so that it neither meets nor disturbs another one.
 * Its users come from a definitions file that is read at boot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningBroker } from './running-broker.ts';
import { eventually } from './support/deadline.ts';
import { freePorts } from './support/free-ports.ts';
import { passwordHash, USERS } from './support/users.ts';

/** The program behind the wrapper of the package, which insists on the user `rabbitmq`. */
const PROGRAM = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_LIMIT_MS = 90_000;

/** @throws Error with the node's output when it does not come up */
export async function startRabbitmq(): Promise<RunningBroker> {
  const directory = mkdtempSync(join(tmpdir(), 'firnmq-rabbitmq-'));
  const [amqp = 0, distribution = 0, names = 0] = await freePorts(3);
  const output = join(directory, 'log', 'node.log');
  const environment = prepare(directory, { amqp, distribution, names });
  // In the foreground: the node would start one that outlives it.
  const nameService = start('epmd', ['-port', `${names}`, '-address', '127.0.0.1'], environment);
  const node = start(PROGRAM, [], environment);
  const abandon = (): void => {
    kill(node);
    kill(nameService);
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', abandon); // also when the run is given up half-way
  const stop = async (): Promise<null> => {
    process.off('exit', abandon);
    const ended = [end(node), end(nameService)];
    kill(node);
    kill(nameService);
    await Promise.all(ended);
    rmSync(directory, { recursive: true, force: true });
    return null;
  };
  try {
    await accepting(node, amqp);
  } catch (error) {
    const log = readIfThere(output);
    await stop();
    throw new Error(`rabbitmq-server did not start: ${String(error)}\n${log}`);
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${amqp}`,
    hasUsers: true,
    description: `a private rabbitmq-server, pid ${node.pid}`,
    stop,
  };
}

interface Ports {
  readonly amqp: number;
  readonly distribution: number;
  /** Of the Erlang name service. */
  readonly names: number;
}

/** Writes the node's files; answers with its environment. */
function prepare(directory: string, ports: Ports): NodeJS.ProcessEnv {
  const inside = (name: string): string => join(directory, name);
  mkdirSync(inside('home'));
  mkdirSync(inside('log'));
  writeFileSync(inside('definitions.json'), JSON.stringify(definitions()));
  writeFileSync(inside('rabbitmq.conf'), `load_definitions = ${inside('definitions.json')}\n`);
  writeFileSync(inside('enabled_plugins'), '[].\n');
  return {
    PATH: process.env['PATH'],
    HOME: inside('home'),
    LANG: 'C.UTF-8',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: `${ports.names}`,
    RABBITMQ_NODENAME: `conformance-${ports.amqp}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: `${ports.amqp}`,
    RABBITMQ_DIST_PORT: `${ports.distribution}`,
    RABBITMQ_MNESIA_BASE: inside('mnesia'),
    RABBITMQ_LOG_BASE: inside('log'),
    RABBITMQ_LOGS: inside(join('log', 'node.log')),
    RABBITMQ_PID_FILE: inside('pid'),
    RABBITMQ_CONFIG_FILE: inside('rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: inside('enabled_plugins'),
  };
}

function definitions(): unknown {
  return {
    users: USERS.map(({ name, password, tags = [] }) => ({
      name,
      password_hash: passwordHash(password),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags,
    })),
    vhosts: [{ name: '/' }],
    permissions: USERS.flatMap(({ name, permissions }) =>
      permissions === null ? [] : [{ user: name, vhost: '/', ...permissions }],
    ),
  };
}

/** Starts a program as the leader of a process group, so that it can be ended with its children. */
function start(program: string, args: string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(program, args, { env, stdio: 'ignore', detached: true });
}

/** The node is not asked to end in order: nothing that it holds is wanted any more. */
function kill(leader: ChildProcess): void {
  if (leader.pid !== undefined && isRunning(leader)) process.kill(-leader.pid, 'SIGKILL');
}

function end(leader: ChildProcess): Promise<unknown> {
  if (leader.pid === undefined || !isRunning(leader)) return Promise.resolve();
  return new Promise((resolve) => leader.once('exit', resolve));
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Waits until the port accepts connections, or the node ended. */
async function accepting(node: ChildProcess, port: number): Promise<void> {
  const ended = new Promise<never>((_resolve, reject) => {
    node.once('error', reject);
    node.once('exit', (code) => reject(new Error(`exit code ${code}`)));
  });
  await Promise.race([eventually('accepting', () => canConnect(port), START_LIMIT_MS), ended]);
}

/** One attempt; a refused one is answered only after a moment, so that attempts do not crowd. */
function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => setTimeout(() => resolve(false), 100));
  });
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-40).join('\n');
  } catch {
    return '(no log was written)';
  }
}
