/** What scenarios do through amqplib: wait for deliveries, returns and closes, publish with confirms. */
import type {
  Channel,
  ConfirmChannel,
  ConsumeMessage,
  GetMessage,
  Message,
  Options,
} from 'amqplib';
import type { Test } from 'tap';
import { METHODS } from '../../generated/index.ts';
import { within } from './deadline.ts';
import { Inbox } from './inbox.ts';

/** How the server closed a channel or a connection. */
export interface ServerClose {
  readonly code: number;
  readonly text: string;
  /** The method that caused it, such as `queue.declare`; empty for class and method 0. */
  readonly method: string;
}

/** The name of a method by its ids; empty for 0 and 0, the ids themselves for an unknown one. */
export function methodName(classId: number, methodId: number): string {
  if (classId === 0 && methodId === 0) return '';
  const id = classId * 65536 + methodId;
  const found = METHODS.find((method) => method.id === id);
  return found === undefined ? `${classId}.${methodId}` : `${found.className}.${found.methodName}`;
}

/** Resolves when the server closes the channel; rejects when nothing of that kind happens. */
export function channelClosed(channel: Channel): Promise<ServerClose> {
  return within(closeOf(channel), 'channel.close from the server');
}

function closeOf(closing: Channel): Promise<ServerClose> {
  return new Promise((resolve, reject) => {
    closing.once('error', (error: Error) => {
      const close = readClose(error);
      if (close === null) reject(error);
      else resolve(close);
    });
  });
}

/** Reads what amqplib makes of a close frame; its message ends with the reply text in quotes. */
function readClose(error: Error): ServerClose | null {
  const text = /with message "(.*)"$/s.exec(error.message)?.[1];
  if (text === undefined || !('code' in error) || typeof error.code !== 'number') return null;
  const classId = 'classId' in error && typeof error.classId === 'number' ? error.classId : 0;
  const methodId = 'methodId' in error && typeof error.methodId === 'number' ? error.methodId : 0;
  return { code: error.code, text, method: methodName(classId, methodId) };
}

/** Does `act` and checks that the server answers by closing the channel as `expected`. */
export async function expectChannelError(
  t: Test,
  channel: Channel,
  expected: ServerClose,
  act: () => unknown,
): Promise<void> {
  t.same(await closeCausedBy(channelClosed(channel), act), expected);
}

async function closeCausedBy(
  closed: Promise<ServerClose>,
  act: () => unknown,
): Promise<ServerClose> {
  let came = 'nothing came';
  // The rejection of the pending call says the same as the close, less exactly.
  const acted = Promise.resolve(act()).then(
    (answer) => {
      came = `the answer was ${JSON.stringify(answer)}`;
    },
    (error: unknown) => {
      came = String(error);
    },
  );
  const close = await closed.catch((error: unknown) => {
    throw new Error(`${String(error)}: ${came}`);
  });
  await acted;
  return close;
}

/** Publishes and waits for the confirm: afterwards the message is in its queues. */
export function publish(
  channel: ConfirmChannel,
  exchange: string,
  routingKey: string,
  body: string | Buffer,
  options: Options.Publish = {},
): Promise<void> {
  const confirmed = new Promise<void>((resolve, reject) => {
    channel.publish(exchange, routingKey, Buffer.from(body), options, (error: unknown) => {
      if (error === null) resolve();
      else reject(new Error(`no confirm: ${String(error)}`));
    });
  });
  return within(confirmed, 'confirm');
}

/** Puts the bodies into a queue, in order, all confirmed. */
export async function enqueue(
  channel: ConfirmChannel,
  queue: string,
  ...bodies: string[]
): Promise<void> {
  await Promise.all(bodies.map((body) => publish(channel, '', queue, body)));
}

/** A running consumer and what it was given. */
export interface Consumer {
  readonly tag: string;
  readonly deliveries: Inbox<ConsumeMessage>;
}

/** Starts a consumer; its deliveries wait in an inbox. */
export async function consume(
  channel: Channel,
  queue: string,
  options: Options.Consume = {},
): Promise<Consumer> {
  const deliveries = new Inbox<ConsumeMessage>('delivery');
  const reply = await channel.consume(
    queue,
    (message) => {
      if (message === null) deliveries.fail(new Error('consumer cancelled by the server'));
      else deliveries.put(message);
    },
    options,
  );
  return { tag: reply.consumerTag, deliveries };
}

/** The next `count` bodies of a consumer, as text. */
export async function bodies(consumer: Consumer, count: number): Promise<string[]> {
  return (await consumer.deliveries.takeMany(count)).map(textOf);
}

/** Everything that basic.get finds, taken without acknowledgement, as text. */
export async function drain(channel: Channel, queue: string): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return found;
    found.push(textOf(message));
  }
}

/** A basic.get that must find a message. */
export async function getOne(
  channel: Channel,
  queue: string,
  options: Options.Get = {},
): Promise<GetMessage> {
  const message = await channel.get(queue, options);
  if (message === false) throw new Error(`queue '${queue}' is empty`);
  return message;
}

export function textOf(message: Message): string {
  return message.content.toString('utf8');
}

/** Messages that the server returns on a channel. */
export function returnsOf(channel: Channel): Inbox<Message> {
  const returns = new Inbox<Message>('basic.return');
  channel.on('return', (message: Message) => returns.put(message));
  return returns;
}

/**
 * Afterwards every delivery that the queue had decided on when this was called has reached the client.
 * The first answer may overtake a delivery inside the broker, the second one cannot.
 */
export async function settle(channel: Channel, queue: string): Promise<void> {
  await channel.checkQueue(queue);
  await channel.checkQueue(queue);
}

/** A message as its consumer would acknowledge it, for tags that were never delivered. */
export function fakeMessage(deliveryTag: number): Message {
  const fields = { deliveryTag, redelivered: false, exchange: '', routingKey: '' };
  const none = undefined;
  return {
    content: Buffer.alloc(0),
    fields,
    properties: {
      contentType: none,
      contentEncoding: none,
      headers: none,
      deliveryMode: none,
      priority: none,
      correlationId: none,
      replyTo: none,
      expiration: none,
      messageId: none,
      timestamp: none,
      type: none,
      userId: none,
      appId: none,
      clusterId: none,
    },
  };
}
