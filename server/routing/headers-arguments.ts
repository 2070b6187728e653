/**
 * The binding arguments of a headers exchange: which headers a message must carry, and whether all of
 * them or any.
 *
 * `x-match` is `all` (the default), `any`, `all-with-x` or `any-with-x`. The first two leave out every
 * argument whose name begins with `x-`, the other two only `x-match` itself. An argument without a value
 * (void) asks for the header, whatever its value.
 */
import type { FieldTable, FieldValue } from '../../codegen/runtime/field-table.ts';
import { canonicalHeader } from './canonical-text.ts';
import { fieldTypeName, fieldValueTerm } from './field-value-text.ts';

/** One header that a binding asks for. */
export interface HeaderCriterion {
  readonly name: string;
  /** The text (canonical-text.ts) of the value asked for; null when the header need only be there. */
  readonly valueText: string | null;
  /** The octets of the value where it is text or octets, which are equal exactly when these are; null otherwise. */
  readonly octets: Buffer | null;
}

export interface HeadersArguments {
  /** True for `all` and `all-with-x`. */
  readonly needsAll: boolean;
  readonly criteria: readonly HeaderCriterion[];
}

const MATCH_ARGUMENT = 'x-match';
const MATCH_MODES: readonly string[] = ['all', 'any', 'all-with-x', 'any-with-x'];

/**
 * Why these arguments cannot bind to a headers exchange, in RabbitMQ's words (a 406 there), or null when
 * they can.
 */
export function validateHeadersArguments(args: FieldTable): string | null {
  const mode = args.get(MATCH_ARGUMENT);
  if (mode === undefined) return null;
  const term = fieldValueTerm(mode);
  if (mode.tag !== 'S') {
    return `Invalid x-match field type ${fieldTypeName(mode)} (value ${term}); expected longstr`;
  }
  if (typeof mode.value === 'string' && MATCH_MODES.includes(mode.value)) return null;
  return `Invalid x-match field value ${term}; expected all, any, all-with-x, or any-with-x`;
}

/** Reads valid arguments; where `x-match` is not valid it counts as `all`. */
export function parseHeadersArguments(args: FieldTable): HeadersArguments {
  const mode = args.get(MATCH_ARGUMENT)?.value;
  const withX = mode === 'all-with-x' || mode === 'any-with-x';
  const criteria: HeaderCriterion[] = [];
  for (const [name, value] of args) {
    if (name === MATCH_ARGUMENT || (!withX && name.startsWith('x-'))) continue;
    const valueText = value.tag === 'V' ? null : canonicalHeader(value);
    criteria.push({ name, valueText, octets: octetsOf(value) });
  }
  return { needsAll: mode !== 'any' && mode !== 'any-with-x', criteria };
}

function octetsOf(value: FieldValue): Buffer | null {
  if (value.tag !== 'S' && value.tag !== 'x') return null;
  return typeof value.value === 'string' ? Buffer.from(value.value) : value.value;
}
