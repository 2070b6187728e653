/** Closes that several methods cause, with RabbitMQ's wording. The suite works in vhost `/`. */
import type { ServerClose } from './amqp.ts';

export function noQueue(queue: string, method: string): ServerClose {
  return { code: 404, text: `NOT_FOUND - no queue '${queue}' in vhost '/'`, method };
}

export function noExchange(exchange: string, method: string): ServerClose {
  return { code: 404, text: `NOT_FOUND - no exchange '${exchange}' in vhost '/'`, method };
}

export function lockedQueue(queue: string, method: string): ServerClose {
  const text =
    `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/'. ` +
    'It could be originally declared on another connection or the exclusive property value does ' +
    'not match that of the original declaration.';
  return { code: 405, text, method };
}

export function onDefaultExchange(method: string): ServerClose {
  const text = 'ACCESS_REFUSED - operation not permitted on the default exchange';
  return { code: 403, text, method };
}

export function unknownTag(deliveryTag: number | bigint, method: string): ServerClose {
  const text = `PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`;
  return { code: 406, text, method };
}
