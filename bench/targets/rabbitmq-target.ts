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
import { type AmqpUri, parseAmqpUri } from '../amqp/amqp-uri.ts';
import { awaitBroker } from './await-broker.ts';
import { PinnedProcess } from './pinned-process.ts';
import { writeCertificate } from './self-signed.ts';
import type { RunningTarget, Target, TlsListener } from './target.ts';

/** The script below the packaged one, which would change to the package's own user and directories. */
const RABBITMQ_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const COOKIE_MODE = 0o400;

/** Whether this machine has it. */
export function isRabbitmqInstalled(): boolean {
  return existsSync(RABBITMQ_SERVER);
}

/** RabbitMQ kept to `core` (null: anywhere), with all its processes; on one its Erlang starts one scheduler. */
export function createRabbitmqTarget(core: number | null): Target {
  return {
    name: 'rabbitmq',
    isOurs: false,
    isBroker: true,
    canWriteConsumed: false,
    start: ({ withTls }) => startRabbitmq(core, withTls),
  };
}

async function startRabbitmq(core: number | null, withTls: boolean): Promise<RunningTarget> {
  const home = await mkdtemp(join(tmpdir(), 'rabbitmq-bench-'));
  await writeFile(join(home, '.erlang.cookie'), 'firnmqbench', { mode: COOKIE_MODE });
  await writeFile(join(home, 'enabled_plugins'), '[].');
  const [amqpPort, distributionPort, epmdPort, tlsPort = 0] = await findFreePorts(4);
  const tls = withTls ? await configureTls(home, tlsPort) : null;
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
  const portMapper = await PinnedProcess.spawn(core, ['epmd'], { env });
  portMapper.ignoreOutput();
  const removeAll = async (): Promise<void> => {
    await portMapper.terminate();
    await rm(home, { recursive: true, force: true });
  };
  try {
    return await startNode(core, { uri, tls, env }, removeAll);
  } catch (error) {
    await removeAll();
    throw error;
  }
}

/** How a node is reached and started. */
interface Node {
  readonly uri: AmqpUri;
  readonly tls: TlsListener | null;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts the node; `removeAll` is called when it has been stopped. */
async function startNode(
  core: number | null,
  node: Node,
  removeAll: () => Promise<void>,
): Promise<RunningTarget> {
  const { uri, tls, env } = node;
  const startedMs = performance.now();
  const broker = await PinnedProcess.spawn(core, [RABBITMQ_SERVER], { env });
  broker.ignoreOutput();
  try {
    await awaitBroker(uri, broker);
  } catch (error) {
    await broker.terminate();
    throw error;
  }
  return {
    uri,
    tls,
    startupMs: performance.now() - startedMs,
    command: broker.commandLine,
    cpuSeconds: () => broker.cpuSeconds(),
    memoryBytes: () => broker.memoryBytes(),
    openFileCount: () => broker.openFileCount(),
    loopDelay: async () => null,
    killAndRestart: async () => {
      await broker.kill();
      return startNode(core, node, removeAll);
    },
    // Nothing of it is to be kept, and a full node takes minutes to stop in order.
    stop: async () => {
      await broker.kill();
      await removeAll();
    },
  };
}

/** Has the node listen for TLS too. */
async function configureTls(home: string, port: number): Promise<TlsListener> {
  const { certPath, keyPath, cert } = await writeCertificate(home);
  const lines = [
    `listeners.ssl.1 = 127.0.0.1:${port}`,
    `ssl_options.cacertfile = ${certPath}`,
    `ssl_options.certfile = ${certPath}`,
    `ssl_options.keyfile = ${keyPath}`,
    'ssl_options.verify = verify_none',
    'ssl_options.fail_if_no_peer_cert = false',
  ];
  await writeFile(join(home, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  return { port, ca: cert, caPath: certPath };
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
