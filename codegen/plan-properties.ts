/**
 * The layout of a class's content properties: one word of flags, the first property highest, then the
 * values of those that are present (spec 4.2.6.1).
 */
import { camelCase, pascalCase, screamingSnakeCase } from './identifiers.ts';
import type { ClassModel } from './model.ts';
import { SpecError } from './spec-error.ts';
import { type NumberType, planWireType, type StringType, sizeAtExpression } from './wire-types.ts';

/** One property. */
export interface PropertyPlan {
  readonly name: string;
  readonly property: string;
  readonly type: string;
  readonly tsType: string;
  readonly doc: readonly string[];
  /** What the lazy view gives, and gives when it is absent. */
  readonly viewDoc: readonly string[];
  readonly flagName: string;
  /** Its flag, as a hexadecimal literal. */
  readonly flag: string;
  /** Octets in the encoded properties when it is present. */
  readonly sizeOf: string;
  /** Statements that write it at `p` and move `p` behind it. */
  readonly write: readonly string[];
  readonly read: string;
  /** Octets that it takes at offset `p` of `buf`. */
  readonly sizeAt: string;
  /** The kind of its accessor in the lazy view, so that the template can choose. */
  readonly isNumber: boolean;
  readonly isShortstr: boolean;
  readonly isTable: boolean;
  readonly isLongstr: boolean;
  readonly peeker: string;
  readonly size: number;
  /** What the view gives for an absent number. */
  readonly absent: number;
}

/** The properties of a class. */
export interface PropertiesPlan {
  readonly className: string;
  readonly classDoc: string;
  readonly classIdName: string;
  readonly classId: number;
  readonly file: string;
  readonly typeName: string;
  /** Goes between `encode` and `ContentHeader`: empty where there is only one class with content. */
  readonly headerPrefix: string;
  readonly properties: readonly PropertyPlan[];
  /** Which helpers the lazy view needs. */
  readonly hasShortstrs: boolean;
  readonly hasStrings: boolean;
  /** Flags without a property: the bit that announces another word of flags, and unused ones. */
  readonly unusedFlags: string;
}

const PROPERTIES_MAX = 15;
const HIGHEST_FLAG = 0x8000;
const ALL_FLAGS = 0xffff;

/** Numbers that stand for an absent property in the lazy view where -1 does not. */
const ABSENT_NUMBERS: Readonly<Record<string, number>> = { 'basic.delivery-mode': 0 };

/**
 * Decides how the properties of the class are generated.
 *
 * @throws SpecError when there are more than fit into one word of flags, or bits among them.
 */
export function planProperties(owner: ClassModel, isOnlyContentClass: boolean): PropertiesPlan {
  if (owner.properties.length > PROPERTIES_MAX) {
    const text = `has ${owner.properties.length} properties, at most ${PROPERTIES_MAX} are supported`;
    throw SpecError.at(owner.element, text);
  }
  const properties = owner.properties.map((_, index) => planProperty(owner, index));
  const used = owner.properties.reduce((flags, _, index) => flags | (HIGHEST_FLAG >> index), 0);
  return {
    className: owner.name,
    classDoc: owner.doc,
    classIdName: `${screamingSnakeCase(owner.name)}_CLASS_ID`,
    classId: owner.index,
    file: `${owner.name}-properties`,
    typeName: `${pascalCase(owner.name)}Properties`,
    headerPrefix: isOnlyContentClass ? '' : pascalCase(owner.name),
    properties,
    hasShortstrs: properties.some((property) => property.isShortstr),
    hasStrings: properties.some((property) => !property.isNumber),
    unusedFlags: hexadecimal(ALL_FLAGS & ~used),
  };
}

function planProperty(owner: ClassModel, index: number): PropertyPlan {
  const field = owner.properties[index]!;
  const type = planWireType(field.type);
  const property = camelCase(field.name);
  const value = `properties.${property}`;
  if (type.kind === 'bit') {
    throw SpecError.at(owner.element, `property '${field.name}' is a bit, which is not supported`);
  }
  const absent = ABSENT_NUMBERS[`${owner.name}.${field.name}`] ?? -1;
  const common = {
    name: field.name,
    property,
    type: field.type,
    tsType: type.tsType,
    doc: [field.doc],
    viewDoc: [`${field.doc} ${absentDoc(type, absent)}`.trim()],
    flagName: `${screamingSnakeCase(owner.name, field.name)}_FLAG`,
    flag: hexadecimal(HIGHEST_FLAG >> index),
    read: `r.${type.reader}()`,
    isNumber: type.kind === 'number',
    isShortstr: type.tsType === 'string',
    isTable: type.tsType === 'FieldTable',
    isLongstr: type.tsType === 'Buffer',
    absent,
  };
  if (type.kind === 'number') {
    return {
      ...common,
      sizeOf: String(type.size),
      write: [`${type.writer}(buf, p, ${value});`, `p += ${type.size};`],
      sizeAt: String(type.size),
      peeker: type.peeker,
      size: type.size,
    };
  }
  const sizeConstant = type.sizeConstant === 0 ? '' : `${type.sizeConstant} + `;
  return {
    ...common,
    sizeOf: `${sizeConstant}${type.sizeOf(value)}`,
    write: [`p = ${type.writer}(buf, p, ${value});`],
    sizeAt: sizeAtExpression(type),
    peeker: '',
    size: type.lengthSize,
  };
}

function absentDoc(type: NumberType | StringType, absent: number): string {
  if (type.kind === 'number') return `${absent} when absent.`;
  return type.tsType === 'FieldTable' ? 'Empty when absent.' : 'Null when absent.';
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
