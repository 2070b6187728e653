/**
 * Reads a protocol description in the standard's XML schema into a tree of plain elements.
 *
 * Strict about the schema: an element or attribute that {@link SCHEMA} does not list, one in the wrong
 * place, or a missing required attribute is an error that names it. What the names and numbers mean is
 * not looked at here; that is model.ts.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { SpecError } from './spec-error.ts';

/** One element of a spec file. */
export interface SpecElement {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly SpecElement[];
  /** The text of a `doc` element, white space collapsed; else empty. */
  readonly text: string;
  /** The file's name as errors show it. */
  readonly file: string;
  readonly line: number;
  /** The names on the way to it: `class basic, method nack, field multiple`. */
  readonly path: string;
}

interface ElementRule {
  readonly children: readonly string[];
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/**
 * The schema of the published grammars (their full form carries `doc`, `rule` and `scenario` as well).
 * `replaces` is our one addition: see merge-specs.ts.
 */
const SCHEMA: Readonly<Record<string, ElementRule>> = {
  amqp: {
    children: ['doc', 'constant', 'domain', 'class'],
    required: ['major', 'minor', 'revision'],
    optional: ['port', 'comment'],
  },
  constant: { children: ['doc'], required: ['name', 'value'], optional: ['class', 'label'] },
  domain: { children: ['doc', 'assert', 'rule'], required: ['name', 'type'], optional: ['label'] },
  class: {
    children: ['doc', 'chassis', 'rule', 'field', 'method'],
    required: ['name', 'index'],
    optional: ['handler', 'label'],
  },
  method: {
    children: ['doc', 'chassis', 'rule', 'response', 'field'],
    required: ['name', 'index'],
    optional: ['synchronous', 'content', 'deprecated', 'label'],
  },
  field: {
    children: ['doc', 'assert', 'rule'],
    required: ['name'],
    optional: ['domain', 'type', 'reserved', 'replaces', 'label'],
  },
  chassis: { children: ['doc'], required: ['name', 'implement'], optional: [] },
  response: { children: ['doc'], required: ['name'], optional: [] },
  assert: { children: ['doc'], required: ['check'], optional: ['value', 'method', 'field'] },
  rule: { children: ['doc', 'scenario'], required: [], optional: ['name', 'on-failure', 'label'] },
  scenario: { children: ['doc'], required: ['name'], optional: [] },
  doc: { children: [], required: [], optional: ['type', 'name'] },
};

const ATTRIBUTES_KEY = ':@';
const TEXT_KEY = '#text';

/**
 * Parses the XML of one spec file; `file` is its name for errors.
 *
 * @throws SpecError when the XML is malformed or not of the schema.
 */
export function readSpec(xml: string, file: string): SpecElement {
  const roots = nodesOf(parseXml(xml, file), file);
  const root = roots[0];
  if (root === undefined || roots.length > 1) {
    throw new SpecError(file, 'one root element <amqp> expected');
  }
  return new Reader(xml, file).element(root, 'amqp', '');
}

function parseXml(xml: string, file: string): unknown {
  const verdict = XMLValidator.validate(xml);
  if (verdict !== true) throw new SpecError(`${file}:${verdict.err.line}`, verdict.err.msg);
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: false,
    parseTagValue: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    captureMetaData: true,
  });
  try {
    return parser.parse(xml);
  } catch (error) {
    // It refuses names such as constructor, and documents with too many entities.
    throw new SpecError(file, error instanceof Error ? error.message : String(error));
  }
}

/** An element as the parser gives it: one key for its tag, one for its attributes. */
type ParsedNode = Readonly<Record<string | symbol, unknown>>;

class Reader {
  private readonly xml: string;
  private readonly file: string;

  constructor(xml: string, file: string) {
    // The parser counts its offsets after the same normalization.
    this.xml = xml.replace(/\r\n?/g, '\n');
    this.file = file;
  }

  element(node: ParsedNode, expectedTag: string | null, parentPath: string): SpecElement {
    const tag = tagOf(node);
    const line = this.lineOf(node);
    const attributes = attributesOf(node);
    const path = pathOf(parentPath, tag, attributes);
    const where = `${this.file}:${line}: ${path}`;
    const rule = Object.hasOwn(SCHEMA, tag) ? SCHEMA[tag] : undefined;
    if (rule === undefined || (expectedTag !== null && tag !== expectedTag)) {
      throw new SpecError(where, `unknown element <${tag}>${expected(expectedTag)}`);
    }
    for (const name of attributes.keys()) {
      if (!rule.required.includes(name) && !rule.optional.includes(name)) {
        throw new SpecError(where, `unknown attribute '${name}' of <${tag}>`);
      }
    }
    for (const name of rule.required) {
      if (!attributes.has(name)) throw new SpecError(where, `<${tag}> lacks attribute '${name}'`);
    }
    const children: SpecElement[] = [];
    let text = '';
    for (const child of nodesOf(node[tag], where)) {
      if (tagOf(child) === TEXT_KEY) {
        text += String(child[TEXT_KEY]);
        continue;
      }
      const element = this.element(child, null, path);
      if (!rule.children.includes(element.tag)) {
        throw SpecError.at(element, `element <${element.tag}> has no place in <${tag}>`);
      }
      children.push(element);
    }
    text = text.replace(/\s+/g, ' ').trim();
    if (text !== '' && tag !== 'doc') throw new SpecError(where, `text in <${tag}>: '${text}'`);
    return { tag, attributes, children, text, file: this.file, line, path };
  }

  private lineOf(node: ParsedNode): number {
    // Declared as the wrapper type Symbol, which cannot be an index.
    const symbol: unknown = XMLParser.getMetaDataSymbol();
    const metadata = typeof symbol === 'symbol' ? node[symbol] : null;
    const start =
      typeof metadata === 'object' && metadata !== null && 'startIndex' in metadata
        ? Number(metadata.startIndex)
        : 0;
    return this.xml.slice(0, start).split('\n').length;
  }
}

function nodesOf(value: unknown, where: string): readonly ParsedNode[] {
  if (!Array.isArray(value)) throw new SpecError(where, 'the XML parser gave no list of elements');
  return value.filter((node): node is ParsedNode => typeof node === 'object' && node !== null);
}

function tagOf(node: ParsedNode): string {
  return Object.keys(node).find((key) => key !== ATTRIBUTES_KEY) ?? '';
}

function attributesOf(node: ParsedNode): ReadonlyMap<string, string> {
  const attributes = node[ATTRIBUTES_KEY] ?? {};
  return new Map(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}

function pathOf(parent: string, tag: string, attributes: ReadonlyMap<string, string>): string {
  const name = attributes.get('name') ?? '';
  const own = name === '' ? tag : `${tag} ${name}`;
  return parent === '' || parent === 'amqp' ? own : `${parent}, ${own}`;
}

function expected(tag: string | null): string {
  return tag === null ? '' : `, <${tag}> expected`;
}
