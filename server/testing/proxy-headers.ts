/** Headers of the PROXY protocol, version 2, as a proxy sends them or should not. */

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');

/** A header with its octets for version and command, and for family and transport; the parts in their order. */
export function proxyHeaderV2(
  versionAndCommand: number,
  family: number,
  ...parts: readonly Buffer[]
): Buffer {
  const rest = Buffer.concat(parts);
  const fixed = Buffer.from([versionAndCommand, family, rest.length >> 8, rest.length & 0xff]);
  return Buffer.concat([SIGNATURE, fixed, rest]);
}

/** Type, length, value. */
export function tlv(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}
