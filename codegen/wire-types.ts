/** How each elementary type of the wire is written in generated TypeScript. */
import type { WireType } from './model.ts';

/** A number of fixed size. */
export interface NumberType {
  readonly kind: 'number';
  readonly tsType: 'number';
  /** Octets. */
  readonly size: number;
  /** `writer(buf, at, value)` and `peeker(buf, at)`, functions of runtime/bytes.ts. */
  readonly writer: string;
  readonly peeker: string;
  /** The method of ByteReader that reads it, and the call that steps over it. */
  readonly reader: string;
  readonly skip: string;
}

/** A string or table: octets behind a length. */
export interface StringType {
  readonly kind: 'string';
  readonly tsType: 'string' | 'Buffer' | 'FieldTable';
  /** Octets of its length, which are all octets of an empty one. */
  readonly lengthSize: 1 | 4;
  /** Octets that it takes, as a constant part and a function that counts the rest. */
  readonly sizeConstant: number;
  readonly sizeOf: (value: string) => string;
  /** `writer(buf, at, value)` returns the offset behind it. */
  readonly writer: string;
  /** Writes the length of an empty one. */
  readonly lengthWriter: string;
  /** The method of ByteReader that reads it, and the call that steps over it. */
  readonly reader: string;
  readonly skip: string;
}

/** One bit; its neighbours share the octet. */
export interface BitType {
  readonly kind: 'bit';
  readonly tsType: 'boolean';
}

/** The TypeScript side of a wire type. */
export type WireTypePlan = NumberType | StringType | BitType;

const WIRE_TYPE_PLANS: Readonly<Record<WireType, WireTypePlan>> = {
  bit: { kind: 'bit', tsType: 'boolean' },
  octet: number(1, 'U8'),
  short: number(2, 'U16'),
  long: number(4, 'U32'),
  longlong: number(8, 'U64'),
  timestamp: number(8, 'U64'),
  shortstr: {
    kind: 'string',
    tsType: 'string',
    lengthSize: 1,
    lengthWriter: 'writeU8',
    sizeConstant: 1,
    sizeOf: (value) => `Buffer.byteLength(${value})`,
    writer: 'writeShortstr',
    reader: 'shortstr',
    skip: 'skipShortstr()',
  },
  longstr: {
    kind: 'string',
    tsType: 'Buffer',
    lengthSize: 4,
    lengthWriter: 'writeU32',
    sizeConstant: 4,
    sizeOf: (value) => `${value}.length`,
    writer: 'writeLongstr',
    reader: 'longstr',
    skip: 'skipLongstr()',
  },
  table: {
    kind: 'string',
    tsType: 'FieldTable',
    lengthSize: 4,
    lengthWriter: 'writeU32',
    // sizeOfFieldTable counts the octets of the length itself.
    sizeConstant: 0,
    sizeOf: (value) => `sizeOfFieldTable(${value})`,
    writer: 'encodeFieldTable',
    reader: 'table',
    skip: 'skipLongstr()',
  },
};

/** How the wire type is written. */
export function planWireType(type: WireType): WireTypePlan {
  return WIRE_TYPE_PLANS[type];
}

/** Octets of the encoded string or table at `p` of `buf`, as an expression. */
export function sizeAtExpression(type: StringType): string {
  return type.lengthSize === 1 ? '1 + buf[p]!' : '4 + readU32(buf, p)';
}

function number(size: number, suffix: string): NumberType {
  return {
    kind: 'number',
    tsType: 'number',
    size,
    writer: `write${suffix}`,
    peeker: `read${suffix}`,
    reader: suffix.toLowerCase(),
    skip: `skip(${size})`,
  };
}
