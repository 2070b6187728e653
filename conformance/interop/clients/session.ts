/**
 * What every client does against the broker, for the clients that run on Node.js: one file per client
 * implements {@link InteropClient}, `runSession` takes it through the steps and checks what came back.
 * Clients in other languages have the same steps written out in a script of their own.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { createHash } from 'node:crypto';

/** A message as it was handed to the client, or came back from it. */
export interface InteropMessage {
  readonly body: Buffer;
  /** As the client's users write headers; values are those that the client can express. */
  readonly headers: Record<string, unknown>;
}

/** The names of one session, made up by whoever starts it. */
export interface SessionNames {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
}

/** One client library, connected. */
export interface InteropClient {
  /** Headers of every type that the library can write and reads back as they were. */
  readonly richHeaders: Record<string, unknown>;
  /** Declares a durable queue and a direct exchange and binds them. */
  declare(names: SessionNames): Promise<void>;
  /** Publishes the messages to the exchange, persistent, and waits until all are confirmed. */
  publish(names: SessionNames, messages: readonly InteropMessage[]): Promise<void>;
  /** Consumes `count` messages with the given prefetch, acks each, and cancels. */
  consume(names: SessionNames, count: number, prefetch: number): Promise<InteropMessage[]>;
  /** Fetches and acks one message; null when the queue is empty. */
  get(names: SessionNames): Promise<InteropMessage | null>;
  /** Publishes mandatorily to a key that nothing is bound with. @returns the reply code of the return. */
  publishUnroutable(names: SessionNames): Promise<number>;
  /** Messages ready in the queue, by passive declare. */
  countReady(names: SessionNames): Promise<number>;
  /** Deletes queue and exchange and closes the connection. */
  close(names: SessionNames): Promise<void>;
}

const LARGE_BODY_BYTES = 1024 * 1024;

/** Takes the client through all steps, printing the name of each once it is done. */
export async function runSession(
  connect: (url: string) => Promise<InteropClient>,
  [url, name]: readonly string[],
): Promise<void> {
  if (url === undefined || name === undefined) throw new Error('arguments: URL NAME');
  const names = { queue: name, exchange: `${name}-exchange`, routingKey: 'clé.ключ.鍵' };
  const client = await connect(url);
  const plain = { body: Buffer.from('plain'), headers: {} };
  const messages = [
    plain,
    { body: Buffer.from('Grüße, 世界 🐇'), headers: { 'ключ 🗝': 'значение' } },
    { body: Buffer.alloc(0), headers: client.richHeaders },
    { body: Buffer.alloc(LARGE_BODY_BYTES, 'abcdefg'), headers: {} },
  ];

  await client.declare(names);
  done('declare');
  await client.publish(names, messages);
  equal(await client.countReady(names), messages.length);
  done('confirm');
  const consumed = await client.consume(names, messages.length, 2);
  deepEqual(consumed.map(shown), messages.map(shown));
  done('consume');
  await client.publish(names, [plain]);
  const got = await client.get(names);
  deepEqual(got === null ? null : shown(got), shown(plain));
  equal(await client.get(names), null);
  done('get');
  equal(await client.publishUnroutable(names), 312);
  done('return');
  equal(await client.countReady(names), 0);
  await client.close(names);
  done('close');
}

/** Tells the runner that a step is done and was as expected. */
export function done(step: string): void {
  console.log(`done ${step}`);
}

/** A message as an assertion can print it. */
function shown({ body, headers }: InteropMessage): object {
  const hash = createHash('sha1').update(body).digest('hex');
  return { bytes: body.length, start: body.toString('utf8', 0, 40), hash, headers };
}
