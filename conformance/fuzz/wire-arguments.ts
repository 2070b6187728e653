/**
 * Method arguments and content properties laid out from the metadata alone, whatever the values: what the typed
 * encoders refuse to write can be written here.
 */
import {
  CLASSES,
  encodeFieldTable,
  type FieldInfo,
  type FieldTable,
  METHODS,
  type MethodInfo,
  sizeOfFieldTable,
} from '../../generated/index.ts';

/** A value as it stands on the wire: a bit, or octets that already have their length before them. */
export type WireValue = boolean | Buffer;

/** Methods that a client may send. */
export const CLIENT_METHODS: readonly MethodInfo[] = METHODS.filter(({ toServer }) => toServer);

/** Methods that only a server sends. */
export const SERVER_METHODS: readonly MethodInfo[] = METHODS.filter(({ toServer }) => !toServer);

/** Properties of class basic, in the order of their flags. */
export const BASIC_PROPERTIES: readonly FieldInfo[] =
  CLASSES.find(({ name }) => name === 'basic')?.properties ?? [];

/** A method frame's payload; bits that lie side by side share octets (spec 4.2.5.2). */
export function methodPayload(id: number, values: readonly WireValue[]): Buffer {
  const ids = Buffer.alloc(4);
  ids.writeUInt32BE(id);
  const parts: Buffer[] = [ids];
  let bits: boolean[] = [];
  const flush = (): void => {
    for (; bits.length > 0; bits = bits.slice(8)) {
      parts.push(
        Buffer.from([bits.slice(0, 8).reduce((sum, bit, i) => sum | (Number(bit) << i), 0)]),
      );
    }
  };
  for (const value of values) {
    if (typeof value === 'boolean') bits.push(value);
    else {
      flush();
      parts.push(value);
    }
  }
  flush();
  return Buffer.concat(parts);
}

/** Property flags and values: a property without a value has no flag. */
export function propertiesPayload(values: readonly (Buffer | null)[]): Buffer {
  const flags = Buffer.alloc(2);
  flags.writeUInt16BE(
    values.reduce((sum, value, i) => sum | (value === null ? 0 : 0x8000 >>> i), 0),
  );
  return Buffer.concat([flags, ...values.filter((value) => value !== null)]);
}

export function shortstr(text: string | Buffer): Buffer {
  const octets = Buffer.from(text).subarray(0, 255);
  return Buffer.concat([Buffer.from([octets.length]), octets]);
}

export function longstr(octets: Buffer): Buffer {
  return Buffer.concat([unsigned(4, octets.length), octets]);
}

export function table(entries: FieldTable): Buffer {
  const buf = Buffer.alloc(sizeOfFieldTable(entries));
  encodeFieldTable(buf, 0, entries);
  return buf;
}

/** A table that holds a table, and so on, `depth` times. */
export function nestedTable(depth: number): Buffer {
  let inner: Buffer = Buffer.alloc(4);
  for (let i = 1; i < depth; i++)
    inner = longstr(Buffer.concat([shortstr('t'), Buffer.from('F'), inner]));
  return inner;
}

/** An unsigned integer of `size` octets, at most 6 of them in use. */
export function unsigned(size: 1 | 2 | 4 | 8, value: number): Buffer {
  const buf = Buffer.alloc(size);
  if (size === 8) buf.writeUIntBE(value, 2, 6);
  else buf.writeUIntBE(value, 0, size);
  return buf;
}
