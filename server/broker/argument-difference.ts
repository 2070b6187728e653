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
  if (received !== undefined && current !== undefined && areEqual(received, current)) return null;
  return { received: describe(received), current: describe(current) };
}

function areEqual(a: FieldValue, b: FieldValue): boolean {
  return fieldTablesEqual(new Map([['', a]]), new Map([['', b]]));
}

/** `inequivalent arg 'a' for queue 'q' in vhost '/': received 'x' but current is 'y'` */
export function inequivalentText(
  argument: string,
  resource: string,
  { received, current }: ArgumentDifference,
): string {
  return `inequivalent arg '${argument}' for ${resource}: received ${received} but current is ${current}`;
}

function describe(value: FieldValue | undefined): string {
  if (value === undefined) return 'none';
  const text = typeof value.value === 'string' ? value.value : fieldValueTerm(value);
  return `the value '${text}' of type '${fieldTypeName(value)}'`;
}
