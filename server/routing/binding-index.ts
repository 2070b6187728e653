/**
 * What every kind of exchange keeps its bindings in: an index from a message's routing key and headers
 * to the destinations (queues or exchanges) bound for it.
 *
 * Invariants
 * - The caller keeps duplicates out: `add` and `remove` come once for each distinct binding, distinct as
 *   `bindingId` (binding-id.ts) and the destination tell.
 * - A destination bound several times stays matched until its last matching binding is removed.
 * - `remove` costs the length of the binding key (or of the arguments), never the number of bindings, so
 *   that a destination with 100,000 of them can be unbound in slices.
 *
 * An index follows no exchange-to-exchange bindings and knows neither queues nor names.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import type { HeadersView } from './headers-view.ts';

/** The bindings of one exchange. `D` is what a binding leads to, compared by object identity. */
export interface BindingIndex<D extends object> {
  /** Adds a binding that is not in the index yet. */
  add(bindingKey: string, args: FieldTable, destination: D): void;

  /** Removes a binding; one that is not in the index is ignored. */
  remove(bindingKey: string, args: FieldTable, destination: D): void;

  /** Puts every destination that has a matching binding into `out`, each once. */
  match(routingKey: string, headers: Readonly<HeadersView>, out: Set<D>): void;

  /** Number of bindings, not of destinations. */
  readonly size: number;
}
