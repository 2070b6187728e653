/**
 * The brokers that the suite knows by name. A scenario may expect something else of a target only
 * through {@link Difference}: what that broker does, and why we do not follow it.
 */

/** `firnmq`: this repository's server. `rabbitmq`: RabbitMQ 3.10, as Debian 12 ships it. */
export type TargetName = 'firnmq' | 'rabbitmq';

export const TARGET_NAMES: readonly TargetName[] = ['firnmq', 'rabbitmq'];

/** A stated difference between one target and what the scenario expects of every broker. */
export interface Difference {
  /** What the target does, as one sentence. */
  readonly fact: string;
  /** Why the scenario expects something else, as one sentence. */
  readonly reason: string;
}

/** True for a name in {@link TARGET_NAMES}. */
export function isTargetName(name: string): name is TargetName {
  return TARGET_NAMES.some((known) => known === name);
}
