/**
 * Every decision about the generated code: names, files, sizes, order, hot methods. How the fields of a
 * method are laid out is in plan-method.ts, properties are in plan-properties.ts.
 *
 * The plan is plain data in the shape in which the templates loop over it; strings in it that are no
 * names are TypeScript expressions.
 */
import { pascalCase, screamingSnakeCase } from './identifiers.ts';
import type { ClassModel, ConstantModel, MethodModel, ProtocolModel } from './model.ts';
import { type MethodPlan, planMethod } from './plan-method.ts';
import { type PropertiesPlan, planProperties } from './plan-properties.ts';
import { SpecError } from './spec-error.ts';

/**
 * What comes per message: these methods get accessors in place and are tried first by the dispatch, in
 * this order. Those that a spec does not have are left out.
 */
const HOT_METHODS: readonly string[] = [
  'basic.publish',
  'basic.deliver',
  'basic.ack',
  'basic.nack',
  'basic.reject',
  'basic.get',
  'basic.get-ok',
];

/** Files that do not belong to one class. */
const COMMON_FILES: readonly string[] = ['constants', 'dispatch', 'metadata', 'index'];

/** A constant as it is generated. */
export interface ConstantPlan {
  readonly name: string;
  readonly value: number;
  readonly doc: readonly string[];
}

/** A row of REPLY_CODES. */
export interface ReplyCodePlan {
  readonly name: string;
  readonly value: number;
  readonly scope: string;
}

/** A class: one file of methods, and one of properties where its methods carry content. */
export interface ClassPlan {
  readonly name: string;
  readonly file: string;
  readonly doc: readonly string[];
  readonly idName: string;
  readonly id: number;
  readonly methods: readonly MethodPlan[];
  readonly properties: PropertiesPlan | null;
}

/** All that the templates need. */
export interface Plan {
  /** The files it was made from, for the headers. */
  readonly sources: string;
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly port: number | null;
  readonly constants: readonly ConstantPlan[];
  readonly replyCodes: readonly ReplyCodePlan[];
  readonly classes: readonly ClassPlan[];
  readonly contentClasses: readonly PropertiesPlan[];
  /** All methods in the order of their ids; and in the order of dispatch, by receiver. */
  readonly methods: readonly MethodPlan[];
  readonly toServer: readonly MethodPlan[];
  readonly toClient: readonly MethodPlan[];
}

/**
 * Decides how the code for this protocol looks. `sources` are the names of the spec files.
 *
 * @throws SpecError when two elements would get the same name in the generated code.
 */
export function planCode(model: ProtocolModel, sources: readonly string[]): Plan {
  checkNames(model);
  const contentClasses = model.classes.filter((owner) => owner.properties.length > 0);
  // AMQP 0-9-1 has one content class: nothing to tell apart.
  const isOnlyContentClass = contentClasses.length === 1;
  const classes = model.classes.map((owner) => planClass(owner, isOnlyContentClass));
  const methods = classes.flatMap((owner) => owner.methods);
  const byHeat = [...methods].sort((a, b) => heatOf(a.name) - heatOf(b.name));
  return {
    sources: sources.join(', '),
    major: model.major,
    minor: model.minor,
    revision: model.revision,
    port: model.port,
    constants: model.constants.map(planConstant),
    replyCodes: model.constants.filter((constant) => constant.replyScope !== null).map(planReply),
    classes,
    contentClasses: classes.flatMap((owner) => owner.properties ?? []),
    methods,
    toServer: byHeat.filter((method) => method.toServer),
    toClient: byHeat.filter((method) => method.toClient),
  };
}

function planClass(owner: ClassModel, isOnlyContentClass: boolean): ClassPlan {
  return {
    name: owner.name,
    file: owner.name,
    doc: [owner.doc],
    idName: `${screamingSnakeCase(owner.name)}_CLASS_ID`,
    id: owner.index,
    methods: owner.methods.map((method) => {
      const isHot = HOT_METHODS.includes(fullName(owner, method));
      return planMethod(owner, method, isHot);
    }),
    properties: owner.properties.length > 0 ? planProperties(owner, isOnlyContentClass) : null,
  };
}

function planConstant(constant: ConstantModel): ConstantPlan {
  return {
    name: screamingSnakeCase(constant.name),
    value: constant.value,
    doc: [constant.doc],
  };
}

function planReply(constant: ConstantModel): ReplyCodePlan {
  return {
    name: screamingSnakeCase(constant.name),
    value: constant.value,
    scope: constant.replyScope ?? 'none',
  };
}

/** Hot methods by their place in the list, then all others. The sort is stable. */
function heatOf(name: string): number {
  const index = HOT_METHODS.indexOf(name);
  return index < 0 ? HOT_METHODS.length : index;
}

function fullName(owner: ClassModel, method: MethodModel): string {
  return `${owner.name}.${method.name}`;
}

/** No two classes may share a file and no two methods a type. */
function checkNames(model: ProtocolModel): void {
  const files = new Map<string, string>(COMMON_FILES.map((file) => [file, 'the generator']));
  const types = new Map<string, string>();
  for (const owner of model.classes) {
    claim(files, owner.name, owner, `class ${owner.name}`);
    if (owner.properties.length > 0) {
      claim(files, `${owner.name}-properties`, owner, `the properties of class ${owner.name}`);
      claim(types, `${pascalCase(owner.name)}Properties`, owner, `class ${owner.name}`);
    }
    for (const method of owner.methods) {
      const type = pascalCase(owner.name, method.name);
      claim(types, type, method, `method ${fullName(owner, method)}`);
    }
  }
}

function claim(
  taken: Map<string, string>,
  name: string,
  owner: ClassModel | MethodModel,
  claimant: string,
): void {
  const other = taken.get(name);
  if (other !== undefined) {
    throw SpecError.at(
      owner.element,
      `would be generated as '${name}', which is taken by ${other}`,
    );
  }
  taken.set(name, claimant);
}
