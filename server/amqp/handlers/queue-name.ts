/** Names in requests: the queue declared last stands for an empty one, and newlines are forbidden. */
import { BrokerError } from '../../broker/broker-error.ts';
import type { Channel } from '../channel.ts';
import { preconditionFailed } from '../protocol-error.ts';

/**
 * The queue that a request means.
 *
 * @throws BrokerError NOT_FOUND when it names none and none was declared on the channel
 */
export function queueNameOf(channel: Channel, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueueName === '') {
    throw new BrokerError('NOT_FOUND', 'no previously declared queue');
  }
  return channel.lastQueueName;
}

/** @throws ProtocolError 406 when a name holds a newline (a listed difference: RabbitMQ removes them) */
export function requireNoNewline(kind: 'queue' | 'exchange', name: string): void {
  if (/[\r\n]/.test(name)) throw preconditionFailed(`${kind} name must not contain newlines`);
}
