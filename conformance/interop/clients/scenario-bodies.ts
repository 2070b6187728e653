/** The scenarios for the clients that run on Node.js, once for all of them. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ProtocolScenarioName } from '../scenarios.ts';
import type { InteropClient, InteropDelivery, InteropProperties } from './interop-client.ts';
import type { Session } from './scenario-session.ts';

export type ScenarioBody = (session: Session, scenario: string) => Promise<void>;

const LARGE_BODY = Buffer.alloc(10 * 1024 * 1024 + 7, 'abcdefghijk');
const UNICODE = 'clé.ключ.鍵 🗝';
/** At 1 s some libraries hang up when a loaded machine is half a second late. */
const HEARTBEAT_S = 3;
/** More than three intervals: a silent side is given up after two to three. */
const SILENCE_MS = 10_500;
const CONFIRMED_BEFORE_RESTART = 100;
/** Between the messages after those, while other clients are not yet ready. */
const PUBLISH_PAUSE_MS = 10;
const COLLECT_PREFETCH = 100;
const CONNECT_PAUSE_MS = 100;

export const SCENARIO_BODIES: Readonly<Record<ProtocolScenarioName, ScenarioBody>> = {
  declare,
  confirm,
  consume,
  settle,
  get,
  return: returnUnroutable,
  rpc: (session) => remoteCalls(session, null),
  'direct-reply-to': (session) => remoteCalls(session, 'amq.rabbitmq.reply-to'),
  large,
  unicode,
  headers,
  properties,
  heartbeat,
  tx,
  'exchange-binding': exchangeBinding,
  recover,
  cancel,
  'restart-sigterm': restart,
  'restart-sigkill': restart,
  'restart-consumer': restartConsumer,
};

const EVERY_PROPERTY: InteropProperties = {
  contentType: 'application/x-note',
  contentEncoding: 'utf-8',
  priority: 7,
  correlationId: 'corrélation',
  replyTo: 'answers',
  expiration: '600000',
  messageId: 'm-1',
  timestamp: 1_700_000_000,
  type: 'greeting',
  userId: 'guest',
  appId: 'interop',
};

async function declare(session: Session): Promise<void> {
  const client = await session.connect();
  const queue = session.name;
  const exchange = `${queue}-exchange`;
  equal((await client.declareQueue({ queue, durable: true })).queue, queue);
  await client.declareQueue({ queue, durable: true });
  await client.declareExchange(exchange, 'direct');
  await client.bindQueue(queue, exchange, 'key');
  await client.publish(exchange, 'key', { body: Buffer.from('bound') });
  equal((await client.declareQueue({ queue, passive: true })).messageCount, 1);
  const named = (await client.declareQueue({ queue: '', exclusive: true })).queue;
  ok(named.startsWith('amq.gen-'), `the broker's name is ${named}`);
  equal(await client.refusalOf({ queue: `${queue}-missing`, passive: true }), 404);
  equal(await client.refusalOf({ queue, durable: false }), 406);
  const ours = `${queue}-exclusive`;
  await client.declareQueue({ queue: ours, exclusive: true });
  const other = await session.connect();
  equal(await other.refusalOf({ queue: ours, exclusive: true }), 405);
  await client.deleteQueue(queue);
  await client.deleteExchange(exchange);
  equal(await client.refusalOf({ queue, passive: true }), 404);
}

async function confirm(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await publishAll(client, queue, numbered(50));
  equal((await client.declareQueue({ queue, passive: true })).messageCount, 50);
}

async function consume(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await publishAll(client, queue, numbered(10));
  const consumer = await client.consume(queue, 3);
  const unacked: InteropDelivery[] = [];
  const found: string[] = [];
  const take = async (): Promise<void> => {
    const delivery = await consumer.next();
    unacked.push(delivery);
    found.push(delivery.body.toString());
  };
  for (let i = 0; i < 3; i++) await take();
  equal((await client.declareQueue({ queue, passive: true })).messageCount, 7);
  for (let i = 0; i < 7; i++) {
    unacked.shift()?.ack();
    await take();
  }
  for (const delivery of unacked) delivery.ack();
  deepEqual(found, numbered(10));
  await consumer.cancel();
  equal(await client.get(queue), null);
}

async function settle(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await publishAll(client, queue, ['one', 'two', 'three', 'four']);
  const consumer = await client.consume(queue, 10);
  const [, two, , four] = await times(4, () => consumer.next());
  two?.reject();
  four?.requeue();
  const again = await consumer.next();
  equal(again.body.toString(), 'four');
  equal(again.redelivered, true);
  again.ack(true);
  await consumer.cancel();
  // Were one of them unacked still, this would bring it back.
  await client.recover();
  equal(await client.get(queue), null);
}

async function get(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  equal(await client.get(queue), null);
  await publishAll(client, queue, ['fetched']);
  const first = await client.get(queue);
  equal(first?.body.toString(), 'fetched');
  equal(first?.redelivered, false);
  first?.requeue();
  const second = await client.get(queue);
  equal(second?.body.toString(), 'fetched');
  equal(second?.redelivered, true);
  second?.ack();
  equal(await client.get(queue), null);
}

async function returnUnroutable(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  equal(await client.publishUnroutable('', `${queue}-missing`, Buffer.from('lost')), 312);
}

/** Requests from one connection, answered by another one. */
async function remoteCalls(session: Session, replyQueue: string | null): Promise<void> {
  const { client: answering, queue } = await session.withQueue();
  const requests = await answering.consume(queue, 1);
  const asking = await session.connect();
  const replyTo = replyQueue ?? (await asking.declareQueue({ queue: '', exclusive: true })).queue;
  const answers = await asking.consume(replyTo, 0);
  // An exclusive queue is its connection's own, but anyone may publish to it.
  for (const question of numbered(5)) {
    await asking.publish('', queue, {
      body: Buffer.from(question),
      properties: { replyTo, correlationId: `id of ${question}` },
    });
    const request = await requests.next();
    const { correlationId = '', replyTo: address = '' } = request.properties;
    await answering.publish('', address, {
      body: Buffer.from(`answer to ${request.body.toString()}`),
      properties: { correlationId },
    });
    request.ack();
    const answer = await answers.next();
    equal(answer.body.toString(), `answer to ${question}`);
    equal(answer.properties.correlationId, `id of ${question}`);
  }
}

async function large(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await client.publish('', queue, { body: LARGE_BODY });
  const consumer = await client.consume(queue, 1);
  const delivery = await consumer.next();
  equal(hash(delivery.body), hash(LARGE_BODY));
  await consumer.cancel();
  delivery.requeue();
  const fetched = await client.get(queue);
  equal(fetched === null ? null : hash(fetched.body), hash(LARGE_BODY));
  fetched?.ack();
}

async function unicode(session: Session): Promise<void> {
  const client = await session.connect();
  const queue = `${session.name} очередь 列`;
  const exchange = `${session.name} échange 交`;
  await client.declareQueue({ queue, exclusive: true });
  await client.declareExchange(exchange, 'topic');
  await client.bindQueue(queue, exchange, UNICODE);
  const headers = { [UNICODE]: 'Grüße, 世界 🐇' };
  await client.publish(exchange, UNICODE, { body: Buffer.from(`${UNICODE} é`), headers });
  const delivery = await client.get(queue);
  equal(delivery?.body.toString(), `${UNICODE} é`);
  deepEqual(delivery?.headers, headers);
  await client.deleteExchange(exchange);
}

async function headers(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await client.publish('', queue, { body: Buffer.alloc(0), headers: client.richHeaders });
  const delivery = await client.get(queue);
  equal(delivery?.body.length, 0);
  deepEqual(delivery?.headers, { ...client.richHeaders, ...client.readAs });
}

async function properties(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await client.publish('', queue, { body: Buffer.from('all'), properties: EVERY_PROPERTY });
  const delivery = await client.get(queue);
  deepEqual(withoutAbsent(delivery?.properties ?? {}), EVERY_PROPERTY);
}

async function heartbeat(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue({ heartbeatS: HEARTBEAT_S });
  await pause(SILENCE_MS);
  // The queue is exclusive: it would be gone with a first connection.
  await publishAll(client, queue, ['alive']);
  equal((await client.get(queue))?.body.toString(), 'alive');
}

async function tx(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  const count = async (): Promise<number> =>
    (await client.declareQueue({ queue, passive: true })).messageCount;
  const transaction = await client.transaction();
  transaction.publish(queue, Buffer.from('one'));
  transaction.publish(queue, Buffer.from('two'));
  equal(await count(), 0);
  await transaction.commit();
  equal(await count(), 2);
  transaction.publish(queue, Buffer.from('three'));
  await transaction.rollback();
  await transaction.commit();
  equal(await count(), 2);
}

async function exchangeBinding(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  const source = `${session.name}-source`;
  const destination = `${session.name}-destination`;
  await client.declareExchange(source, 'topic');
  await client.declareExchange(destination, 'fanout');
  await client.bindExchange(destination, source, 'through.#');
  await client.bindQueue(queue, destination, '');
  await client.publish(source, 'through.both', { body: Buffer.from('passed') });
  await client.publish(source, 'elsewhere', { body: Buffer.from('not bound') });
  await client.unbindExchange(destination, source, 'through.#');
  await client.publish(source, 'through.both', { body: Buffer.from('unbound') });
  equal((await client.get(queue))?.body.toString(), 'passed');
  equal(await client.get(queue), null);
  await client.deleteExchange(source);
  await client.deleteExchange(destination);
}

async function recover(session: Session): Promise<void> {
  const { client, queue } = await session.withQueue();
  await publishAll(client, queue, ['unsettled']);
  const consumer = await client.consume(queue, 5);
  equal((await consumer.next()).redelivered, false);
  await client.recover();
  const again = await consumer.next();
  equal(again.body.toString(), 'unsettled');
  equal(again.redelivered, true);
  again.ack();
  await consumer.cancel();
  equal(await client.get(queue), null);
}

async function cancel(session: Session): Promise<void> {
  const client = await session.connect();
  const queue = session.name;
  await client.declareQueue({ queue, durable: true });
  const consumer = await client.consume(queue, 1);
  const other = await session.connect();
  await other.deleteQueue(queue);
  await consumer.cancelled;
  await client.declareQueue({ queue: '', exclusive: true });
}

/** Publishes until the connection ends, and looks for what was confirmed. */
async function restart(session: Session, scenario: string): Promise<void> {
  const client = await session.connect();
  const queue = session.name;
  await client.declareQueue({ queue, durable: true });
  let confirmed = 0;
  const back = client.reconnected?.();
  for (;;) {
    try {
      await publishAll(client, queue, [`message ${confirmed}`]);
    } catch {
      break;
    }
    confirmed++;
    if (confirmed === CONFIRMED_BEFORE_RESTART) console.log(`ready ${scenario}`);
    if (confirmed >= CONFIRMED_BEFORE_RESTART) await pause(PUBLISH_PAUSE_MS);
  }
  await back;
  const later = back === undefined ? await connectAgain(session) : client;
  if (later !== client) session.forget(client);
  const { messageCount } = await later.declareQueue({ queue, passive: true });
  const consumer = await later.consume(queue, COLLECT_PREFETCH);
  const found: string[] = [];
  while (found.length < messageCount) {
    const message = await consumer.next();
    found.push(message.body.toString());
    message.ack();
  }
  await consumer.cancel();
  ok(confirmed >= CONFIRMED_BEFORE_RESTART, `only ${confirmed} were confirmed`);
  // The last one was under way: it may have been written and not confirmed.
  const expected = numbered(found.length === confirmed + 1 ? confirmed + 1 : confirmed);
  deepEqual(
    found,
    expected.map((_, i) => `message ${i}`),
  );
  await publishAll(later, queue, ['afterwards']);
  equal((await later.get(queue))?.body.toString(), 'afterwards');
  await later.deleteQueue(queue);
}

/** Waits while the broker goes and comes back, and publishes from elsewhere. */
async function restartConsumer(session: Session, scenario: string): Promise<void> {
  const names = { queue: session.name, exchange: `${session.name}-exchange`, key: 'key' };
  const subscription = await session.subscribe(names);
  const before = await session.connect();
  await before.publish(names.exchange, names.key, { body: Buffer.from('before') });
  equal(await subscription.next(), 'before');
  await before.close();
  session.forget(before);
  console.log(`ready ${scenario}`);
  await subscription.restored();
  const after = await session.connect();
  await after.publish(names.exchange, names.key, { body: Buffer.from('after') });
  equal(await subscription.next(), 'after');
  await subscription.close();
  await after.deleteExchange(names.exchange);
}

/** As the users of a client do that does not reconnect by itself. */
async function connectAgain(session: Session): Promise<InteropClient> {
  for (;;) {
    try {
      return await session.connect();
    } catch {
      await pause(CONNECT_PAUSE_MS);
    }
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `number ${i}`);
}

async function publishAll(
  client: InteropClient,
  queue: string,
  texts: readonly string[],
): Promise<void> {
  await Promise.all(texts.map((text) => client.publish('', queue, { body: Buffer.from(text) })));
}

async function times<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(await make());
  return made;
}

function withoutAbsent(properties: InteropProperties): object {
  return Object.fromEntries(
    Object.entries(properties).filter(([, value]) => value !== undefined && value !== null),
  );
}

function hash(body: Buffer): string {
  return `${body.length} ${createHash('sha1').update(body).digest('hex')}`;
}
