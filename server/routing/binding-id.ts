/**
 * What makes a binding of one source to one destination the same as another: its key and its arguments,
 * the latter compared as `fieldTablesEqual` does, and whether or not they route.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import { canonicalArguments } from './canonical-text.ts';

/**
 * A text that is equal for equal bindings and differs for different ones. It is for Map keys in memory
 * only: the form may change from one version to the next.
 */
export function bindingId(bindingKey: string, args: FieldTable): string {
  return `${bindingKey.length}:${bindingKey}${canonicalArguments(args)}`;
}
