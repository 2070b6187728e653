/** Loopback ports for a program that cannot be told to choose its own. */
import { createServer } from 'node:net';

/**
 * Ports that were free a moment ago, all different. Another program may take one before it is used;
 * the broker then fails to start, which is told as such.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen()));
  const ports = servers.map(({ port }) => port);
  await Promise.all(servers.map(({ close }) => close()));
  return ports;
}

function listen(): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no TCP address');
      const close = (): Promise<void> => new Promise((closed) => server.close(() => closed()));
      resolve({ port: address.port, close });
    });
  });
}
