/**
 * Binding and unbinding queues and exchanges, with every check and RabbitMQ's wordings. Positions returned are
 * as in exchanges.ts.
 */
import { requireAccess, requireUnlocked } from './access.ts';
import type { BindingRequest } from './binding.ts';
import { accessRefused, preconditionFailed } from './broker-error.ts';
import type { Actor } from './ports.ts';
import { addBinding, destinationOf, endsOf, findBinding, removeBinding } from './topology.ts';
import type { Vhost } from './vhost.ts';

function requireBindable(vhost: Vhost, actor: Actor, request: BindingRequest): void {
  const { source, kind, destination } = request;
  if (source === '' || (kind === 'exchange' && destination === '')) {
    throw accessRefused('operation not permitted on the default exchange');
  }
  requireAccess(vhost, actor, 'write', kind, destination);
  requireAccess(vhost, actor, 'read', 'exchange', source);
}

/** Binds; an equal binding that exists already is fine. */
export function bind(vhost: Vhost, actor: Actor, request: BindingRequest): number {
  requireBindable(vhost, actor, request);
  const destination = destinationOf(vhost, request);
  const source = vhost.exchange(request.source);
  if (destination.kind === 'queue') requireUnlocked(vhost, actor, destination);
  const refusal = source.validateBinding(request.args);
  if (refusal !== null) throw preconditionFailed(refusal);
  return addBinding(vhost, request).definedAt;
}

/** Unbinds; what does not exist is fine. */
export function unbind(vhost: Vhost, actor: Actor, request: BindingRequest): number {
  requireBindable(vhost, actor, request);
  const ends = endsOf(vhost, request);
  if (ends === null) return -1;
  if (ends.destination.kind === 'queue') requireUnlocked(vhost, actor, ends.destination);
  const binding = findBinding(ends, request);
  return binding === null ? -1 : removeBinding(vhost, binding);
}
