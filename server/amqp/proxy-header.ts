/**
 * The header of the PROXY protocol, versions 1 and 2, with which a proxy says for whom it connects. It comes once,
 * before anything else, before a TLS handshake too.
 *
 *     version 1   `PROXY TCP4 192.0.2.1 198.51.100.2 56324 5672\r\n`, at most 107 octets
 *
 *     version 2    0          12     13     14      16
 *                 +----------+------+------+-------+------------------------+-------
 *                 | signature| 2|cmd| af|pr| length| addresses, by family   | TLVs
 *                 +----------+------+------+-------+------------------------+-------
 *
 * Source: HAProxy, "The PROXY protocol, versions 1 and 2". Nothing here trusts anybody: whether a peer may send such
 * a header is decided by the caller.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** An end of a TCP connection. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** What a header says. */
export interface ProxyHeader {
  /** Octets that it takes; what the client sent begins behind it. */
  readonly size: number;
  /** The proxy speaks for itself, as it does to see whether the server is there. */
  readonly isLocal: boolean;
  /** Where the client connected from and to; null when the proxy does not know, or it was no TCP connection. */
  readonly source: Endpoint | null;
  readonly destination: Endpoint | null;
  /** Common name of a client's certificate that the proxy has verified; null where there was none. */
  readonly commonName: string | null;
}

/** `none`: what has come is no such header; `incomplete`: so far it could be one. */
export type ProxyScan = ProxyHeader | 'none' | 'incomplete';

/** A header that breaks the rules of the protocol that it began with. */
export class MalformedProxyHeader extends Error {
  override readonly name = 'MalformedProxyHeader';
}

const V1_START = Buffer.from('PROXY ');
/** The longest line, with its CRLF (2.1). */
const V1_SIZE_MAX = 107;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
const V2_FIXED_SIZE = 16;
/** Addresses and TLVs; proxies send a few hundred octets of them, a certificate's name included. */
const V2_REST_SIZE_MAX = 4096;
/** The most that {@link scanProxyHeader} asks to be kept, in octets. */
export const PROXY_HEADER_SIZE_MAX: number = V2_FIXED_SIZE + V2_REST_SIZE_MAX;

const TLV_SSL = 0x20;
const TLV_SSL_COMMON_NAME = 0x22;
/** The client connected with TLS, and gave a certificate on this connection or in its session. */
const CLIENT_SSL = 0x01;
const CLIENT_CERTIFICATE = 0x02 | 0x04;

/**
 * Looks for a header at the beginning of what a peer sent.
 *
 * @throws MalformedProxyHeader as soon as it is certain that a header that has begun cannot become a right one
 */
export function scanProxyHeader(bytes: Buffer): ProxyScan {
  if (startsAs(bytes, V2_SIGNATURE)) {
    return bytes.length < V2_FIXED_SIZE ? 'incomplete' : scanVersion2(bytes);
  }
  if (startsAs(bytes, V1_START)) {
    return bytes.length < V1_START.length ? 'incomplete' : scanVersion1(bytes);
  }
  return 'none';
}

/** Whether `bytes` begin as `start` does, as far as they go. */
function startsAs(bytes: Buffer, start: Buffer): boolean {
  const size = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, size, 0, size) === 0;
}

// --- version 1 -----------------------------------------------------------------------------------

function scanVersion1(bytes: Buffer): ProxyScan {
  const line = bytes.toString('latin1', 0, V1_SIZE_MAX);
  const end = line.indexOf('\r\n');
  if (end < 0) {
    if (bytes.length >= V1_SIZE_MAX) throw new MalformedProxyHeader('its line does not end');
    return 'incomplete';
  }
  const size = end + 2;
  const [, protocol = '', ...fields] = line.slice(0, end).split(' ');
  if (protocol === 'UNKNOWN') return unknown(size, false);
  if (protocol !== 'TCP4' && protocol !== 'TCP6') {
    throw new MalformedProxyHeader('its protocol is not TCP4, TCP6 or UNKNOWN');
  }
  const isAddress = protocol === 'TCP4' ? isIPv4 : isIPv6;
  const [source = '', destination = '', sourcePort = '', destinationPort = ''] = fields;
  if (fields.length !== 4 || !isAddress(source) || !isAddress(destination)) {
    throw new MalformedProxyHeader(`it does not name two addresses of ${protocol} and two ports`);
  }
  return {
    size,
    isLocal: false,
    source: { address: source, port: parsePort(sourcePort) },
    destination: { address: destination, port: parsePort(destinationPort) },
    commonName: null,
  };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^(0|[1-9]\d{0,4})$/.test(text) && port <= 65_535) return port;
  throw new MalformedProxyHeader('a port is not a number from 0 to 65535');
}

function unknown(size: number, isLocal: boolean): ProxyHeader {
  return { size, isLocal, source: null, destination: null, commonName: null };
}

// --- version 2 -----------------------------------------------------------------------------------

/** Octets of a family's two addresses and two ports, by the octet for family and transport. */
const ADDRESS_SIZES: Readonly<Record<number, number>> = {
  0: 0, // unspecified
  17: 12, // TCP over IPv4
  33: 36, // TCP over IPv6
  49: 216, // Unix stream
};

function scanVersion2(bytes: Buffer): ProxyScan {
  const versionAndCommand = bytes[12]!;
  const family = bytes[13]!;
  const restSize = bytes.readUInt16BE(14);
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) {
    throw new MalformedProxyHeader('its version and command are not 2 and LOCAL or PROXY');
  }
  if (restSize > V2_REST_SIZE_MAX) {
    throw new MalformedProxyHeader(`it is longer than ${PROXY_HEADER_SIZE_MAX} octets`);
  }
  const size = V2_FIXED_SIZE + restSize;
  if (bytes.length < size) return 'incomplete';
  // What follows LOCAL is to be skipped, whatever it is (2.2).
  if (versionAndCommand === 0x20) return unknown(size, true);
  const addressSize = ADDRESS_SIZES[family];
  if (addressSize === undefined) {
    throw new MalformedProxyHeader('its address family is not that of a stream');
  }
  if (restSize < addressSize) throw new MalformedProxyHeader('its addresses are cut short');
  const rest = bytes.subarray(V2_FIXED_SIZE, size);
  const commonName = readTlvs(rest.subarray(addressSize));
  if (family === 0x11) return { ...readEndpoints(rest, 4), size, isLocal: false, commonName };
  if (family === 0x21) return { ...readEndpoints(rest, 16), size, isLocal: false, commonName };
  return { ...unknown(size, false), commonName };
}

function readEndpoints(
  rest: Buffer,
  addressSize: number,
): { readonly source: Endpoint; readonly destination: Endpoint } {
  const ports = 2 * addressSize;
  return {
    source: {
      address: formatAddress(rest.subarray(0, addressSize)),
      port: rest.readUInt16BE(ports),
    },
    destination: {
      address: formatAddress(rest.subarray(addressSize, ports)),
      port: rest.readUInt16BE(ports + 2),
    },
  };
}

function formatAddress(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  const groups = octets.toString('hex').match(/.{4}/g) ?? [];
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}

/** The verified common name in the TLVs, which are skipped otherwise. */
function readTlvs(bytes: Buffer): string | null {
  let commonName: string | null = null;
  for (const { type, value } of tlvs(bytes)) {
    if (type !== TLV_SSL) continue;
    if (value.length < 5) throw new MalformedProxyHeader('its TLV for TLS is cut short');
    const client = value[0]!;
    const isVerified = value.readUInt32BE(1) === 0;
    if ((client & CLIENT_SSL) === 0 || (client & CLIENT_CERTIFICATE) === 0 || !isVerified) continue;
    for (const part of tlvs(value.subarray(5))) {
      if (part.type === TLV_SSL_COMMON_NAME) commonName = part.value.toString('utf8');
    }
  }
  return commonName;
}

function* tlvs(bytes: Buffer): Generator<{ readonly type: number; readonly value: Buffer }> {
  let at = 0;
  while (at < bytes.length) {
    const start = at + 3;
    const end = start <= bytes.length ? start + bytes.readUInt16BE(at + 1) : start;
    if (end > bytes.length) throw new MalformedProxyHeader('a TLV is cut short');
    yield { type: bytes[at]!, value: bytes.subarray(start, end) };
    at = end;
  }
}
