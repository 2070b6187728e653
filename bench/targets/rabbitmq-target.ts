/**
 * The machine's own RabbitMQ (Debian's package rabbitmq-server), as a private node with default settings:
 * directories, ports, cookie and port mapper of its own, so that it meets no other node.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseAmqpUri } from '../amqp/amqp-uri.ts';
import { awaitBroker } from './await-broker.ts';
import { PinnedProcess } from './pinned-process.ts';
import type { RunningTarget, Target } from './target.ts';

/** The script below the packaged one, which would change to the package's own user and directories. */
const RABBITMQ_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const COOKIE_MODE = 0o400;

/** Whether this machine has it. */
export function isRabbitmqInstalled(): boolean {
  return existsSync(RABBITMQ_SERVER);
}

/** RabbitMQ kept to `core`, with all its processes; its Erlang starts one scheduler then. */
export function createRabbitmqTarget(core: number): Target {
  return { name: 'rabbitmq', start: () => startRabbitmq(core) };
}

async function startRabbitmq(core: number): Promise<RunningTarget> {
  const home = await mkdtemp(join(tmpdir(), 'rabbitmq-bench-'));
  await writeFile(join(home, '.erlang.cookie'), 'firnmqbench', { mode: COOKIE_MODE });
  await writeFile(join(home, 'enabled_plugins'), '[].');
  const [amqpPort, distributionPort, epmdPort] = await findFreePorts(3);
  const env = {
    HOME: home,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: 'firnmqbench@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(amqpPort),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(home, 'mnesia'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'rabbitmq-env.conf'),
  };
  const uri = parseAmqpUri(`amqp://127.0.0.1:${amqpPort}`);
  // The node would start a port mapper that outlives it.
  const portMapper = await PinnedProcess.spawn(core, ['epmd'], env);
  portMapper.ignoreOutput();
  const startedMs = performance.now();
  const broker = await PinnedProcess.spawn(core, [RABBITMQ_SERVER], env);
  broker.ignoreOutput();
  const stop = async (): Promise<void> => {
    await broker.terminate();
    await portMapper.terminate();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await awaitBroker(uri, broker);
    const startupMs = performance.now() - startedMs;
    return { uri, startupMs, cpuSeconds: () => broker.cpuSeconds(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ports of loopback that were free a moment ago. */
async function findFreePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}
