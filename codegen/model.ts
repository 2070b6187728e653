/**
 * The protocol as checked, frozen data: constants, domains resolved to wire types, classes, methods with
 * their directions, fields and properties.
 *
 * Everything that is wrong in itself (duplicate ids, an unknown domain, a missing response, ...) is
 * found here; what comes after may rely on the model. Classes and methods are in the order of their
 * numbers, fields in the order of the wire. How bytes are laid out is decided in plan.ts.
 */
import type { SpecElement } from './read-spec.ts';
import { SpecError } from './spec-error.ts';

/** The elementary types of the wire (spec 4.2.5). */
export const WIRE_TYPES = [
  'bit',
  'octet',
  'short',
  'long',
  'longlong',
  'shortstr',
  'longstr',
  'timestamp',
  'table',
] as const;

/** An elementary type of the wire. */
export type WireType = (typeof WIRE_TYPES)[number];

/** What a reply code closes: the channel (soft error), the connection (hard error) or nothing. */
export type ReplyScope = 'channel' | 'connection' | 'none';

/** A named number. */
export interface ConstantModel {
  readonly name: string;
  readonly value: number;
  /** Null for constants that are no reply codes. */
  readonly replyScope: ReplyScope | null;
  readonly doc: string;
}

/** A field of a method, or a property of a class's content. */
export interface FieldModel {
  readonly name: string;
  readonly type: WireType;
  readonly reserved: boolean;
  readonly doc: string;
}

/** A method. */
export interface MethodModel {
  readonly name: string;
  readonly index: number;
  readonly synchronous: boolean;
  readonly content: boolean;
  readonly deprecated: boolean;
  /** A client may send it to a server. */
  readonly toServer: boolean;
  /** A server may send it to a client. */
  readonly toClient: boolean;
  /** Names of the methods of the same class that answer it. */
  readonly responses: readonly string[];
  readonly fields: readonly FieldModel[];
  readonly doc: string;
  /** Where it stands, for errors that are found later. */
  readonly element: SpecElement;
}

/** A class with its methods. */
export interface ClassModel {
  readonly name: string;
  readonly index: number;
  /** What its content headers can carry, in the order of their flags. */
  readonly properties: readonly FieldModel[];
  readonly methods: readonly MethodModel[];
  readonly doc: string;
  readonly element: SpecElement;
}

/** A protocol. */
export interface ProtocolModel {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly port: number | null;
  readonly constants: readonly ConstantModel[];
  readonly classes: readonly ClassModel[];
}

const U8_MAX = 0xff;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
const NAME_PATTERN = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const REPLY_SUCCESS = 'reply-success';

/**
 * Checks the tree and turns it into the model.
 *
 * @throws SpecError that names the element.
 */
export function buildModel(root: SpecElement): ProtocolModel {
  const constants = childrenOf(root, 'constant');
  unique(constants, 'name');
  const domains = childrenOf(root, 'domain');
  unique(domains, 'name');
  const classes = childrenOf(root, 'class');
  unique(classes, 'name');
  unique(classes, 'index');
  const domainModels = new Map(domains.map((domain) => [nameOf(domain), buildDomain(domain)]));
  const model: ProtocolModel = {
    major: integer(root, 'major', 0, U8_MAX),
    minor: integer(root, 'minor', 0, U8_MAX),
    revision: integer(root, 'revision', 0, U8_MAX),
    port: root.attributes.has('port') ? integer(root, 'port', 1, U16_MAX) : null,
    constants: constants.map(buildConstant),
    classes: classes
      .map((element) => buildClass(element, domainModels))
      .sort((a, b) => a.index - b.index),
  };
  unique(
    constants.filter((_, i) => model.constants[i]?.replyScope !== null),
    'value',
  );
  return deepFreeze(model);
}

interface DomainModel {
  readonly type: WireType;
  readonly doc: string;
}

function buildConstant(element: SpecElement): ConstantModel {
  const name = nameOf(element);
  return {
    name,
    value: integer(element, 'value', 0, U32_MAX),
    replyScope: replyScopeOf(element, name),
    doc: docOf(element),
  };
}

function replyScopeOf(element: SpecElement, name: string): ReplyScope | null {
  const errorClass = element.attributes.get('class');
  if (errorClass === 'soft-error') return 'channel';
  if (errorClass === 'hard-error') return 'connection';
  if (errorClass !== undefined) {
    throw SpecError.at(element, `class is '${errorClass}', soft-error or hard-error expected`);
  }
  return name === REPLY_SUCCESS ? 'none' : null;
}

function buildDomain(element: SpecElement): DomainModel {
  nameOf(element);
  return { type: wireType(element), doc: ownDocOf(element) };
}

function buildClass(element: SpecElement, domains: ReadonlyMap<string, DomainModel>): ClassModel {
  const methods = childrenOf(element, 'method');
  unique(methods, 'name');
  unique(methods, 'index');
  const model: ClassModel = {
    name: nameOf(element),
    index: integer(element, 'index', 1, U16_MAX),
    properties: buildFields(element, domains),
    methods: methods
      .map((method) => buildMethod(method, domains))
      .sort((a, b) => a.index - b.index),
    doc: docOf(element),
    element,
  };
  for (const method of model.methods) checkResponses(method, model);
  return model;
}

function buildMethod(element: SpecElement, domains: ReadonlyMap<string, DomainModel>): MethodModel {
  const chassis = childrenOf(element, 'chassis');
  unique(chassis, 'name');
  const receivers = chassis.map((receiver) => receiverOf(receiver));
  if (receivers.length === 0) {
    throw SpecError.at(element, 'has no chassis, so nobody may receive it');
  }
  const responses = childrenOf(element, 'response');
  unique(responses, 'name');
  return {
    name: nameOf(element),
    index: integer(element, 'index', 1, U16_MAX),
    synchronous: flag(element, 'synchronous'),
    content: flag(element, 'content'),
    deprecated: flag(element, 'deprecated'),
    toServer: receivers.includes('server'),
    toClient: receivers.includes('client'),
    responses: responses.map((response) => nameOf(response)),
    fields: buildFields(element, domains),
    doc: docOf(element),
    element,
  };
}

function receiverOf(chassis: SpecElement): 'server' | 'client' {
  const name = nameOf(chassis);
  if (name === 'server' || name === 'client') return name;
  throw SpecError.at(chassis, 'a chassis is server or client');
}

/** Every response must exist and go the other way; a synchronous request must have one. */
function checkResponses(method: MethodModel, owner: ClassModel): void {
  for (const name of method.responses) {
    const response = owner.methods.find((candidate) => candidate.name === name);
    if (response === undefined) {
      throw SpecError.at(method.element, `response '${name}' is no method of class ${owner.name}`);
    }
    if ((method.toServer && !response.toClient) || (method.toClient && !response.toServer)) {
      throw SpecError.at(method.element, `response '${name}' does not go back to the sender`);
    }
  }
  const isAnswer =
    owner.methods.some((request) => request.responses.includes(method.name)) ||
    owner.methods.some((request) => `${request.name}-ok` === method.name);
  if (method.synchronous && method.responses.length === 0 && !isAnswer) {
    throw SpecError.at(method.element, 'is synchronous, but no response is given');
  }
}

function buildFields(
  owner: SpecElement,
  domains: ReadonlyMap<string, DomainModel>,
): readonly FieldModel[] {
  const fields = childrenOf(owner, 'field');
  unique(fields, 'name');
  return fields.map((element) => {
    if (element.attributes.has('replaces')) {
      throw SpecError.at(
        element,
        'replaces a field, but no overlay opens an existing element here',
      );
    }
    const domain = domainOf(element, domains);
    const isDescribed = ownDocOf(element) !== '' || domain.doc === '';
    return {
      name: nameOf(element),
      type: domain.type,
      reserved: flag(element, 'reserved'),
      doc: isDescribed ? docOf(element) : domain.doc,
    };
  });
}

function domainOf(field: SpecElement, domains: ReadonlyMap<string, DomainModel>): DomainModel {
  const name = field.attributes.get('domain');
  if (name === undefined) return { type: wireType(field), doc: '' };
  if (field.attributes.has('type')) throw SpecError.at(field, 'has both a domain and a type');
  const domain = domains.get(name);
  if (domain === undefined) throw SpecError.at(field, `unknown domain '${name}'`);
  return domain;
}

function wireType(element: SpecElement): WireType {
  const name = element.attributes.get('type');
  if (name === undefined) throw SpecError.at(element, 'has neither a domain nor a type');
  const type = WIRE_TYPES.find((candidate) => candidate === name);
  if (type === undefined) throw SpecError.at(element, `unknown type '${name}'`);
  return type;
}

function childrenOf(element: SpecElement, tag: string): readonly SpecElement[] {
  return element.children.filter((child) => child.tag === tag);
}

function nameOf(element: SpecElement): string {
  const name = element.attributes.get('name') ?? '';
  if (NAME_PATTERN.test(name)) return name;
  throw SpecError.at(element, `name '${name}' is not lower-case words joined by hyphens`);
}

/** The label and the doc elements as sentences; where there are none, what it is called. */
function docOf(element: SpecElement): string {
  const text = ownDocOf(element);
  return text === '' ? sentence(`${element.tag} ${element.attributes.get('name')}`) : text;
}

function ownDocOf(element: SpecElement): string {
  const label = element.attributes.get('label') ?? '';
  const docs = childrenOf(element, 'doc').filter((doc) => !doc.attributes.has('type'));
  const texts = [label, ...docs.map((doc) => doc.text)].map((text) => text.trim());
  return texts
    .filter((text) => text !== '')
    .map(sentence)
    .join(' ');
}

function sentence(text: string): string {
  const capitalized = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capitalized) ? capitalized : `${capitalized}.`;
}

function integer(element: SpecElement, name: string, min: number, max: number): number {
  const text = element.attributes.get(name) ?? '';
  const value = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw SpecError.at(element, `${name} is '${text}', a whole number ${min} to ${max} expected`);
}

function flag(element: SpecElement, name: string): boolean {
  const text = element.attributes.get(name) ?? '0';
  if (text === '0' || text === '1') return text === '1';
  throw SpecError.at(element, `${name} is '${text}', 0 or 1 expected`);
}

/** No two of the elements may have the same value of the attribute. */
function unique(elements: readonly SpecElement[], attribute: string): void {
  const seen = new Map<string, SpecElement>();
  for (const element of elements) {
    const value = element.attributes.get(attribute) ?? '';
    const first = seen.get(value);
    if (first !== undefined) {
      const text = `duplicate ${attribute} '${value}', first in ${first.path} at ${first.file}:${first.line}`;
      throw SpecError.at(element, text);
    }
    seen.set(value, element);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
