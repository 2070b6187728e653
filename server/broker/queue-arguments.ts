/**
 * The x-arguments of queue.declare: which there are, what they accept, and RabbitMQ's words for a refusal.
 *
 * An argument that this version does not carry out is refused rather than ignored: a queue that silently
 * keeps expired messages is worse than none. Arguments nobody knows are kept and not looked at, as in
 * RabbitMQ.
 */
import type { FieldTable, FieldValue } from '../../generated/index.ts';
import { fieldTypeName, integerOf } from '../routing/field-value-text.ts';
import { type ArgumentDifference, findDifference } from './argument-difference.ts';

/** What is wrong with a value, as RabbitMQ prints it, or null. */
type Validator = (value: FieldValue) => string | null;

/** A text out of a list; `what` names it in the refusal. */
function oneOf(what: string, accepted: readonly string[]): Validator {
  return (value) => {
    if (value.tag !== 'S') return `{unacceptable_type,${fieldTypeName(value)}}`;
    const text = value.value.toString();
    return accepted.includes(text) ? null : `"unsupported queue ${what} '${text}'"`;
  };
}

const queueVersion: Validator = (value) => {
  const version = integerOf(value);
  if (version === null) return `"expected integer, got ${fieldTypeName(value)}"`;
  if (version < 0) return `{value_negative,${version}}`;
  return version === 1 || version === 2 ? null : `"unsupported queue version '${version}'"`;
};

const notYet: Validator = () => '"not supported by this version of FirnMQ"';

/** Arguments that take part in the comparison of two declarations. */
const VALIDATORS: ReadonlyMap<string, Validator> = new Map([
  ['x-queue-type', oneOf('type', ['classic'])],
  ['x-queue-mode', oneOf('mode', ['default', 'lazy'])],
  ['x-queue-version', queueVersion],
  ...[
    'x-dead-letter-exchange',
    'x-dead-letter-routing-key',
    'x-dead-letter-strategy',
    'x-delivery-limit',
    'x-expires',
    'x-max-age',
    'x-max-length',
    'x-max-length-bytes',
    'x-max-priority',
    'x-message-ttl',
    'x-overflow',
    'x-single-active-consumer',
  ].map((name): [string, Validator] => [name, notYet]),
]);

/** The first argument with a value that is not accepted, and why; null when all are fine. */
export function findInvalidArgument(args: FieldTable): { name: string; reason: string } | null {
  for (const [name, value] of args) {
    const reason = VALIDATORS.get(name)?.(value) ?? null;
    if (reason !== null) return { name, reason };
  }
  return null;
}

/** An argument that two declarations of a queue differ in. */
export interface QueueArgumentDifference extends ArgumentDifference {
  readonly name: string;
}

/** Classic is what a queue is when nothing is said. */
function effective(args: FieldTable, name: string): FieldValue | undefined {
  const value = args.get(name);
  return name === 'x-queue-type' && value?.value === 'classic' ? undefined : value;
}

/** The first known argument in which the declarations differ; numbers compare by value. */
export function findArgumentDifference(
  received: FieldTable,
  current: FieldTable,
): QueueArgumentDifference | null {
  for (const name of VALIDATORS.keys()) {
    const difference = findDifference(effective(received, name), effective(current, name));
    if (difference !== null) return { name, ...difference };
  }
  return null;
}
