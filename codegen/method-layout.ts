/**
 * Where the fields of a method stand: one behind the other, a run of neighbouring bits sharing octets,
 * the first bit lowest (spec 4.2.5.2).
 *
 * Up to the first string or table places are constants. Behind each of those a new count begins.
 */
import type { FieldModel } from './model.ts';
import { type NumberType, planWireType, type StringType } from './wire-types.ts';

/** `delta` octets behind the end of the `anchor`th string; anchor 0 is the begin of the arguments. */
export interface Place {
  readonly anchor: number;
  readonly delta: number;
}

/** One thing on the wire. */
export type Slot = NumberSlot | StringSlot | BitsSlot;

/** A number. */
export interface NumberSlot {
  readonly kind: 'number';
  readonly field: FieldModel;
  readonly type: NumberType;
  readonly place: Place;
}

/** A string or table. */
export interface StringSlot {
  readonly kind: 'string';
  readonly field: FieldModel;
  readonly type: StringType;
  readonly place: Place;
}

/** An octet of up to eight bits. */
export interface BitsSlot {
  readonly kind: 'bits';
  readonly fields: readonly FieldModel[];
  readonly place: Place;
}

/** The fields in their places, and the place behind the last one. */
export interface MethodLayout {
  readonly slots: readonly Slot[];
  readonly end: Place;
}

/**
 * Places the fields. Reserved strings are a matter of view: an encoder writes them empty, so that they
 * have a fixed size; a reader must step over what the peer put there.
 */
export function layOut(
  fields: readonly FieldModel[],
  reservedStrings: 'empty' | 'of any size',
): MethodLayout {
  const slots: Slot[] = [];
  let anchor = 0;
  let delta = 0;
  let bits: FieldModel[] = [];
  for (const field of fields) {
    const type = planWireType(field.type);
    const place = { anchor, delta };
    if (type.kind === 'bit') {
      if (bits.length % 8 === 0) {
        bits = [];
        slots.push({ kind: 'bits', fields: bits, place });
        delta += 1;
      }
      bits.push(field);
      continue;
    }
    bits = [];
    if (type.kind === 'number') {
      slots.push({ kind: 'number', field, type, place });
      delta += type.size;
    } else {
      slots.push({ kind: 'string', field, type, place });
      if (field.reserved && reservedStrings === 'empty') {
        delta += type.lengthSize;
      } else {
        anchor += 1;
        delta = 0;
      }
    }
  }
  return { slots, end: { anchor, delta } };
}

/** `base + delta` as an expression. */
export function offsetExpression(base: string, delta: number): string {
  return delta === 0 ? base : `${base} + ${delta}`;
}
