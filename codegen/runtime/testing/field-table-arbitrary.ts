/**
 * Random field tables for property tests: every tag, nested, with the values at the edges.
 *
 * Only values that survive encoding are made: a 64-bit value is a bigint only where it must be, a text
 * is a Buffer only where it is not UTF-8, and a float is one of 32 bits.
 */
import { isUtf8 } from 'node:buffer';
import fc, { type Arbitrary } from 'fast-check';
import type { FieldTable, FieldValue } from '../field-table.ts';

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;
const U64_MAX = 2n ** 64n - 1n;

/** Short strings: up to 255 octets of UTF-8. */
export const shortstrs: Arbitrary<string> = fc.string({ unit: 'binary', maxLength: 63 });

/** Long strings. */
export const longstrs: Arbitrary<Buffer> = fc
  .uint8Array({ maxLength: 300 })
  .map((octets) => Buffer.from(octets));

const levels = fc.letrec<{
  value: FieldValue;
  table: FieldTable;
}>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaves(),
    fc.array(tie('value'), { maxLength: 4 }).map((value) => ({ tag: 'A', value }) as const),
    tie('table').map((value) => ({ tag: 'F', value }) as const),
  ),
  table: fc
    .array(fc.tuple(shortstrs, tie('value')), { maxLength: 4 })
    .map((entries) => new Map(entries)),
}));

/** Values of every tag, tables and arrays among them. */
export const anyValue: Arbitrary<FieldValue> = levels.value;

/** Field tables of a few levels. */
export const fieldTables: Arbitrary<FieldTable> = levels.table;

function leaves(): Arbitrary<FieldValue> {
  return fc.oneof(
    fc.boolean().map((value) => ({ tag: 't', value }) as const),
    numbers('b', fc.integer({ min: -0x80, max: 0x7f })),
    numbers('B', fc.nat(0xff)),
    numbers('s', fc.integer({ min: -0x8000, max: 0x7fff })),
    numbers('u', fc.nat(0xffff)),
    numbers('I', fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })),
    numbers('i', fc.nat(0xffff_ffff)),
    numbers('f', fc.float()),
    numbers('d', fc.double()),
    wideIntegers('l', I64_MIN, I64_MAX),
    wideIntegers('L', I64_MIN, I64_MAX),
    wideIntegers('T', 0n, U64_MAX),
    fc
      .tuple(fc.nat(0xff), fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }))
      .map(([scale, value]) => ({ tag: 'D', scale, value }) as const),
    fc.string({ unit: 'binary' }).map((value) => ({ tag: 'S', value }) as const),
    longstrs.filter((octets) => !isUtf8(octets)).map((value) => ({ tag: 'S', value }) as const),
    longstrs.map((value) => ({ tag: 'x', value }) as const),
    fc.constant({ tag: 'V', value: null } as const),
  );
}

function numbers(
  tag: 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd',
  values: Arbitrary<number>,
): Arbitrary<FieldValue> {
  return values.map((value) => ({ tag, value }));
}

function wideIntegers(tag: 'l' | 'L' | 'T', min: bigint, max: bigint): Arbitrary<FieldValue> {
  return fc
    .bigInt({ min, max })
    .map((value) => ({ tag, value: value >= -SAFE && value <= SAFE ? Number(value) : value }));
}
