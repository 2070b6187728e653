/**
 * Field values as RabbitMQ shows them in its reply texts, which clients and their tests match on: type
 * names such as `longstr`, values as Erlang terms such as `<<"text">>`.
 */
import type { FieldTable, FieldValue } from '../../codegen/runtime/field-table.ts';

const TYPE_NAMES: Readonly<Record<FieldValue['tag'], string>> = {
  t: 'bool',
  b: 'byte',
  B: 'unsignedbyte',
  s: 'short',
  u: 'unsignedshort',
  I: 'signedint',
  i: 'unsignedint',
  l: 'long',
  L: 'long',
  f: 'float',
  d: 'double',
  D: 'decimal',
  S: 'longstr',
  x: 'binary',
  A: 'array',
  T: 'timestamp',
  F: 'table',
  V: 'void',
};

/** The type of a value by RabbitMQ's name for it. */
export function fieldTypeName(value: FieldValue): string {
  return TYPE_NAMES[value.tag];
}

/** The number in a value of one of the integer types, whatever its width; null for any other value. */
export function integerOf(value: FieldValue): number | bigint | null {
  switch (value.tag) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
    case 'L':
      return value.value;
    default:
      return null;
  }
}

/** The value as an Erlang term. */
export function fieldValueTerm(value: FieldValue): string {
  switch (value.tag) {
    case 'S':
    case 'x':
      return binaryTerm(value.value.toString());
    case 'V':
      return 'undefined';
    case 'D':
      return `{${value.scale},${value.value}}`;
    case 'A':
      return `[${value.value.map((element) => `{${typedTerm(element)}}`).join(',')}]`;
    case 'F':
      return tableTerm(value.value);
    default:
      return String(value.value);
  }
}

function tableTerm(table: FieldTable): string {
  const pairs = [...table].map(([name, value]) => `{${binaryTerm(name)},${typedTerm(value)}}`);
  return `[${pairs.join(',')}]`;
}

function typedTerm(value: FieldValue): string {
  return `${fieldTypeName(value)},${fieldValueTerm(value)}`;
}

function binaryTerm(text: string): string {
  return text === '' ? '<<>>' : `<<"${text.replaceAll(/["\\]/g, '\\$&')}">>`;
}
