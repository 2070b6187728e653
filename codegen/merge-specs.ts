/**
 * Lays overlays over a base description: both are files of the same schema.
 *
 * An overlay may
 * - add constants, domains and classes;
 * - open a class by its name: add methods, properties and chassis to it;
 * - open a method by class and name: add a chassis (so another direction), a response, or an attribute
 *   that the base leaves out;
 * - put a field in the place of a *reserved* one of the same wire type: `replaces="reserved-2"`.
 *
 * It can take nothing away and change nothing that is said: whatever both name and is not the same is
 * an error, and so is a new field in an existing method. So an overlay never changes how an existing
 * method looks on the wire.
 */
import type { SpecElement } from './read-spec.ts';
import { SpecError } from './spec-error.ts';

/**
 * Merges the overlays, in their order, over the base.
 *
 * @throws SpecError that names the element in conflict.
 */
export function mergeSpecs(base: SpecElement, overlays: readonly SpecElement[]): SpecElement {
  let merged = base;
  for (const overlay of overlays) merged = mergeRoot(merged, overlay);
  return merged;
}

function mergeRoot(base: SpecElement, overlay: SpecElement): SpecElement {
  const children = [...base.children];
  const domainTypes = domainTypesOf([base, overlay]);
  for (const addition of overlay.children) {
    const index = indexOfSame(children, addition);
    const existing = children[index];
    if (existing === undefined) children.push(addition);
    else if (addition.tag === 'class') children[index] = openClass(existing, addition, domainTypes);
    else throw conflict(existing, addition);
  }
  return { ...base, attributes: mergeAttributes(base, overlay), children };
}

function openClass(
  base: SpecElement,
  overlay: SpecElement,
  domainTypes: ReadonlyMap<string, string>,
): SpecElement {
  const children = [...base.children];
  for (const addition of overlay.children) {
    if (addition.attributes.has('replaces')) {
      replaceReserved(base, children, addition, domainTypes);
      continue;
    }
    const index = indexOfSame(children, addition);
    const existing = children[index];
    if (existing === undefined) children.push(addition);
    else if (addition.tag === 'method') {
      children[index] = openMethod(existing, addition, domainTypes);
    } else throw conflict(existing, addition);
  }
  return { ...base, attributes: mergeAttributes(base, overlay), children };
}

function openMethod(
  base: SpecElement,
  overlay: SpecElement,
  domainTypes: ReadonlyMap<string, string>,
): SpecElement {
  const children = [...base.children];
  for (const addition of overlay.children) {
    if (addition.attributes.has('replaces')) {
      replaceReserved(base, children, addition, domainTypes);
      continue;
    }
    const existing = children[indexOfSame(children, addition)];
    if (existing !== undefined) throw conflict(existing, addition);
    if (addition.tag === 'field') {
      const text = `a new field would change the method on the wire (${placeOf(base)})`;
      throw SpecError.at(addition, text);
    }
    children.push(addition);
  }
  return { ...base, attributes: mergeAttributes(base, overlay), children };
}

/** Puts `field` in the place of the reserved field that it names. */
function replaceReserved(
  owner: SpecElement,
  children: SpecElement[],
  field: SpecElement,
  domainTypes: ReadonlyMap<string, string>,
): void {
  const name = field.attributes.get('replaces');
  const index = children.findIndex(
    (child) => child.tag === 'field' && child.attributes.get('name') === name,
  );
  const replaced = children[index];
  if (replaced === undefined) {
    throw SpecError.at(field, `replaces '${name}', which ${placeOf(owner)} does not have`);
  }
  if (replaced.attributes.get('reserved') !== '1') {
    throw SpecError.at(field, `replaces '${name}', which is not reserved (${placeOf(replaced)})`);
  }
  const oldType = wireTypeOf(replaced, domainTypes);
  const newType = wireTypeOf(field, domainTypes);
  if (oldType !== newType) {
    const text = `is of type ${newType}, but '${name}' is of type ${oldType} (${placeOf(replaced)})`;
    throw SpecError.at(field, text);
  }
  const attributes = new Map(field.attributes);
  attributes.delete('replaces');
  children[index] = { ...field, attributes };
}

/** What the base says holds; what it leaves out the overlay may say. */
function mergeAttributes(base: SpecElement, overlay: SpecElement): ReadonlyMap<string, string> {
  const merged = new Map(base.attributes);
  for (const [name, value] of overlay.attributes) {
    const existing = merged.get(name);
    if (existing !== undefined && existing !== value) {
      const text = `attribute '${name}' is '${value}', but '${existing}' in ${placeOf(base)}`;
      throw SpecError.at(overlay, text);
    }
    merged.set(name, value);
  }
  return merged;
}

function indexOfSame(elements: readonly SpecElement[], wanted: SpecElement): number {
  const name = wanted.attributes.get('name');
  if (name === undefined || wanted.tag === 'doc' || wanted.tag === 'rule') return -1;
  return elements.findIndex(
    (element) => element.tag === wanted.tag && element.attributes.get('name') === name,
  );
}

function conflict(existing: SpecElement, addition: SpecElement): SpecError {
  return SpecError.at(addition, `is already there (${placeOf(existing)})`);
}

function placeOf(element: SpecElement): string {
  return `${element.path} at ${element.file}:${element.line}`;
}

function domainTypesOf(roots: readonly SpecElement[]): ReadonlyMap<string, string> {
  const domains = roots.flatMap((root) => root.children).filter((child) => child.tag === 'domain');
  return new Map(
    domains.map(({ attributes }) => [attributes.get('name') ?? '', attributes.get('type') ?? '']),
  );
}

function wireTypeOf(field: SpecElement, domainTypes: ReadonlyMap<string, string>): string {
  const domain = field.attributes.get('domain') ?? '';
  return domainTypes.get(domain) ?? field.attributes.get('type') ?? `unknown domain '${domain}'`;
}
