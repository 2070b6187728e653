/**
 * What the broker refuses, without saying how a protocol puts it: amqp/error-map.ts and, one day, HTTP's own
 * give each code a reply code or status. The message is RabbitMQ's wording, since clients match on it.
 */
import { AppError } from '../base/app-error.ts';

/** Why the broker refuses. */
export type BrokerErrorCode =
  | 'ACCESS_REFUSED'
  | 'NOT_FOUND'
  | 'RESOURCE_LOCKED'
  | 'PRECONDITION_FAILED';

/** A request that the broker refuses. */
export class BrokerError extends AppError<BrokerErrorCode> {}

/** `queue 'q' in vhost 'v'` or `exchange 'x' in vhost 'v'`, as reply texts name things. */
export function resourceText(kind: 'queue' | 'exchange', name: string, vhost: string): string {
  return `${kind} '${name}' in vhost '${vhost}'`;
}

export function notFound(kind: 'queue' | 'exchange', name: string, vhost: string): BrokerError {
  return new BrokerError('NOT_FOUND', `no ${resourceText(kind, name, vhost)}`);
}

export function preconditionFailed(text: string): BrokerError {
  return new BrokerError('PRECONDITION_FAILED', text);
}

export function accessRefused(text: string): BrokerError {
  return new BrokerError('ACCESS_REFUSED', text);
}
