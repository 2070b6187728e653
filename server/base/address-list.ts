/**
 * IP addresses: which are the machine's own, and lists of addresses and networks.
 *
 * An IPv4 address that a socket for both families gives in the form `::ffff:192.0.2.1` counts as the IPv4 address.
 */
import { BlockList, isIP, isIPv4 } from 'node:net';

const MAPPED_PREFIX = '::ffff:';

/** Whether an address is one of the loopback interface. */
export function isLoopbackAddress(address: string): boolean {
  const plain = unmapped(address);
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}

/** Addresses (`192.0.2.7`, `2001:db8::7`) and networks in CIDR notation (`192.0.2.0/24`). */
export class AddressList {
  private readonly ranges: BlockList;

  /** @throws RangeError for an entry that is neither: one that means nothing must not come to mean everybody */
  constructor(entries: readonly string[]) {
    this.ranges = new BlockList();
    for (const entry of entries) {
      const range = parseRange(entry);
      if (range === null) throw new RangeError(`'${entry}' is no IP address and no network`);
      this.ranges.addSubnet(range.address, range.prefix, familyOf(range.address));
    }
  }

  includes(address: string): boolean {
    const plain = unmapped(address);
    return isIP(plain) !== 0 && this.ranges.check(plain, familyOf(plain));
  }
}

/** Whether a text is an IP address, or a network in CIDR notation. */
export function isAddressOrNetwork(text: string): boolean {
  return parseRange(text) !== null;
}

function parseRange(text: string): { address: string; prefix: number } | null {
  const [address = '', prefixText, more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more !== undefined) return null;
  const prefixMax = family === 4 ? 32 : 128;
  if (prefixText === undefined) return { address, prefix: prefixMax };
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : prefixMax + 1;
  return prefix <= prefixMax ? { address, prefix } : null;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

function unmapped(address: string): string {
  const plain = address.startsWith(MAPPED_PREFIX) ? address.slice(MAPPED_PREFIX.length) : address;
  return isIPv4(plain) ? plain : address;
}
