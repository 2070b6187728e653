/** Who may do what: permissions by resource name, and the lock of exclusive queues. */
import { accessRefused, BrokerError, resourceText } from './broker-error.ts';
import type { Actor } from './ports.ts';
import type { Queue } from './queue.ts';
import type { Vhost } from './vhost.ts';

/** The three kinds of access that RabbitMQ tells apart. */
export type Access = 'configure' | 'write' | 'read';

/** @throws BrokerError ACCESS_REFUSED */
export function requireAccess(
  vhost: Vhost,
  actor: Actor,
  access: Access,
  kind: 'queue' | 'exchange',
  name: string,
): void {
  const resource = kind === 'exchange' && name === '' ? 'amq.default' : name;
  const { permissions } = actor;
  const allowed = {
    configure: () => permissions.canConfigure(resource),
    write: () => permissions.canWrite(resource),
    read: () => permissions.canRead(resource),
  }[access]();
  if (allowed) return;
  const text = resourceText(kind, resource, vhost.name);
  throw accessRefused(`${access} access to ${text} refused for user '${actor.userName}'`);
}

/** @throws BrokerError RESOURCE_LOCKED when the queue belongs to another connection */
export function requireUnlocked(vhost: Vhost, actor: Actor, queue: Queue): void {
  if (queue.owner !== null && queue.owner !== actor.owner) throw lockedError(vhost, queue);
}

/** The refusal of a queue that is exclusive to somebody else, or declared otherwise. */
export function lockedError(vhost: Vhost, queue: Queue): BrokerError {
  return new BrokerError(
    'RESOURCE_LOCKED',
    `cannot obtain exclusive access to locked ${resourceText('queue', queue.name, vhost.name)}. ` +
      'It could be originally declared on another connection or the exclusive property value ' +
      'does not match that of the original declaration.',
  );
}
