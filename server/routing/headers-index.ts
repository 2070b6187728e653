/**
 * Bindings of a headers exchange: a message goes where its headers meet the binding's criteria
 * (headers-arguments.ts). Keys do not route.
 *
 * What bindings ask for is kept once, however many ask for it. A match starts from the message, whose headers are walked
 * where they lie: each leads to the header of that name, and there to the value that the message has, if some binding
 * wants it. From there it goes on to the bindings that are filed under that pair.
 *
 *     WantedHeader "format" -- WantedValue pdf --> bindings filed under format: pdf
 *                           -- WantedValue zip --> ...
 *                           -- any value       --> bindings filed under the name alone
 *
 * A binding that needs any of its criteria is filed under each of them, and a hit settles it. One that
 * needs all is filed under one criterion, the one with the fewest bindings when it was added, and a hit
 * has all of them checked. So bindings that share a common pair (`format: pdf`) but differ in another one
 * cost each other nothing. Without criteria `all` matches everything and `any` nothing.
 *
 * The walk notes in each wanted header that, and with which value, the message has it; to check a criterion is then to
 * compare two references. Text and octets are looked up as they lie there, other values by their text
 * (canonical-text.ts). Bench: micro/headers.
 */
import type { FieldTable } from '../../codegen/runtime/field-table.ts';
import { decodeFieldValue } from '../../codegen/runtime/field-table.ts';
import { fieldValueEnd } from '../../codegen/runtime/field-table-check.ts';
import { bindingId } from './binding-id.ts';
import type { BindingIndex } from './binding-index.ts';
import { canonicalHeader } from './canonical-text.ts';
import { DestinationBag } from './destination-bag.ts';
import { type HeaderCriterion, parseHeadersArguments } from './headers-arguments.ts';
import type { HeadersView } from './headers-view.ts';
import { OctetMap } from './octet-map.ts';

const TAG_TEXT = 'S'.charCodeAt(0);
const TAG_OCTETS = 'x'.charCodeAt(0);

interface HeadersBinding<D extends object> {
  readonly destination: D;
  readonly needsAll: boolean;
  readonly criteria: readonly Criterion<D>[];
  /** The criteria under which the index finds it: all of them, or one where it needs all. */
  readonly filedUnder: readonly Criterion<D>[];
}

/** One thing that a binding asks for. */
interface Criterion<D extends object> {
  readonly header: WantedHeader<D>;
  /** Null: the header need only be there. */
  readonly value: WantedValue<D> | null;
}

/** A value that some binding asks for. */
class WantedValue<D extends object> {
  readonly text: string;
  /** Null where it is neither text nor octets. */
  readonly octets: Buffer | null;
  /** Criteria that ask for it. */
  askers: number;
  readonly filed: Set<HeadersBinding<D>>;

  constructor(text: string, octets: Buffer | null) {
    this.text = text;
    this.octets = octets;
    this.askers = 0;
    this.filed = new Set();
  }
}

/** A header that some binding asks for. */
class WantedHeader<D extends object> {
  readonly name: Buffer;
  /** Criteria that ask for it, with a value or without. */
  askers: number;
  /** Bindings filed under the name alone. */
  readonly filed: Set<HeadersBinding<D>>;
  /** The last match in which a message had it, and the value it had there; null: one that nobody asks for. */
  match: number;
  value: WantedValue<D> | null;
  private readonly byOctets: OctetMap<WantedValue<D>>;
  private readonly byText: Map<string, WantedValue<D>>;

  constructor(name: Buffer) {
    this.name = name;
    this.askers = 0;
    this.filed = new Set();
    this.match = 0;
    this.value = null;
    this.byOctets = new OctetMap();
    this.byText = new Map();
  }

  /** HOT per header of a message. The wanted value that lies, with its tag, between `at` and `end`; null: it is none. */
  valueAt(buf: Buffer, at: number, end: number): WantedValue<D> | null {
    const tag = buf[at]!;
    if (tag === TAG_TEXT || tag === TAG_OCTETS) return this.byOctets.find(buf, at + 5, end);
    // Its text costs an allocation or more.
    if (this.byText.size === 0) return null;
    return this.byText.get(canonicalHeader(decodeFieldValue(buf, at, end))) ?? null;
  }

  find({ valueText, octets }: HeaderCriterion): WantedValue<D> | null {
    if (octets !== null) return this.byOctets.find(octets, 0, octets.length);
    return valueText === null ? null : (this.byText.get(valueText) ?? null);
  }

  /** The value that a criterion asks for, with one more asker. */
  ask(criterion: HeaderCriterion): WantedValue<D> | null {
    this.askers++;
    const { valueText, octets } = criterion;
    if (valueText === null) return null;
    let value = this.find(criterion);
    if (value === null) {
      value = new WantedValue(valueText, octets);
      if (octets === null) this.byText.set(valueText, value);
      else this.byOctets.add(octets, value);
    }
    value.askers++;
    return value;
  }

  /** Takes one asker away, of the header and of the value. */
  release(value: WantedValue<D> | null): void {
    this.askers--;
    if (value === null) return;
    value.askers--;
    if (value.askers > 0) return;
    if (value.octets === null) this.byText.delete(value.text);
    else this.byOctets.remove(value.octets);
  }
}

export class HeadersIndex<D extends object> implements BindingIndex<D> {
  private readonly headers: OctetMap<WantedHeader<D>>;
  /** Every binding by destination and identity, so that a remove finds what its add filed. */
  private readonly bindings: Map<D, Map<string, HeadersBinding<D>>>;
  /** Destinations of bindings that match every message. */
  private readonly always: DestinationBag<D>;
  private bindingCount: number;
  /** Number of the last match. */
  private matchCount: number;
  /** Of the match under way: what it has found of the wanted headers. */
  private readonly present: WantedHeader<D>[];

  constructor() {
    this.headers = new OctetMap();
    this.bindings = new Map();
    this.always = new DestinationBag();
    this.bindingCount = 0;
    this.matchCount = 0;
    this.present = [];
  }

  get size(): number {
    return this.bindingCount;
  }

  /** The arguments are valid (`validateHeadersArguments`). */
  add(bindingKey: string, args: FieldTable, destination: D): void {
    const { needsAll, criteria: asked } = parseHeadersArguments(args);
    const criteria = asked.map((criterion) => this.ask(criterion));
    const filedUnder = needsAll ? rarest(criteria) : criteria;
    const binding: HeadersBinding<D> = { destination, needsAll, criteria, filedUnder };
    let siblings = this.bindings.get(destination);
    if (siblings === undefined) {
      siblings = new Map();
      this.bindings.set(destination, siblings);
    }
    siblings.set(bindingId(bindingKey, args), binding);
    if (matchesEverything(binding)) this.always.add(destination);
    for (const criterion of filedUnder) filedAt(criterion).add(binding);
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
    for (const criterion of binding.filedUnder) filedAt(criterion).delete(binding);
    for (const { header, value } of binding.criteria) {
      header.release(value);
      if (header.askers === 0) this.headers.remove(header.name);
    }
    this.bindingCount--;
  }

  /** HOT per message that is routed by its headers. */
  match(_routingKey: string, headers: Readonly<HeadersView>, out: Set<D>): void {
    this.always.addAllTo(out);
    if (this.headers.size === 0) return;
    const { present } = this;
    const match = ++this.matchCount;
    this.walk(headers, match);
    for (let i = 0; i < present.length; i++) {
      const { filed, value } = present[i]!;
      if (filed.size > 0) addMatching(filed, match, out);
      if (value !== null && value.filed.size > 0) addMatching(value.filed, match, out);
    }
    present.length = 0;
  }

  /** Notes what the message has of the wanted headers. */
  private walk({ buf, at, end }: Readonly<HeadersView>, match: number): void {
    for (let p = at; p < end; ) {
      const valueAt = p + 1 + buf[p]!;
      const valueEnd = fieldValueEnd(buf, valueAt);
      const header = this.headers.find(buf, p + 1, valueAt);
      p = valueEnd;
      // The first of two under one name counts.
      if (header === null || header.match === match) continue;
      header.match = match;
      header.value = header.valueAt(buf, valueAt, valueEnd);
      this.present.push(header);
    }
  }

  private ask(criterion: HeaderCriterion): Criterion<D> {
    const name = Buffer.from(criterion.name);
    let header = this.headers.find(name, 0, name.length);
    if (header === null) {
      header = new WantedHeader(name);
      this.headers.add(name, header);
    }
    return { header, value: header.ask(criterion) };
  }
}

function matchesEverything(binding: HeadersBinding<object>): boolean {
  return binding.needsAll && binding.criteria.length === 0;
}

/** Bindings that are filed under a criterion. */
function filedAt<D extends object>({ header, value }: Criterion<D>): Set<HeadersBinding<D>> {
  return value === null ? header.filed : value.filed;
}

/** The criterion under which the fewest bindings are filed, in a list of its own; [] if there is none. */
function rarest<D extends object>(criteria: readonly Criterion<D>[]): readonly Criterion<D>[] {
  let best: readonly Criterion<D>[] = [];
  let bestCount = Number.POSITIVE_INFINITY;
  for (const criterion of criteria) {
    const count = filedAt(criterion).size;
    if (count >= bestCount) continue;
    best = [criterion];
    bestCount = count;
  }
  return best;
}

/** Adds the destinations of bindings of which one criterion is known to be met in this match. */
function addMatching<D extends object>(
  bindings: ReadonlySet<HeadersBinding<D>>,
  match: number,
  out: Set<D>,
): void {
  for (const binding of bindings) {
    if (!binding.needsAll || binding.criteria.length === 1 || meetsAll(binding.criteria, match)) {
      out.add(binding.destination);
    }
  }
}

function meetsAll(criteria: readonly Criterion<object>[], match: number): boolean {
  for (let i = 0; i < criteria.length; i++) {
    const { header, value } = criteria[i]!;
    if (header.match !== match) return false;
    if (value !== null && header.value !== value) return false;
  }
  return true;
}
