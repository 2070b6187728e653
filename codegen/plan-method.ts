/**
 * One method as it is generated: its type, and the expressions of its encoder and decoder.
 *
 *     at        at+7                  at+11
 *     +---------+---------+-----------+----------------+------+
 *     | header  | class   | method    | arguments      | 0xCE |
 *     +---------+---------+-----------+----------------+------+
 *      7 octets  short     short
 *
 * Offsets count from `at` up to the first string or table. Behind each of those a local (`p1`, `p2`, ...)
 * holds the place where it ended, and offsets count from there.
 */
import { camelCase, localName, pascalCase, screamingSnakeCase } from './identifiers.ts';
import { layOut, offsetExpression, type Place, type Slot } from './method-layout.ts';
import type { ClassModel, FieldModel, MethodModel } from './model.ts';
import { type AccessorsPlan, planAccessors } from './plan-accessors.ts';
import { planWireType } from './wire-types.ts';

/** A field as it is generated. */
export interface FieldPlan {
  readonly name: string;
  readonly property: string;
  readonly type: string;
  readonly tsType: string;
  readonly reserved: boolean;
  readonly doc: readonly string[];
}

/** `[result]writer(buf, position, value);` */
export interface WriteStep {
  readonly result: string;
  readonly writer: string;
  readonly position: string;
  readonly value: string;
}

/** A method as it is generated. */
export interface MethodPlan extends AccessorsPlan {
  readonly name: string;
  readonly className: string;
  readonly methodName: string;
  readonly typeName: string;
  readonly handlerName: string;
  readonly idName: string;
  readonly id: number;
  readonly doc: readonly string[];
  readonly synchronous: boolean;
  readonly content: boolean;
  readonly deprecated: boolean;
  readonly toServer: boolean;
  readonly toClient: boolean;
  readonly responses: readonly string[];
  /** All fields, and those that a caller sees. */
  readonly fields: readonly FieldPlan[];
  readonly visibleFields: readonly FieldPlan[];
  /** Octets of the frame: `sizeConstant + sizeTerms`. */
  readonly sizeConstant: number;
  readonly sizeTerms: readonly string[];
  readonly writes: readonly WriteStep[];
  /** Offset behind the arguments. */
  readonly writeEnd: string;
  /** Statements that read, and the entries of the object that is returned. */
  readonly reads: readonly string[];
  readonly entries: readonly string[];
}

const ARGUMENTS_OFFSET = 11;
const FRAME_END_SIZE = 1;
const ID_FACTOR = 0x1_0000;
const NO_ACCESSORS: AccessorsPlan = { bitMasks: [], accessors: [] };

/** Plans one method; a hot one gets accessors. */
export function planMethod(owner: ClassModel, method: MethodModel, isHot: boolean): MethodPlan {
  const fields = method.fields.map(planField);
  const { slots, end } = layOut(method.fields, 'empty');
  return {
    name: `${owner.name}.${method.name}`,
    className: owner.name,
    methodName: method.name,
    typeName: pascalCase(owner.name, method.name),
    handlerName: camelCase(owner.name, method.name),
    idName: `${screamingSnakeCase(owner.name, method.name)}_ID`,
    id: owner.index * ID_FACTOR + method.index,
    doc: methodDoc(owner, method),
    synchronous: method.synchronous,
    content: method.content,
    deprecated: method.deprecated,
    toServer: method.toServer,
    toClient: method.toClient,
    responses: method.responses,
    fields,
    visibleFields: fields.filter((field) => !field.reserved),
    sizeConstant: slots.reduce(
      (size, slot) => size + constantSizeOf(slot),
      ARGUMENTS_OFFSET + FRAME_END_SIZE,
    ),
    sizeTerms: slots.flatMap(sizeTermsOf),
    writes: slots.map(planWrite),
    writeEnd: writePosition(end),
    ...planReads(slots),
    ...(isHot ? planAccessors(owner, method) : NO_ACCESSORS),
  };
}

function planField(field: FieldModel): FieldPlan {
  return {
    name: field.name,
    property: camelCase(field.name),
    type: field.type,
    tsType: planWireType(field.type).tsType,
    reserved: field.reserved,
    doc: [field.doc],
  };
}

function methodDoc(owner: ClassModel, method: MethodModel): readonly string[] {
  const facts = [`sent by ${senderOf(method)}`];
  if (method.content) facts.push('carries content');
  if (method.responses.length > 0) {
    const responses = method.responses.map((response) => `${owner.name}.${response}`);
    facts.push(`answered by ${responses.join(' or ')}`);
  }
  if (method.deprecated) facts.push('deprecated by the standard');
  const title = `${owner.name}.${method.name} (${owner.index}.${method.index})`;
  return [method.doc, '', `${title}: ${facts.join(', ')}.`];
}

function senderOf(method: MethodModel): string {
  if (method.toServer && method.toClient) return 'either peer';
  return method.toServer ? 'the client' : 'the server';
}

function constantSizeOf(slot: Slot): number {
  if (slot.kind === 'bits') return 1;
  if (slot.kind === 'number') return slot.type.size;
  return slot.field.reserved ? slot.type.lengthSize : slot.type.sizeConstant;
}

function sizeTermsOf(slot: Slot): readonly string[] {
  if (slot.kind !== 'string' || slot.field.reserved) return [];
  return [slot.type.sizeOf(`m.${camelCase(slot.field.name)}`)];
}

function planWrite(slot: Slot): WriteStep {
  const position = writePosition(slot.place);
  if (slot.kind === 'bits') {
    return { result: '', writer: 'writeU8', position, value: bitsExpression(slot.fields) };
  }
  const value = `m.${camelCase(slot.field.name)}`;
  if (slot.kind === 'number') {
    const written = slot.field.reserved ? '0' : value;
    return { result: '', writer: slot.type.writer, position, value: written };
  }
  if (slot.field.reserved) {
    return { result: '', writer: slot.type.lengthWriter, position, value: '0' };
  }
  const result = `const p${slot.place.anchor + 1} = `;
  return { result, writer: slot.type.writer, position, value };
}

function bitsExpression(fields: readonly FieldModel[]): string {
  const terms = fields.flatMap((field, bit) =>
    field.reserved ? [] : [`m.${camelCase(field.name)} ? ${1 << bit} : 0`],
  );
  if (terms.length < 2) return terms[0] ?? '0';
  return terms.map((term) => `(${term})`).join(' | ');
}

function writePosition({ anchor, delta }: Place): string {
  if (anchor === 0) return `at + ${ARGUMENTS_OFFSET + delta}`;
  return offsetExpression(`p${anchor}`, delta);
}

function planReads(slots: readonly Slot[]): Pick<MethodPlan, 'reads' | 'entries'> {
  const reads: string[] = [];
  const entries: string[] = [];
  let bitOctets = 0;
  for (const slot of slots) {
    if (slot.kind === 'bits') {
      if (slot.fields.every((field) => field.reserved)) {
        reads.push('r.skip(1);');
        continue;
      }
      bitOctets += 1;
      const local = bitOctets === 1 ? 'bits' : `bits${bitOctets}`;
      reads.push(`const ${local} = r.u8();`);
      slot.fields.forEach((field, bit) => {
        if (field.reserved) return;
        entries.push(`${camelCase(field.name)}: (${local} & ${1 << bit}) !== 0`);
      });
    } else if (slot.field.reserved) {
      reads.push(`r.${slot.type.skip};`);
    } else {
      const local = localName(slot.field.name);
      const property = camelCase(slot.field.name);
      reads.push(`const ${local} = r.${slot.type.reader}();`);
      entries.push(local === property ? property : `${property}: ${local}`);
    }
  }
  return { reads, entries };
}
