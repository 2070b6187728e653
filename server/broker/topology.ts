/**
 * Adding and removing what leads where: bindings and exchanges, and what goes along with them. No checks of who
 * may: those are in exchanges.ts, queues.ts and bindings.ts.
 */
import { DEFINITION_ACTIONS } from '../storage/record-format.ts';
import { type Binding, type BindingRequest, bindingKeyOf, type Destination } from './binding.ts';
import { bindingFrame, exchangeDeleteFrame, unbindingFrame } from './definition-frames.ts';
import type { Exchange } from './exchange.ts';
import type { Vhost } from './vhost.ts';

/** The queue or exchange that a binding leads to. @throws BrokerError NOT_FOUND */
export function destinationOf(vhost: Vhost, request: BindingRequest): Destination {
  return request.kind === 'queue'
    ? vhost.queue(request.destination)
    : vhost.exchange(request.destination);
}

/**
 * Adds a binding, or finds the equal one.
 *
 * @throws BrokerError NOT_FOUND
 * @throws HeldByAlarm when it would be durable and the disk is full
 */
export function addBinding(vhost: Vhost, request: BindingRequest): Binding {
  const destination = destinationOf(vhost, request);
  const source = vhost.exchange(request.source);
  const isLogged = source.durable && isDurable(destination);
  const key = bindingKeyOf(source, destination, request.bindingKey, request.args);
  if (isLogged && !source.outgoing.has(key)) vhost.requireRoom();
  const binding = link(vhost, request);
  if (binding.definedAt < 0 && isLogged) {
    binding.definedAt = vhost.store.define(DEFINITION_ACTIONS.declare, 0, bindingFrame(binding));
  }
  return binding;
}

/** Adds a binding without a word to the log, or finds the equal one. @throws BrokerError NOT_FOUND */
export function link(vhost: Vhost, request: BindingRequest): Binding {
  const destination = destinationOf(vhost, request);
  const source = vhost.exchange(request.source);
  const { bindingKey, args } = request;
  const key = bindingKeyOf(source, destination, bindingKey, args);
  const existing = source.outgoing.get(key);
  if (existing !== undefined) return existing;
  const binding: Binding = { key, source, destination, bindingKey, args, definedAt: -1 };
  source.outgoing.set(key, binding);
  destination.addBinding(binding);
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
 * Takes bindings out because one of their ends goes. The delete that causes it is in the log and takes them
 * along when it is replayed, so they need no records of their own.
 */
export function removeBindingsOf(vhost: Vhost, bindings: Iterable<Binding>): void {
  removeAbandoned(vhost, unlinkAll(vhost, bindings));
}

/** Takes an exchange out, with its bindings on both sides; the position to wait for. */
export function removeExchange(vhost: Vhost, exchange: Exchange): number {
  const position = takeOut(vhost, exchange);
  removeAbandoned(vhost, unlinkAll(vhost, bindingsAt(exchange)));
  return position;
}

/**
 * Takes out those of the exchanges that are auto-delete and have no binding left that begins there, and what
 * that abandons in turn: a list, since a client may make the chain longer than the stack is deep.
 */
function removeAbandoned(vhost: Vhost, exchanges: Iterable<Exchange>): void {
  const pending = [...exchanges];
  for (let exchange = pending.pop(); exchange !== undefined; exchange = pending.pop()) {
    if (!exchange.autoDelete || exchange.outgoing.size > 0) continue;
    if (vhost.exchanges.get(exchange.name) !== exchange) continue;
    takeOut(vhost, exchange);
    for (const source of unlinkAll(vhost, bindingsAt(exchange))) pending.push(source);
  }
}

function bindingsAt(exchange: Exchange): readonly Binding[] {
  return [...exchange.outgoing.values(), ...exchange.bindings.values()];
}

/** Takes an exchange out of the vhost and of the log; its bindings are still there. */
function takeOut(vhost: Vhost, exchange: Exchange): number {
  vhost.exchanges.delete(exchange.name);
  vhost.topologyChanged();
  return exchange.definedAt < 0
    ? -1
    : vhost.store.define(DEFINITION_ACTIONS.declare, 0, exchangeDeleteFrame(exchange.name));
}

/** Unlinks all bindings; the exchanges at which they began. */
function unlinkAll(vhost: Vhost, bindings: Iterable<Binding>): ReadonlySet<Exchange> {
  const sources = new Set<Exchange>();
  for (const binding of bindings) {
    unlink(vhost, binding);
    sources.add(binding.source);
  }
  return sources;
}

/** Takes a binding out of its two ends without a word to the log. */
export function unlink(vhost: Vhost, binding: Binding): void {
  const { key, source, destination, bindingKey, args } = binding;
  source.outgoing.delete(key);
  destination.removeBinding(binding);
  source.index.remove(bindingKey, args, destination);
  vhost.topologyChanged();
}
