/** Knocks at the doors of a server under fuzz. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { within } from '../support/deadline.ts';
import type { LocalServer } from '../support/local-server.ts';
import { AUTHORITY_PATH } from '../support/tls-files.ts';
import type { Door } from './fuzz-case.ts';

/** The loopback address that the server is told to trust as a proxy; sessions that are to be proxied come from there. */
const PROXY_ADDRESS = '127.0.0.2';
/** What the server is started with. */
export const DOOR_SETTINGS: Readonly<Record<string, string>> = {
  FIRNMQ_AMQP_TCP_PROXY_PROTOCOL: PROXY_ADDRESS,
};

const AUTHORITY = readFileSync(AUTHORITY_PATH, 'utf8');

/** The ports of a server. */
export type DoorPorts = Readonly<Record<'amqp' | 'amqps' | 'http', number>>;

export function doorPortsOf(server: LocalServer): DoorPorts {
  return {
    amqp: server.portOf('amqp'),
    amqps: server.portOf('amqps'),
    http: server.portOf('http'),
  };
}

/** Opens the socket, and TLS on it where the door asks for that. */
export async function openDoor(door: Door, ports: DoorPorts): Promise<Socket> {
  const tcp = await openSocket(door, ports);
  if (door !== 'tls') return tcp;
  const opening = new Promise<Socket>((resolve, reject) => {
    const socket = connectTls({ socket: tcp, ca: AUTHORITY, servername: 'localhost' });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
  return within(opening, 'TLS handshake');
}

function openSocket(door: Door, ports: DoorPorts): Promise<Socket> {
  const isProxied = door === 'amqp-proxied' || door === 'amqps-proxied';
  const opening = new Promise<Socket>((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: portOf(door, ports),
      noDelay: true,
      ...(isProxied ? { localAddress: PROXY_ADDRESS } : {}),
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined); // a reset is an end, too
      resolve(socket);
    });
  });
  return within(opening, 'TCP connection');
}

function portOf(door: Door, ports: DoorPorts): number {
  switch (door) {
    case 'amqp':
    case 'amqp-proxied':
      return ports.amqp;
    case 'tls':
    case 'amqps':
    case 'amqps-proxied':
      return ports.amqps;
    case 'http':
      return ports.http;
  }
}
