/**
 * Adding and removing what leads where: bindings and exchanges, and what goes along with them. No checks of who
 * may: those are in exchanges.ts, queues.ts and bindings.ts.
 */
import { bindingId } from '../routing/binding-id.ts';
import { DEFINITION_ACTIONS } from '../storage/record-format.ts';
import type { Binding, BindingRequest, Destination } from './binding.ts';
import { BindingGroup } from './binding-group.ts';
import { bindingFrame, exchangeDeleteFrame, unbindingFrame } from './definition-frames.ts';
import type { Exchange } from './exchange.ts';
import type { Vhost } from './vhost.ts';

/**
 * What is deleted is parted from the others at once where these are no more. So few of the bindings that an exchange is
 * left with lead to something deleted, however many queues go in the same turn.
 */
const PARTED_AT_ONCE_MAX = 500;

/** The two ends of a binding, asked for or there. */
export interface BindingEnds {
  readonly source: Exchange;
  readonly destination: Destination;
}

/** The queue or exchange that a binding leads to. @throws BrokerError NOT_FOUND */
export function destinationOf(vhost: Vhost, request: BindingRequest): Destination {
  return request.kind === 'queue'
    ? vhost.queue(request.destination)
    : vhost.exchange(request.destination);
}

/** Both ends of a binding, or null where one of them does not exist. */
export function endsOf(vhost: Vhost, request: BindingRequest): BindingEnds | null {
  const source = vhost.exchanges.get(request.source);
  const { kind, destination: name } = request;
  const destination = kind === 'queue' ? vhost.queues.get(name) : vhost.exchanges.get(name);
  return source === undefined || destination === undefined ? null : { source, destination };
}

/** The binding of these ends that equals the one asked for, or null. */
export function findBinding(ends: BindingEnds, request: BindingRequest): Binding | null {
  return findById(ends, bindingId(request.bindingKey, request.args));
}

function findById({ source, destination }: BindingEnds, id: string): Binding | null {
  return source.outgoing.get(destination)?.find(id) ?? null;
}

/**
 * Adds a binding, or finds the equal one.
 *
 * @throws BrokerError NOT_FOUND
 * @throws HeldByAlarm when it would be durable and the disk is full
 */
export function addBinding(vhost: Vhost, request: BindingRequest): Binding {
  const ends = requireEnds(vhost, request);
  const id = bindingId(request.bindingKey, request.args);
  const existing = findById(ends, id);
  const isLogged = ends.source.durable && isDurable(ends.destination);
  if (isLogged && existing === null) vhost.requireRoom();
  const binding = existing ?? linkNew(vhost, ends, id, request);
  if (binding.definedAt < 0 && isLogged) {
    binding.definedAt = vhost.store.define(DEFINITION_ACTIONS.declare, 0, bindingFrame(binding));
  }
  return binding;
}

/** Adds a binding without a word to the log, or finds the equal one. @throws BrokerError NOT_FOUND */
export function link(vhost: Vhost, request: BindingRequest): Binding {
  const ends = requireEnds(vhost, request);
  const id = bindingId(request.bindingKey, request.args);
  return findById(ends, id) ?? linkNew(vhost, ends, id, request);
}

function requireEnds(vhost: Vhost, request: BindingRequest): BindingEnds {
  const destination = destinationOf(vhost, request);
  return { source: vhost.exchange(request.source), destination };
}

function linkNew(
  vhost: Vhost,
  { source, destination }: BindingEnds,
  id: string,
  { bindingKey, args }: BindingRequest,
): Binding {
  const binding: Binding = { id, source, destination, bindingKey, args, definedAt: -1 };
  let group = source.outgoing.get(destination);
  if (group === undefined) {
    group = new BindingGroup(source, destination);
    source.outgoing.set(destination, group);
    destination.addIncoming(group);
  }
  group.add(binding);
  source.index.add(bindingKey, args, destination);
  vhost.topologyChanged();
  return binding;
}

function isDurable(destination: Destination): boolean {
  return destination.kind === 'queue' ? destination.isLogged : destination.durable;
}

/** Removes a binding on a client's wish; the position to wait for. */
export function removeBinding(vhost: Vhost, binding: Binding): number {
  unlink(vhost, binding);
  const position =
    binding.definedAt < 0
      ? -1
      : vhost.store.define(DEFINITION_ACTIONS.declare, 0, unbindingFrame(binding));
  removeAbandoned(vhost, [binding.source]);
  return position;
}

/**
 * Takes out the bindings that lead to something deleted. The delete is in the log and takes them along when it is
 * replayed, so they need no records of their own.
 */
export function removeBindingsTo(vhost: Vhost, destination: Destination): void {
  removeAbandoned(vhost, part(vhost, destination));
}

/** Takes an exchange out, with its bindings on both sides; the position to wait for. */
export function removeExchange(vhost: Vhost, exchange: Exchange): number {
  const position = takeOut(vhost, exchange);
  removeAbandoned(vhost, partExchange(vhost, exchange));
  return position;
}

/**
 * Takes out those of the exchanges that are auto-delete and have no binding left that begins there, and what
 * that abandons in turn: a list, since a client may make the chain longer than the stack is deep.
 */
function removeAbandoned(vhost: Vhost, exchanges: Iterable<Exchange>): void {
  const pending = [...exchanges];
  for (let exchange = pending.pop(); exchange !== undefined; exchange = pending.pop()) {
    if (!exchange.autoDelete || exchange.isUsed || exchange.isDeleted) continue;
    takeOut(vhost, exchange);
    for (const source of partExchange(vhost, exchange)) pending.push(source);
  }
}

/** Takes an exchange out of the vhost and of the log; its bindings are still there. */
function takeOut(vhost: Vhost, exchange: Exchange): number {
  forgetExchange(vhost, exchange);
  return exchange.definedAt < 0
    ? -1
    : vhost.store.define(DEFINITION_ACTIONS.declare, 0, exchangeDeleteFrame(exchange.name));
}

/** Takes an exchange out of the vhost without a word to the log; its bindings are still there. */
export function forgetExchange(vhost: Vhost, exchange: Exchange): void {
  exchange.isDeleted = true;
  vhost.exchanges.delete(exchange.name);
  vhost.topologyChanged();
}

/** Parts a deleted exchange from all that is bound to it, as {@link part} does. */
export function partExchange(vhost: Vhost, exchange: Exchange): readonly Exchange[] {
  const groups = exchange.takeOutgoing();
  if (groups.size > PARTED_AT_ONCE_MAX) vhost.sweep.add(groups);
  // Its own index goes with it, so nothing else is to be done.
  else for (const { destination } of groups.values()) destination.removeIncoming(exchange);
  return part(vhost, exchange);
}

/**
 * Parts something deleted from the exchanges with bindings to it, and returns those of them that may be abandoned now. From
 * very many it is parted in slices (index-sweep.ts); what is left meanwhile leads to something deleted and counts for
 * nothing.
 */
export function part(vhost: Vhost, destination: Destination): readonly Exchange[] {
  const groups = destination.takeIncoming();
  const arePartedNow = groups.size <= PARTED_AT_ONCE_MAX;
  const mayBeAbandoned: Exchange[] = [];
  for (const { source } of groups.values()) {
    if (arePartedNow) source.outgoing.delete(destination);
    if (source.autoDelete) mayBeAbandoned.push(source);
  }
  vhost.topologyChanged();
  vhost.sweep.add(groups);
  return mayBeAbandoned;
}

/** Takes a binding out of its two ends without a word to the log. */
export function unlink(vhost: Vhost, binding: Binding): void {
  const { source, destination, bindingKey, args } = binding;
  const group = source.outgoing.get(destination);
  group?.remove(binding);
  if (group?.size === 0) {
    source.outgoing.delete(destination);
    destination.removeIncoming(source);
  }
  source.index.remove(bindingKey, args, destination);
  vhost.topologyChanged();
}
