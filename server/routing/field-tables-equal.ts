/** Equality of arguments, as a redeclaration needs it. */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import { canonicalArguments } from './canonical-text.ts';

/**
 * True when two tables hold the same pairs in any order, numbers compared by value across all number
 * types: `x-expires` 10 is `x-expires` 10.0.
 */
export function fieldTablesEqual(a: FieldTable, b: FieldTable): boolean {
  if (a === b) return true;
  return a.size === b.size && canonicalArguments(a) === canonicalArguments(b);
}
