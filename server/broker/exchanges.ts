/**
 * Declaring and deleting exchanges, with every check and RabbitMQ's wordings.
 *
 * Functions that change something durable return the log position of its definition: the -ok leaves once the
 * log is durable behind it; -1 when there is nothing to wait for.
 */

import type { FieldTable } from '../../generated/index.ts';
import { fieldTypeName } from '../routing/field-value-text.ts';
import { DEFINITION_ACTIONS } from '../storage/record-format.ts';
import { requireAccess } from './access.ts';
import { findDifference, inequivalentText } from './argument-difference.ts';
import { accessRefused, preconditionFailed, resourceText } from './broker-error.ts';
import { exchangeFrame } from './definition-frames.ts';
import {
  ALTERNATE_EXCHANGE,
  EXCHANGE_TYPES,
  type Exchange,
  type ExchangeDeclaration,
} from './exchange.ts';
import type { Actor } from './ports.ts';
import { removeExchange } from './topology.ts';
import { RESERVED_PREFIX, type Vhost } from './vhost.ts';

function refuseDefaultExchange(name: string): void {
  if (name === '') throw accessRefused('operation not permitted on the default exchange');
}

/** Declares an exchange, or finds the equivalent one; the position to wait for. */
export function declareExchange(
  vhost: Vhost,
  actor: Actor,
  declaration: ExchangeDeclaration,
): number {
  const { name, type, args } = declaration;
  if (!EXCHANGE_TYPES.has(type)) throw preconditionFailed(`unknown exchange type '${type}'`);
  refuseDefaultExchange(name);
  requireAccess(vhost, actor, 'configure', 'exchange', name);
  const existing = vhost.exchanges.get(name);
  if (existing !== undefined) {
    requireEquivalent(vhost, existing, declaration);
    return existing.definedAt;
  }
  if (name.startsWith(RESERVED_PREFIX)) {
    throw accessRefused(`exchange name '${name}' contains reserved prefix 'amq.*'`);
  }
  requireAlternate(vhost, actor, name, args);
  if (declaration.durable) vhost.requireRoom();
  const exchange = vhost.addExchange(declaration);
  if (exchange.durable) {
    exchange.definedAt = vhost.store.define(DEFINITION_ACTIONS.declare, 0, exchangeFrame(exchange));
  }
  return exchange.definedAt;
}

/** Passive declare: only asks whether it exists. */
export function checkExchange(vhost: Vhost, name: string): number {
  refuseDefaultExchange(name);
  return vhost.exchange(name).definedAt;
}

function requireEquivalent(
  vhost: Vhost,
  existing: Exchange,
  declaration: ExchangeDeclaration,
): void {
  const compared = [
    ['type', declaration.type, existing.type],
    ['durable', declaration.durable, existing.durable],
    ['auto_delete', declaration.autoDelete, existing.autoDelete],
    ['internal', declaration.internal, existing.internal],
  ] as const;
  const text = resourceText('exchange', existing.name, vhost.name);
  for (const [what, received, current] of compared) {
    if (received === current) continue;
    throw preconditionFailed(
      `inequivalent arg '${what}' for ${text}: received '${received}' but current is '${current}'`,
    );
  }
  const [received, current] = [declaration.args, existing.args].map((args) =>
    args.get(ALTERNATE_EXCHANGE),
  );
  const difference = findDifference(received, current);
  if (difference !== null) {
    throw preconditionFailed(inequivalentText(ALTERNATE_EXCHANGE, text, difference));
  }
}

/** @throws BrokerError when the alternate exchange that a new exchange asks for is none, or closed to the user */
function requireAlternate(vhost: Vhost, actor: Actor, name: string, args: FieldTable): void {
  const alternate = args.get(ALTERNATE_EXCHANGE);
  if (alternate === undefined) return;
  if (alternate.tag !== 'S') {
    throw preconditionFailed(
      `invalid type '${fieldTypeName(alternate)}' for arg '${ALTERNATE_EXCHANGE}' in ` +
        resourceText('exchange', name, vhost.name),
    );
  }
  requireAccess(vhost, actor, 'read', 'exchange', name);
  requireAccess(vhost, actor, 'write', 'exchange', alternate.value.toString());
}

/** Deletes an exchange; one that does not exist is fine. */
export function deleteExchange(
  vhost: Vhost,
  actor: Actor,
  name: string,
  ifUnused: boolean,
): number {
  refuseDefaultExchange(name);
  requireAccess(vhost, actor, 'configure', 'exchange', name);
  const text = resourceText('exchange', name, vhost.name);
  if (name.startsWith(RESERVED_PREFIX)) {
    throw accessRefused(`deletion of system ${text} not allowed`);
  }
  const exchange = vhost.exchanges.get(name);
  if (exchange === undefined) return -1;
  if (ifUnused && exchange.isUsed) throw preconditionFailed(`${text} in use`);
  return removeExchange(vhost, exchange);
}
