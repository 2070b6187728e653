/**
 * Random methods, properties and frames, made from the metadata: a method that the spec gains is
 * covered without a line here.
 */
import fc, { type Arbitrary } from 'fast-check';
import {
  fieldTables,
  longstrs,
  shortstrs,
} from '../../codegen/runtime/testing/field-table-arbitrary.ts';
import {
  type AnyMethod,
  BASIC_CLASS_ID,
  type BasicProperties,
  CLASSES,
  encodeBodyFrame,
  encodeContentHeader,
  encodeHeartbeat,
  encodeMethod,
  type FieldInfo,
  METHODS,
  type MethodInfo,
  sizeOfContentHeader,
  sizeOfMethod,
  type WireType,
} from '../index.ts';

const VALUES: Readonly<Record<WireType, Arbitrary<unknown>>> = {
  bit: fc.boolean(),
  octet: fc.nat(0xff),
  short: fc.nat(0xffff),
  long: fc.nat(0xffff_ffff),
  longlong: fc.maxSafeNat(),
  timestamp: fc.maxSafeNat(),
  shortstr: shortstrs,
  longstr: longstrs,
  table: fieldTables,
};

/** Arguments for this method. */
export function methodsOf(info: MethodInfo): Arbitrary<AnyMethod> {
  const fields = info.fields.filter((field) => !field.reserved);
  return fc
    .record(recordModel(fields), { noNullPrototype: true })
    .map(
      (args) => ({ id: info.id, name: `${info.className}.${info.methodName}`, args }) as AnyMethod,
    );
}

/** Any method of all. */
export const anyMethods: Arbitrary<AnyMethod> = fc.oneof(...METHODS.map(methodsOf));

/** Content properties of class basic, any of them absent. */
export const basicProperties: Arbitrary<BasicProperties> = fc
  .record(recordModel(propertiesOfBasic()), { requiredKeys: [], noNullPrototype: true })
  .map((properties) => properties as BasicProperties);

const channels = fc.nat(0xffff);

/** Whole frames of all four types. */
export const frames: Arbitrary<Buffer> = fc.oneof(
  fc.tuple(channels, anyMethods).map(([channel, method]) => encodedMethod(channel, method)),
  fc
    .tuple(channels, fc.maxSafeNat(), basicProperties)
    .map(([channel, bodySize, properties]) => encodedHeader(channel, bodySize, properties)),
  fc.tuple(channels, longstrs).map(([channel, body]) => encodedBody(channel, body)),
  fc.constant(encodedHeartbeat()),
);

/** The method's frame. */
export function encodedMethod(channel: number, method: AnyMethod): Buffer {
  const buf = Buffer.alloc(sizeOfMethod(method));
  encodeMethod(buf, 0, channel, method);
  return buf;
}

/** A content header frame of class basic. */
export function encodedHeader(
  channel: number,
  bodySize: number,
  properties: BasicProperties,
): Buffer {
  const buf = Buffer.alloc(sizeOfContentHeader(properties));
  encodeContentHeader(buf, 0, channel, BASIC_CLASS_ID, bodySize, properties);
  return buf;
}

/** A body frame. */
export function encodedBody(channel: number, body: Buffer): Buffer {
  const buf = Buffer.alloc(body.length + 8);
  encodeBodyFrame(buf, 0, channel, body);
  return buf;
}

/** A heartbeat frame. */
export function encodedHeartbeat(): Buffer {
  const buf = Buffer.alloc(8);
  encodeHeartbeat(buf, 0);
  return buf;
}

function recordModel(fields: readonly FieldInfo[]): Record<string, Arbitrary<unknown>> {
  return Object.fromEntries(fields.map(({ property, type }) => [property, VALUES[type]]));
}

function propertiesOfBasic(): readonly FieldInfo[] {
  return CLASSES.find(({ id }) => id === BASIC_CLASS_ID)?.properties ?? [];
}
