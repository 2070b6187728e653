/**
 * What no TLS client should send: hellos of real ones, damaged, and records that lie about their length, repeat, come
 * at the wrong time, or are none.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc, { type Arbitrary } from 'fast-check';
import { PROTOCOL_HEADER } from '../../generated/index.ts';
import { damaged } from './damage.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { departures } from './structured-cases.ts';

/** Recorded; compiled to `dist/conformance/fuzz`, the file stays with the sources. */
const HELLOS_FILE = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'conformance',
  'fuzz',
  'client-hellos.json',
);

/** The first flights of real clients. */
export function clientHellos(): Arbitrary<Buffer> {
  const recorded = JSON.parse(readFileSync(HELLOS_FILE, 'utf8')) as Record<string, string>; // our own file
  return fc.constantFrom(...Object.values(recorded).map((hex) => Buffer.from(hex, 'hex')));
}

/** TLS records: change-cipher-spec, alert, handshake, application data, heartbeat, or of a type that is none. */
const records: Arbitrary<Buffer> = fc
  .record({
    type: fc.oneof(fc.constantFrom(20, 21, 22, 23, 24), fc.nat(255)),
    version: fc.constantFrom(0x0301, 0x0303, 0x0304, 0x0300, 0x0002, 0xffff),
    payload: fc.uint8Array({ maxLength: 64 }),
    said: fc.option(fc.nat(0xffff)),
  })
  .map(({ type, version, payload, said }) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(type, 0);
    head.writeUInt16BE(version, 1);
    head.writeUInt16BE(said ?? payload.length, 3);
    return Buffer.concat([head, payload]);
  });

/** Sessions at the port for AMQPS that never become one. */
export function tlsCases(): Arbitrary<FuzzCase> {
  const hellos = clientHellos();
  const flights = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: damaged(hellos, 3) },
      { weight: 2, arbitrary: records },
      { weight: 1, arbitrary: fc.constant(PROTOCOL_HEADER) },
    ),
    { minLength: 1, maxLength: 4 },
  );
  return fc.tuple(flights, departures).map(([frames, how]) => ({ door: 'amqps', frames, ...how }));
}
