/**
 * Headers of the PROXY protocol, in order and not, in front of sessions of AMQP or of a TLS handshake, sent from an
 * address that the server trusts as a proxy.
 */
import fc, { type Arbitrary } from 'fast-check';
import { damaged } from './damage.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { departures, structuredCases } from './structured-cases.ts';
import { clientHellos } from './tls-cases.ts';

const addresses = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('127.0.0.1', '192.0.2.1', '::1', '2001:db8::7') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '256.1.1.1', '::ffff:127.0.0.1', 'localhost', '1', '0x7f.1'),
  },
);
const ports = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('0', '1', '5672', '65535') },
  { weight: 1, arbitrary: fc.constantFrom('', '65536', '-1', '01', '1e3', '5672 ', '99999999999') },
);

const linesOfVersion1: Arbitrary<Buffer> = fc
  .record({
    protocol: fc.constantFrom('TCP4', 'TCP6', 'UNKNOWN', 'TCP4', 'TCP5', 'tcp4', ''),
    fields: fc.tuple(addresses, addresses, ports, ports),
    left: fc.constantFrom(4, 4, 4, 3, 0),
    end: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', ' \r\n', '', ' '.repeat(200)),
  })
  .map(({ protocol, fields, left, end }) =>
    Buffer.from(`${['PROXY', protocol, ...fields.slice(0, left)].join(' ')}${end}`),
  );

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');
const IPV4 = Buffer.from([127, 0, 0, 1, 127, 0, 0, 1, 0x30, 0x39, 0x16, 0x28]);

/** Type, length and value; the length may lie. A value may be such a list itself, as that of TLS is. */
const tlvs: Arbitrary<Buffer> = fc
  .array(
    fc.record({
      type: fc.oneof(fc.constantFrom(0x01, 0x02, 0x20, 0x21, 0x22, 0x30), fc.nat(255)),
      value: fc.oneof(
        fc.uint8Array({ maxLength: 24 }),
        fc
          .uint8Array({ maxLength: 12 })
          .map((name) => Buffer.concat([Buffer.from([7, 0, 0, 0, 0, 0x22, 0, name.length]), name])),
      ),
      said: fc.option(fc.nat(0xffff), { freq: 6 }),
    }),
    { maxLength: 4 },
  )
  .map((list) =>
    Buffer.concat(
      list.flatMap(({ type, value, said }) => {
        const size = said ?? value.length;
        return [Buffer.from([type, size >> 8, size & 0xff]), Buffer.from(value)];
      }),
    ),
  );

const headersOfVersion2: Arbitrary<Buffer> = fc
  .record({
    command: fc.constantFrom(0x21, 0x21, 0x21, 0x20, 0x22, 0x11, 0xff),
    family: fc.constantFrom(0x11, 0x11, 0x21, 0x31, 0x00, 0x12, 0x41, 0xff),
    addresses: fc.oneof(fc.constant(IPV4), fc.uint8Array({ maxLength: 220 })),
    more: tlvs,
    said: fc.option(fc.oneof(fc.nat(300), fc.nat(0xffff)), { freq: 5 }),
  })
  .map(({ command, family, addresses: octets, more, said }) => {
    const rest = Buffer.concat([octets, more]);
    const size = said ?? rest.length;
    const fixed = Buffer.from([command, family, size >> 8, size & 0xff]);
    return Buffer.concat([SIGNATURE, fixed, rest]);
  });

const headers: Arbitrary<Buffer> = fc.oneof(
  { weight: 3, arbitrary: damaged(linesOfVersion1, 2) },
  { weight: 3, arbitrary: damaged(headersOfVersion2, 2) },
  { weight: 1, arbitrary: linesOfVersion1 },
  { weight: 1, arbitrary: headersOfVersion2 },
);

/** Sessions behind a header, or two. */
export function proxyCases(): Arbitrary<FuzzCase> {
  const chains = fc.array(headers, { minLength: 1, maxLength: 2 });
  const hellos = clientHellos().map(
    (hello) => ({ door: 'amqps-proxied', frames: [hello] }) as const,
  );
  const sessions = structuredCases.map(({ frames }) => ({ door: 'amqp-proxied', frames }) as const);
  return fc
    .tuple(chains, fc.oneof({ weight: 3, arbitrary: sessions }, hellos), departures)
    .map(([chain, { door, frames }, how]) => ({ door, frames: [...chain, ...frames], ...how }));
}
