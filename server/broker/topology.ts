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

/** Adds a binding, or finds the equal one. @throws BrokerError NOT_FOUND */
export function addBinding(vhost: Vhost, request: BindingRequest): Binding {
  const binding = link(vhost, request);
  if (binding.definedAt < 0 && binding.source.durable && isDurable(binding.destination)) {
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
  destination.bindings.set(key, binding);
  source.index.add(bindingKey, args, destination);
  vhost.topologyChanged();
  return binding;
}

function isDurable(destination: Destination): boolean {
  return destination.kind === 'queue' ? destination.index.durable : destination.durable;
}

/** Removes a binding on a client's wish; the position to wait for. */
export function removeBinding(vhost: Vhost, binding: Binding): number {
  unlink(vhost, binding);
  const position =
    binding.definedAt < 0
      ? -1
      : vhost.store.define(DEFINITION_ACTIONS.declare, 0, unbindingFrame(binding));
  removeIfAbandoned(vhost, binding.source);
  return position;
}

/**
 * Takes bindings out because one of their ends goes. The delete that causes it is in the log and takes them
 * along when it is replayed, so they need no records of their own.
 */
export function removeBindingsOf(vhost: Vhost, bindings: Iterable<Binding>): void {
  const sources = new Set<Exchange>();
  for (const binding of bindings) {
    unlink(vhost, binding);
    sources.add(binding.source);
  }
  for (const source of sources) removeIfAbandoned(vhost, source);
}

/** Takes an exchange out, with its bindings on both sides; the position to wait for. */
export function removeExchange(vhost: Vhost, exchange: Exchange): number {
  if (!vhost.exchanges.delete(exchange.name)) return -1;
  vhost.topologyChanged();
  const position =
    exchange.definedAt < 0
      ? -1
      : vhost.store.define(DEFINITION_ACTIONS.declare, 0, exchangeDeleteFrame(exchange.name));
  removeBindingsOf(vhost, [...exchange.outgoing.values(), ...exchange.bindings.values()]);
  return position;
}

/** An auto-delete exchange goes when the last binding that began at it has gone. */
function removeIfAbandoned(vhost: Vhost, exchange: Exchange): void {
  if (exchange.autoDelete && exchange.outgoing.size === 0) removeExchange(vhost, exchange);
}

/** Takes a binding out of its two ends without a word to the log. */
export function unlink(vhost: Vhost, binding: Binding): void {
  const { key, source, destination, bindingKey, args } = binding;
  source.outgoing.delete(key);
  destination.bindings.delete(key);
  source.index.remove(bindingKey, args, destination);
  vhost.topologyChanged();
}
