/**
 * Field tables as plain JavaScript objects, for people: arguments in tests and tools, tables in logs.
 *
 * The way there picks a wire type for each value, the way back forgets it; code that must keep the
 * types works on {@link FieldTable}.
 */
import type { FieldTable, FieldValue } from './field-table.ts';

/** A value that has an obvious wire type. */
export type PlainValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Date
  | Buffer
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

/** A table as an object. */
export type PlainTable = Readonly<Record<string, PlainValue>>;

const INT32_MIN = -0x8000_0000;
const INT32_MAX = 0x7fff_ffff;

/**
 * Picks a wire type for every value: string S, boolean t, null V, Date T (whole seconds), Buffer x,
 * array A, object F; a number is I where it is a 32-bit integer, l where it is a larger one, else d;
 * a bigint is l.
 */
export function toFieldTable(plain: PlainTable): FieldTable {
  const table = new Map<string, FieldValue>();
  for (const [key, value] of Object.entries(plain)) table.set(key, toFieldValue(value));
  return table;
}

/**
 * Drops the wire types: T becomes a Date, D a number, S and x what they hold, integers beyond 2^53 a
 * bigint.
 */
export function toPlainTable(table: FieldTable): PlainTable {
  // fromEntries defines its keys, so that a key '__proto__' is a key like any other.
  return Object.fromEntries(Array.from(table, ([key, field]) => [key, toPlainValue(field)]));
}

function toFieldValue(value: PlainValue): FieldValue {
  if (value === null) return { tag: 'V', value };
  if (typeof value === 'string') return { tag: 'S', value };
  if (typeof value === 'boolean') return { tag: 't', value };
  if (typeof value === 'bigint') return { tag: 'l', value };
  if (typeof value === 'number') return { tag: numberTag(value), value };
  if (value instanceof Date) return { tag: 'T', value: Math.floor(value.getTime() / 1000) };
  if (Buffer.isBuffer(value)) return { tag: 'x', value };
  if (isArray(value)) return { tag: 'A', value: value.map(toFieldValue) };
  return { tag: 'F', value: toFieldTable(value) };
}

/** Array.isArray does not narrow a readonly array. */
function isArray(value: PlainValue): value is readonly PlainValue[] {
  return Array.isArray(value);
}

function numberTag(value: number): 'I' | 'l' | 'd' {
  if (!Number.isSafeInteger(value)) return 'd';
  return value >= INT32_MIN && value <= INT32_MAX ? 'I' : 'l';
}

function toPlainValue(field: FieldValue): PlainValue {
  switch (field.tag) {
    case 'T':
      return new Date(Number(field.value) * 1000);
    case 'D':
      return field.value / 10 ** field.scale;
    case 'A':
      return field.value.map(toPlainValue);
    case 'F':
      return toPlainTable(field.value);
    default:
      return field.value;
  }
}
