/**
 * Bindings of a headers exchange: a message goes where its headers meet the binding's criteria
 * (headers-arguments.ts). Keys do not route.
 *
 * A match starts from the message: each of its headers leads to the bindings filed under that pair.
 *
 *     header name -- value text --> bindings that ask for this pair
 *                 -- any value  --> bindings that ask for the name alone
 *
 * A binding that needs any of its criteria is filed under each of them, and a hit settles it. One that
 * needs all is filed under one criterion, the one with the fewest bindings when it was added, and a hit
 * has all of them checked. So bindings that share a common pair (`format: pdf`) but differ in another one
 * cost each other nothing. Without criteria `all` matches everything and `any` nothing.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import { bindingId } from './binding-id.ts';
import type { BindingIndex } from './binding-index.ts';
import { canonicalHeader } from './canonical-text.ts';
import { DestinationBag } from './destination-bag.ts';
import { type HeaderCriterion, parseHeadersArguments } from './headers-arguments.ts';

interface HeadersBinding<D extends object> {
  readonly destination: D;
  readonly needsAll: boolean;
  readonly criteria: readonly HeaderCriterion[];
  /** The criteria under which the index finds it: all of them, or one where it needs all. */
  readonly filedUnder: readonly HeaderCriterion[];
}

/** The bindings filed under one header name. */
class HeaderEntry<D extends object> {
  readonly byValue: Map<string, Set<HeadersBinding<D>>>;
  readonly anyValue: Set<HeadersBinding<D>>;

  constructor() {
    this.byValue = new Map();
    this.anyValue = new Set();
  }

  get isEmpty(): boolean {
    return this.byValue.size === 0 && this.anyValue.size === 0;
  }

  find(valueText: string | null): Set<HeadersBinding<D>> | undefined {
    return valueText === null ? this.anyValue : this.byValue.get(valueText);
  }

  add(valueText: string | null, binding: HeadersBinding<D>): void {
    const bindings = this.find(valueText);
    if (bindings !== undefined) bindings.add(binding);
    else if (valueText !== null) this.byValue.set(valueText, new Set([binding]));
  }

  remove(valueText: string | null, binding: HeadersBinding<D>): void {
    const bindings = this.find(valueText);
    bindings?.delete(binding);
    if (valueText !== null && bindings?.size === 0) this.byValue.delete(valueText);
  }
}

export class HeadersIndex<D extends object> implements BindingIndex<D> {
  private readonly entries: Map<string, HeaderEntry<D>>;
  /** Every binding by destination and identity, so that a remove finds what its add filed. */
  private readonly bindings: Map<D, Map<string, HeadersBinding<D>>>;
  /** Destinations of bindings that match every message. */
  private readonly always: DestinationBag<D>;
  private bindingCount: number;

  constructor() {
    this.entries = new Map();
    this.bindings = new Map();
    this.always = new DestinationBag();
    this.bindingCount = 0;
  }

  get size(): number {
    return this.bindingCount;
  }

  /** The arguments are valid (`validateHeadersArguments`). */
  add(bindingKey: string, args: FieldTable, destination: D): void {
    const { needsAll, criteria } = parseHeadersArguments(args);
    const filedUnder = needsAll ? this.rarest(criteria) : criteria;
    const binding: HeadersBinding<D> = { destination, needsAll, criteria, filedUnder };
    let siblings = this.bindings.get(destination);
    if (siblings === undefined) {
      siblings = new Map();
      this.bindings.set(destination, siblings);
    }
    siblings.set(bindingId(bindingKey, args), binding);
    if (matchesEverything(binding)) this.always.add(destination);
    for (const { name, valueText } of filedUnder) this.ensureEntry(name).add(valueText, binding);
    this.bindingCount++;
  }

  remove(bindingKey: string, args: FieldTable, destination: D): void {
    const siblings = this.bindings.get(destination);
    const id = bindingId(bindingKey, args);
    const binding = siblings?.get(id);
    if (siblings === undefined || binding === undefined) return;
    siblings.delete(id);
    if (siblings.size === 0) this.bindings.delete(destination);
    if (matchesEverything(binding)) this.always.remove(destination);
    for (const { name, valueText } of binding.filedUnder) {
      const entry = this.entries.get(name);
      entry?.remove(valueText, binding);
      if (entry?.isEmpty) this.entries.delete(name);
    }
    this.bindingCount--;
  }

  match(_routingKey: string, headers: FieldTable, out: Set<D>): void {
    this.always.addAllTo(out);
    if (this.entries.size === 0) return;
    for (const [name, value] of headers) {
      const entry = this.entries.get(name);
      if (entry === undefined) continue;
      addMatching(entry.anyValue, headers, out);
      // The text of a value costs an allocation or more: only where some binding compares it.
      if (entry.byValue.size === 0) continue;
      const bindings = entry.byValue.get(canonicalHeader(value));
      if (bindings !== undefined) addMatching(bindings, headers, out);
    }
  }

  /** The criterion under which the fewest bindings are filed, in a list of its own; [] if there is none. */
  private rarest(criteria: readonly HeaderCriterion[]): readonly HeaderCriterion[] {
    let best: readonly HeaderCriterion[] = [];
    let bestCount = Number.POSITIVE_INFINITY;
    for (const criterion of criteria) {
      const count = this.entries.get(criterion.name)?.find(criterion.valueText)?.size ?? 0;
      if (count >= bestCount) continue;
      best = [criterion];
      bestCount = count;
    }
    return best;
  }

  private ensureEntry(name: string): HeaderEntry<D> {
    let entry = this.entries.get(name);
    if (entry === undefined) {
      entry = new HeaderEntry();
      this.entries.set(name, entry);
    }
    return entry;
  }
}

function matchesEverything(binding: HeadersBinding<object>): boolean {
  return binding.needsAll && binding.criteria.length === 0;
}

/** Adds the destinations of bindings of which one criterion is known to be met. */
function addMatching<D extends object>(
  bindings: ReadonlySet<HeadersBinding<D>>,
  headers: FieldTable,
  out: Set<D>,
): void {
  for (const binding of bindings) {
    if (!binding.needsAll || binding.criteria.length === 1 || meetsAll(binding.criteria, headers)) {
      out.add(binding.destination);
    }
  }
}

function meetsAll(criteria: readonly HeaderCriterion[], headers: FieldTable): boolean {
  for (const { name, valueText } of criteria) {
    const value = headers.get(name);
    if (value === undefined) return false;
    if (valueText !== null && canonicalHeader(value) !== valueText) return false;
  }
  return true;
}
