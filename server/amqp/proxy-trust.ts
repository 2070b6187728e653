/** Which peers may say with the PROXY protocol for whom they connect. */
import type { Socket } from 'node:net';
import { AddressList } from '../base/address-list.ts';
import type { Door } from './transport.ts';

const UNIX = 'unix';

/** Trusted proxies. */
export class ProxyTrust {
  private readonly addresses: AddressList;
  private readonly includesUnix: boolean;

  /** @throws RangeError for a source that is no address, no network and not `unix` */
  constructor(sources: readonly string[]) {
    this.addresses = new AddressList(sources.filter((source) => source !== UNIX));
    this.includesUnix = sources.includes(UNIX);
  }

  /** Whether a header is looked for on a socket. */
  covers(socket: Socket, door: Door): boolean {
    if (door.unixPath !== null) return this.includesUnix;
    return socket.remoteAddress !== undefined && this.addresses.includes(socket.remoteAddress);
  }
}
