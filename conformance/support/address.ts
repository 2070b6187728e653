/** Where a broker listens, for clients that need no more of its URL. */

/** A TCP address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export function addressOf(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
