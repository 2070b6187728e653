/**
 * Field values as text, so that two values are equal exactly when their texts are: the texts serve as Map
 * keys, as binding identities and for comparison, and no second definition of equality exists.
 *
 * There are two equalities:
 * - of *arguments* (queue, exchange and binding arguments): all number types count as one, decimals too,
 *   so 10, 10.0 and 1000e-2 are the same (RabbitMQ tells integers from floats here; we do not).
 * - of *headers* against the criteria of a headers exchange, as RabbitMQ 3.13 has it: integers of any
 *   width are equal, but 5 is not 5.0, nor `"5"`, nor is 1 true. Text and the bytes of that text are equal.
 *   Timestamps equal timestamps.
 *
 * Tables are unordered in both, arrays ordered. Strings are written with their length in front, so no
 * value can imitate another one.
 */
import { isUtf8 } from 'node:buffer';
import type { FieldTable, FieldValue } from '../../codegen/runtime/field-table.ts';

type Equality = 'arguments' | 'headers';

/** The text of a whole table under the equality of arguments. */
export function canonicalArguments(args: FieldTable): string {
  return args.size === 0 ? '' : tableText(args, 'arguments');
}

/** The text of one value under the equality of headers. */
export function canonicalHeader(value: FieldValue): string {
  return valueText(value, 'headers');
}

function valueText(value: FieldValue, equality: Equality): string {
  switch (value.tag) {
    case 'S':
      return typeof value.value === 'string' ? stringText(value.value) : octetsText(value.value);
    case 'x':
      if (equality === 'arguments') return `x${octetsText(value.value)}`;
      return isUtf8(value.value) ? stringText(value.value.toString()) : octetsText(value.value);
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
    case 'L':
      return `n${numberText(value.value)}`;
    case 'f':
    case 'd':
      return `${equality === 'arguments' ? 'n' : 'd'}${numberText(value.value)}`;
    case 'D':
      return equality === 'arguments'
        ? `n${numberText(Number(`${value.value}e-${value.scale}`))}`
        : `D${value.scale}:${value.value}`;
    case 't':
      return value.value ? 'true' : 'false';
    case 'T':
      return `T${numberText(value.value)}`;
    case 'V':
      return 'V';
    case 'A':
      return `[${value.value.map((element) => valueText(element, equality)).join(',')}]`;
    case 'F':
      return tableText(value.value, equality);
  }
}

function tableText(table: FieldTable, equality: Equality): string {
  const pairs: string[] = [];
  for (const [name, value] of table) {
    pairs.push(`${stringText(name)}=${valueText(value, equality)}`);
  }
  return `{${pairs.sort().join(',')}}`;
}

function stringText(text: string): string {
  return `s${text.length}:${text}`;
}

/** For strings that are not UTF-8, and so have no text that would tell them apart. */
function octetsText(octets: Buffer): string {
  return `o${octets.toString('hex')}`;
}

/** One text for each mathematical value, whether it came as a number or as a bigint. */
function numberText(value: number | bigint): string {
  if (typeof value === 'bigint' || !Number.isInteger(value) || Number.isSafeInteger(value)) {
    return String(value);
  }
  return BigInt(value).toString();
}
