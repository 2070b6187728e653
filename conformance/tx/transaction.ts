/** What the tx scenarios have in common. */
import type { Broker } from '../support/broker.ts';
import type { RawClient } from '../support/raw-client.ts';

/** A raw connection with channel 1 in tx mode, and channel 2 to look from outside. */
export async function openTransactional(broker: Broker): Promise<RawClient> {
  const raw = await broker.rawChannel();
  await raw.openChannel(2);
  raw.send(1, 'tx.select');
  await raw.expect(1, 'tx.select-ok');
  return raw;
}

export async function commit(raw: RawClient): Promise<void> {
  raw.send(1, 'tx.commit');
  await raw.expect(1, 'tx.commit-ok');
}

export async function rollback(raw: RawClient): Promise<void> {
  raw.send(1, 'tx.rollback');
  await raw.expect(1, 'tx.rollback-ok');
}

/** Bodies of all messages in the queue, in order; they are gone then. Looks from channel 2. */
export async function takeAll(raw: RawClient, queue: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    raw.send(2, 'queue.declare', { queue, passive: true });
    const { messageCount } = await raw.expect(2, 'queue.declare-ok');
    if (messageCount === 0) return bodies;
    const { body, deliveryTag } = await raw.get(2, queue);
    raw.send(2, 'basic.ack', { deliveryTag });
    bodies.push(body.toString());
  }
}

/** Publishes outside of the transaction; resolves when the messages are in the queue. */
export async function enqueue(
  raw: RawClient,
  queue: string,
  ...bodies: readonly string[]
): Promise<void> {
  for (const body of bodies) raw.publish(2, { routingKey: queue }, Buffer.from(body));
  // A queue carries out what one channel asks of it in turn.
  raw.send(2, 'queue.declare', { queue, passive: true });
  await raw.expect(2, 'queue.declare-ok');
}
