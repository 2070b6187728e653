/**
 * Declaring, deleting, purging and consuming from queues, with every check and RabbitMQ's wordings. Positions
 * returned are as in exchanges.ts.
 */
import { randomBytes } from 'node:crypto';
import type { FieldTable } from '../../generated/index.ts';
import { fieldTypeName, integerOf } from '../routing/field-value-text.ts';
import { DEFINITION_ACTIONS } from '../storage/record-format.ts';
import { lockedError, requireAccess, requireUnlocked } from './access.ts';
import { inequivalentText } from './argument-difference.ts';
import { accessRefused, preconditionFailed, resourceText } from './broker-error.ts';
import type { Consumer } from './consumer.ts';
import { queueDeleteFrame, queueFrame } from './definition-frames.ts';
import type { Actor } from './ports.ts';
import type { Queue, QueueDeclaration } from './queue.ts';
import { findArgumentDifference, findInvalidArgument } from './queue-arguments.ts';
import { removeBindingsTo } from './topology.ts';
import { RESERVED_PREFIX, type Vhost } from './vhost.ts';

const CONSUMER_PRIORITY = 'x-priority';

/** A name that the server makes up: the prefix and 22 characters of URL-safe base64. */
export function generateName(prefix: string): string {
  return prefix + randomBytes(16).toString('base64url');
}

/** A queue, and the log position after which it exists for good. */
export interface DeclaredQueue {
  readonly queue: Queue;
  readonly position: number;
}

/** Declares a queue, or finds the equivalent one. An empty name asks for one to be made up. */
export function declareQueue(vhost: Vhost, actor: Actor, asked: QueueDeclaration): DeclaredQueue {
  const isNamed = asked.name !== '';
  const declaration = isNamed ? asked : { ...asked, name: generateName('amq.gen-') };
  const { name, args } = declaration;
  if (isNamed && name.startsWith(RESERVED_PREFIX)) {
    throw accessRefused(`queue name '${name}' contains reserved prefix 'amq.*'`);
  }
  requireAccess(vhost, actor, 'configure', 'queue', name);
  const existing = vhost.queues.get(name);
  if (existing !== undefined) {
    requireEquivalent(vhost, actor, existing, declaration);
    return { queue: existing, position: existing.definedAt };
  }
  const invalid = findInvalidArgument(args);
  if (invalid !== null) {
    const text = resourceText('queue', name, vhost.name);
    throw preconditionFailed(`invalid arg '${invalid.name}' for ${text}: ${invalid.reason}`);
  }
  if (declaration.durable && !declaration.exclusive) vhost.requireRoom();
  const queue = vhost.addQueue(declaration, declaration.exclusive ? actor.owner : null);
  if (queue.isLogged) {
    const { number } = queue;
    queue.definedAt = vhost.store.define(DEFINITION_ACTIONS.declare, number, queueFrame(queue));
  }
  return { queue, position: queue.definedAt };
}

/** Passive declare: only asks whether it exists. */
export function checkQueue(vhost: Vhost, actor: Actor, name: string): DeclaredQueue {
  const queue = vhost.queue(name);
  requireUnlocked(vhost, actor, queue);
  return { queue, position: queue.definedAt };
}

function requireEquivalent(
  vhost: Vhost,
  actor: Actor,
  existing: Queue,
  declaration: QueueDeclaration,
): void {
  const owner = declaration.exclusive ? actor.owner : null;
  if (existing.owner !== owner) throw lockedError(vhost, existing);
  const text = resourceText('queue', existing.name, vhost.name);
  const compared = [
    // One that is exclusive goes with its connection, whatever was asked for.
    ['durable', declaration.durable && !declaration.exclusive, existing.isLogged],
    ['auto_delete', declaration.autoDelete, existing.autoDelete],
  ] as const;
  for (const [what, received, current] of compared) {
    if (received === current) continue;
    throw preconditionFailed(
      `inequivalent arg '${what}' for ${text}: received '${received}' but current is '${current}'`,
    );
  }
  const difference = findArgumentDifference(declaration.args, existing.args);
  if (difference !== null) {
    throw preconditionFailed(inequivalentText(difference.name, text, difference));
  }
}

/** What became of a queue.delete or queue.purge. */
export interface EmptiedQueue {
  /** Ready messages dropped. */
  readonly messageCount: number;
  readonly position: number;
}

/** Deletes a queue; one that does not exist is fine. */
export function deleteQueue(
  vhost: Vhost,
  actor: Actor,
  name: string,
  condition: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
): EmptiedQueue {
  requireAccess(vhost, actor, 'configure', 'queue', name);
  const queue = vhost.queues.get(name);
  if (queue === undefined) return { messageCount: 0, position: -1 };
  requireUnlocked(vhost, actor, queue);
  const text = resourceText('queue', name, vhost.name);
  if (condition.ifEmpty && queue.readyCount > 0) throw preconditionFailed(`${text} not empty`);
  if (condition.ifUnused && queue.consumers.count > 0) throw preconditionFailed(`${text} in use`);
  const messageCount = queue.readyCount;
  return { messageCount, position: removeQueue(vhost, queue) };
}

/** Takes a queue out, with its bindings, consumers and messages; the position to wait for. */
export function removeQueue(vhost: Vhost, queue: Queue): number {
  if (queue.isDeleted) return -1;
  vhost.queues.delete(queue.name);
  vhost.topologyChanged();
  const position = queue.isLogged
    ? vhost.store.define(DEFINITION_ACTIONS.deleteQueue, queue.number, queueDeleteFrame(queue.name))
    : -1;
  queue.close();
  removeBindingsTo(vhost, queue);
  return position;
}

/** Drops all ready messages of a queue. */
export function purgeQueue(vhost: Vhost, actor: Actor, name: string): EmptiedQueue {
  requireAccess(vhost, actor, 'read', 'queue', name);
  const queue = vhost.queue(name);
  requireUnlocked(vhost, actor, queue);
  const messageCount = queue.purge();
  const isLogged = queue.isLogged && messageCount > 0;
  return { messageCount, position: isLogged ? vhost.store.log.end : -1 };
}

/** The queue that somebody wants to take messages from. */
export function readableQueue(vhost: Vhost, actor: Actor, name: string): Queue {
  requireAccess(vhost, actor, 'read', 'queue', name);
  const queue = vhost.queue(name);
  requireUnlocked(vhost, actor, queue);
  return queue;
}

/**
 * The priority of a consumer, from its arguments: 0 where none is given.
 *
 * @throws BrokerError PRECONDITION_FAILED when it is no integer
 */
export function consumerPriority(vhost: Vhost, queueName: string, args: FieldTable): number {
  const value = args.get(CONSUMER_PRIORITY);
  if (value === undefined) return 0;
  const priority = integerOf(value);
  if (priority !== null) return Number(priority);
  const text = resourceText('queue', queueName, vhost.name);
  throw preconditionFailed(
    `invalid arg '${CONSUMER_PRIORITY}' for ${text}: "expected integer, got ${fieldTypeName(value)}"`,
  );
}

/** @throws BrokerError ACCESS_REFUSED when one consumer has, or wants, the queue for itself */
export function requireConsumable(vhost: Vhost, queue: Queue, exclusive: boolean): void {
  const { areExclusive, count } = queue.consumers;
  if (areExclusive || (exclusive && count > 0)) {
    throw accessRefused(`${resourceText('queue', queue.name, vhost.name)} in exclusive use`);
  }
}

/** Ends a consumer; an auto-delete queue goes with its last one. */
export function removeConsumer(vhost: Vhost, consumer: Consumer): void {
  const { queue } = consumer;
  queue.removeConsumer(consumer);
  if (queue.isAbandoned) removeQueue(vhost, queue);
}
