/**
 * Accessors of a hot method: functions that read one field where it lies.
 *
 * They count from the first octet of the arguments, behind class and method id. `...At` gives an offset:
 * of a string that of its length, of bits that of their octet; the others give the value. A place
 * behind a string is found by way of the accessor of that string.
 */
import { camelCase, screamingSnakeCase } from './identifiers.ts';
import { type BitsSlot, layOut, offsetExpression, type Place, type Slot } from './method-layout.ts';
import type { ClassModel, FieldModel, MethodModel } from './model.ts';
import { type StringType, sizeAtExpression } from './wire-types.ts';

/** A function that reads one thing in place. */
export interface AccessorPlan {
  readonly name: string;
  readonly doc: readonly string[];
  readonly parameters: string;
  readonly returns: string;
  /** A statement before the return, or null. */
  readonly prelude: string | null;
  readonly expression: string;
}

/** The mask of a bit in its octet. */
export interface BitMaskPlan {
  readonly name: string;
  readonly mask: number;
  readonly doc: readonly string[];
}

/** What a hot method gets beside its encoder and decoder. */
export interface AccessorsPlan {
  readonly bitMasks: readonly BitMaskPlan[];
  readonly accessors: readonly AccessorPlan[];
}

/** How to get at a place: an optional statement, then an expression. */
interface Path {
  readonly prelude: string | null;
  readonly offset: string;
  /** False where the place is a constant distance from the begin of the arguments. */
  readonly needsBuffer: boolean;
}

const VALUE_PARAMETERS = 'buf: Buffer, at: number';

/** Plans the accessors of one method. */
export function planAccessors(owner: ClassModel, method: MethodModel): AccessorsPlan {
  const planner = new AccessorPlanner(owner, method);
  const { slots, end } = layOut(method.fields, 'of any size');
  for (const slot of slots) planner.addSlot(slot);
  planner.addEnd(end);
  return planner;
}

class AccessorPlanner implements AccessorsPlan {
  readonly bitMasks: BitMaskPlan[] = [];
  readonly accessors: AccessorPlan[] = [];
  private readonly owner: ClassModel;
  private readonly method: MethodModel;
  /** The strings so far: how to call the accessor of each. */
  private readonly strings: { readonly call: string; readonly type: StringType }[] = [];
  private bitOctets = 0;

  constructor(owner: ClassModel, method: MethodModel) {
    this.owner = owner;
    this.method = method;
  }

  addSlot(slot: Slot): void {
    switch (slot.kind) {
      case 'bits':
        this.addBits(slot);
        return;
      case 'string': {
        const property = camelCase(slot.field.name);
        const doc = `Offset of \`${property}\` in ${this.title}: its length, then its octets.`;
        const call = this.addOffset(`${this.nameOf(slot.field)}At`, doc, slot.place);
        this.strings.push({ call, type: slot.type });
        return;
      }
      case 'number': {
        if (slot.field.reserved) return;
        const { prelude, offset } = this.pathTo(slot.place);
        this.accessors.push({
          name: this.nameOf(slot.field),
          doc: [slot.field.doc],
          parameters: VALUE_PARAMETERS,
          returns: 'number',
          prelude,
          expression: `${slot.type.peeker}(buf, ${offset})`,
        });
        return;
      }
    }
  }

  addEnd(end: Place): void {
    const doc =
      `Offset behind the arguments of ${this.title}; where it is not the end of the payload, the frame ` +
      'is malformed.';
    this.addOffset(`${this.prefix}EndAt`, doc, end);
  }

  private addBits(slot: BitsSlot): void {
    this.bitOctets += 1;
    const name = `${this.prefix}Bits${this.bitOctets === 1 ? '' : this.bitOctets}At`;
    const call = this.addOffset(name, `Offset of the octet of bits in ${this.title}.`, slot.place);
    slot.fields.forEach((field, bit) => {
      if (field.reserved) return;
      const { owner, method } = this;
      const mask = `${screamingSnakeCase(owner.name, method.name, field.name)}_BIT`;
      const maskDoc = `Mask of \`${camelCase(field.name)}\` in the octet at {@link ${name}}.`;
      this.bitMasks.push({ name: mask, mask: 1 << bit, doc: [maskDoc] });
      this.accessors.push({
        name: this.nameOf(field),
        doc: [field.doc],
        parameters: VALUE_PARAMETERS,
        returns: 'boolean',
        prelude: null,
        expression: `(buf[${call}]! & ${mask}) !== 0`,
      });
    });
  }

  /** Adds an accessor that gives an offset; returns how to call it. */
  private addOffset(name: string, doc: string, place: Place): string {
    const { prelude, offset, needsBuffer } = this.pathTo(place);
    const parameters = needsBuffer ? VALUE_PARAMETERS : 'at: number';
    const accessor = {
      name,
      doc: [doc],
      parameters,
      returns: 'number',
      prelude,
      expression: offset,
    };
    this.accessors.push(accessor);
    return needsBuffer ? `${name}(buf, at)` : `${name}(at)`;
  }

  private pathTo({ anchor, delta }: Place): Path {
    const string = this.strings[anchor - 1];
    if (string === undefined) {
      return { prelude: null, offset: offsetExpression('at', delta), needsBuffer: false };
    }
    const behind = `p + ${sizeAtExpression(string.type)}`;
    const prelude = `const p = ${string.call};`;
    return { prelude, offset: offsetExpression(behind, delta), needsBuffer: true };
  }

  private nameOf(field: FieldModel): string {
    return camelCase(this.owner.name, this.method.name, field.name);
  }

  private get prefix(): string {
    return camelCase(this.owner.name, this.method.name);
  }

  private get title(): string {
    return `${this.owner.name}.${this.method.name}`;
  }
}
