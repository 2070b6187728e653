/**
 * The broker and its AMQP listener in this process, over a file system of the test's choice; without the
 * directory lock and HTTP. It ends with the test.
 */
import { AmqpListener } from '../amqp/listener.ts';
import { UserStore } from '../auth/user-store.ts';
import { Broker, type BrokerTuning } from '../broker/broker.ts';
import type { Vhost } from '../broker/vhost.ts';
import { VhostStore } from '../broker/vhost-store.ts';
import { type ConfigOptions, createConfig } from '../config/config.ts';
import { type FileSystem, realFileSystem } from '../storage/fs.ts';
import { createSilentLogger, type Logger } from '../telemetry/logger.ts';
import { type Teardown, temporaryDirectory } from './temporary-directory.ts';

/** What {@link startAmqp} starts with. */
export interface StartAmqpOptions {
  readonly fs?: FileSystem;
  readonly config?: Partial<ConfigOptions>;
  readonly logger?: Logger;
  readonly tuning?: BrokerTuning;
}

/** A running broker, seen from inside. */
export interface RunningAmqp {
  readonly port: number;
  /** For AMQPS; 0 without a certificate. */
  readonly tlsPort: number;
  readonly users: UserStore;
  readonly broker: Broker;
  readonly vhost: Vhost;
  readonly listener: AmqpListener;
  readonly dataDir: string;
  /** Closes everything politely; also done at the end of the test. */
  stop(): Promise<unknown>;
}

/** Starts a broker in a directory of its own, or in the one that `config` names. */
export async function startAmqp(
  t: Teardown,
  {
    fs = realFileSystem,
    config: options = {},
    logger = createSilentLogger(),
    tuning = {},
  }: StartAmqpOptions = {},
): Promise<RunningAmqp> {
  const dataDir = options.dataDir ?? temporaryDirectory(t);
  const config = createConfig({
    amqpPort: 0,
    amqpsPort: 0,
    bindAddresses: ['127.0.0.1'],
    ...options,
    dataDir,
  });
  const users = await UserStore.load(fs, dataDir, config);
  const vhosts = await VhostStore.load(fs, dataDir);
  const broker = new Broker(fs, vhosts, logger, tuning);
  const services = { config, broker, users, version: '0.0.0' };
  const listener = await AmqpListener.start(services, logger);
  let stopped: Promise<unknown> | null = null;
  const stop = () => {
    stopped ??= listener.stop().then(() => broker.close());
    return stopped;
  };
  t.teardown(stop);
  return {
    port: listener.addresses[0]!.port,
    tlsPort: listener.addresses.find(({ protocol }) => protocol === 'amqps')?.port ?? 0,
    users,
    broker,
    vhost: broker.vhosts.get('/')!,
    listener,
    dataDir,
    stop,
  };
}
