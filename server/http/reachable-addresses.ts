/**
 * The addresses under which others find a listener. One that is bound to all addresses at once (0.0.0.0
 * or ::) has none of its own that could be typed into a client, so those of the machine stand in.
 */
import { isIPv6 } from 'node:net';
import type { networkInterfaces } from 'node:os';
import { isUnixPath, type ListenerAddress } from '../base/listen-on-addresses.ts';

/** The URLs of a listener, given the machine's interfaces, without repetition. */
export function reachableUrls(
  { protocol, address, port }: ListenerAddress,
  interfaces: ReturnType<typeof networkInterfaces>,
): readonly string[] {
  if (isUnixPath(address)) return [`${protocol}+unix://${address}`];
  const hosts = isWildcard(address) ? machineAddresses(address, interfaces) : [address];
  const end = protocol === 'http' ? '/' : '';
  return hosts.map((host) => `${protocol}://${isIPv6(host) ? `[${host}]` : host}:${port}${end}`);
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** `::` takes IPv4 connections too. Link-local addresses are left out: they need a zone, which URLs have not. */
function machineAddresses(
  wildcard: string,
  interfaces: ReturnType<typeof networkInterfaces>,
): readonly string[] {
  return Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4' || wildcard === '::')
    .map(({ address }) => address)
    .filter((address) => !address.startsWith('fe80:'));
}
