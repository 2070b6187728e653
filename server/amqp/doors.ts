/** The listening sockets of AMQP: addresses and ports, with TLS and without, and a Unix socket. */
import { createServer, type Server, type ServerOpts } from 'node:net';
import { type ListenResult, listenOnAddresses } from '../base/listen-on-addresses.ts';
import { listenOnUnixSocket } from '../base/listen-on-unix-socket.ts';
import type { Config } from '../config/config.ts';
import type { Arrivals } from './arrivals.ts';
import type { Door } from './transport.ts';

/**
 * Opens all that are configured; what comes in goes to `arrivals`.
 *
 * @throws ListenError when one cannot be opened; those that were are closed again
 */
export async function openDoors(
  config: Config,
  servesTls: boolean,
  arrivals: Arrivals,
): Promise<ListenResult<Server>> {
  const options = tcpOptions(config);
  const addresses = config.amqpBindAddresses ?? config.bindAddresses;
  const listening: ListenResult<Server>['listening'][number][] = [];
  const skipped: ListenResult<Server>['skipped'][number][] = [];
  const openAll = async (protocol: Door['protocol'], port: number) => {
    const door = { protocol, unixPath: null };
    const opened = await listenOnAddresses(protocol, addresses, port, () =>
      createServer(options, (socket) => arrivals.receive(socket, door)),
    );
    listening.push(...opened.listening);
    skipped.push(...opened.skipped);
  };
  try {
    await openAll('amqp', config.amqpPort);
    if (servesTls && config.amqpsPort !== null) await openAll('amqps', config.amqpsPort);
    const { amqpUnixPath: unixPath, amqpUnixMode } = config;
    if (unixPath !== null) {
      const door: Door = { protocol: 'amqp', unixPath };
      const create = () => createServer((socket) => arrivals.receive(socket, door));
      listening.push(await listenOnUnixSocket('amqp', unixPath, amqpUnixMode, create));
    }
  } catch (error) {
    for (const { server } of listening) server.close();
    throw error;
  }
  return { listening, skipped };
}

/** What every accepted socket is set to, before anybody sees it. */
export function tcpOptions({
  tcpNodelay,
  tcpKeepaliveIdleSeconds,
}: Pick<Config, 'tcpNodelay' | 'tcpKeepaliveIdleSeconds'>): ServerOpts {
  return {
    noDelay: tcpNodelay,
    keepAlive: tcpKeepaliveIdleSeconds !== null,
    keepAliveInitialDelay: (tcpKeepaliveIdleSeconds ?? 0) * 1000,
  };
}
