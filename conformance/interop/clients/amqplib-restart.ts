/**
 * What amqplib finds again after a restart: `publish URL NAME` leaves confirmed messages in a durable
 * queue, `collect URL NAME` must find all of them, in order and complete.
 */
import { deepEqual } from 'node:assert/strict';
import { connect } from 'amqplib';
import { done } from './session.ts';

const MESSAGE_COUNT = 500;

const [phase, url, queue] = process.argv.slice(2);
if (url === undefined || queue === undefined) throw new Error('arguments: PHASE URL NAME');
const exchange = `${queue}-exchange`;
const expected = Array.from({ length: MESSAGE_COUNT }, (_, i) => `message ${i} ${'é'.repeat(i)}`);
// Without noDelay every get would wait 40 ms for the kernel to acknowledge the ack before it.
const connection = await connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();

if (phase === 'publish') {
  await channel.assertQueue(queue, { durable: true });
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.bindQueue(queue, exchange, 'kept.#');
  for (const text of expected) {
    channel.publish(exchange, 'kept.message', Buffer.from(text), { persistent: true });
  }
  await channel.waitForConfirms();
} else {
  await channel.checkExchange(exchange);
  const found: string[] = [];
  for (let message = await channel.get(queue); message !== false; ) {
    found.push(message.content.toString());
    channel.ack(message);
    message = await channel.get(queue);
  }
  deepEqual(found, expected);
  await channel.deleteQueue(queue);
  await channel.deleteExchange(exchange);
}
await connection.close();
done(phase ?? '');
