/** In what an argument of a redeclaration differs from that of the declaration, in RabbitMQ's words. */
import type { FieldValue } from '../../generated/index.ts';
import { fieldTablesEqual } from '../routing/field-tables-equal.ts';
import { fieldTypeName, fieldValueTerm } from '../routing/field-value-text.ts';

/** Both sides as a reply text shows them. */
export interface ArgumentDifference {
  readonly received: string;
  readonly current: string;
}

/** The difference, or null: numbers are equal by their value, whatever their type. */
export function findDifference(
  received: FieldValue | undefined,
  current: FieldValue | undefined,
): ArgumentDifference | null {
  if (received === undefined && current === undefined) return null;
  if (received === undefined) return { received: 'none', current: typedText(current) };
  if (current === undefined) return { received: typedText(received), current: 'none' };
  if (fieldTablesEqual(new Map([['', received]]), new Map([['', current]]))) return null;
  return { received: `'${plainText(received)}'`, current: `'${plainText(current)}'` };
}

/** `inequivalent arg 'a' for queue 'q' in vhost '/': received 'x' but current is 'y'` */
export function inequivalentText(
  argument: string,
  resource: string,
  { received, current }: ArgumentDifference,
): string {
  return `inequivalent arg '${argument}' for ${resource}: received ${received} but current is ${current}`;
}

function plainText(value: FieldValue): string {
  return typeof value.value === 'string' ? value.value : fieldValueTerm(value);
}

function typedText(value: FieldValue | undefined): string {
  if (value === undefined) return 'none';
  return `the value '${plainText(value)}' of type '${fieldTypeName(value)}'`;
}
