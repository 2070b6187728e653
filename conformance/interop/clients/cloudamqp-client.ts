/** The interop session with @cloudamqp/amqp-client. */
import {
  type AMQPBaseClient,
  type AMQPChannel,
  AMQPClient,
  type AMQPMessage,
  type AMQPProperties,
  AMQPSession,
} from '@cloudamqp/amqp-client';
import type {
  ConnectOptions,
  InteropClient,
  InteropConsumer,
  InteropDelivery,
  InteropMessage,
  InteropSubscription,
  InteropTransaction,
  QueueOptions,
  QueueState,
  SubscriptionNames,
} from './interop-client.ts';
import { runSession } from './session.ts';
import { subscription } from './subscription.ts';
import { WaitingLine } from './waiting-line.ts';

const PERSISTENT = 2;

class CloudamqpClient implements InteropClient {
  readonly richHeaders: Record<string, unknown> = {
    text: 'Grüße',
    yes: true,
    no: false,
    int: -42,
    long: 2 ** 40,
    fraction: 1.5,
    nothing: null,
    list: [1, 'two', { three: 3 }, [null]],
    table: { inner: { deep: 'value' } },
    time: new Date(1_700_000_000_000),
  };
  readonly readAs: Record<string, unknown> = {};
  readonly reconnected = null;
  private readonly connection: AMQPBaseClient;
  private readonly channel: AMQPChannel;

  constructor(connection: AMQPBaseClient, channel: AMQPChannel) {
    this.connection = connection;
    this.channel = channel;
  }

  static async connect(url: string, { heartbeatS }: ConnectOptions): Promise<CloudamqpClient> {
    const client = new AMQPClient(url);
    client.logger = undefined;
    client.onerror = () => undefined; // told by what is refused afterwards
    if (heartbeatS !== undefined) client.heartbeat = heartbeatS;
    const connection = await client.connect();
    const channel = await connection.channel();
    await channel.confirmSelect();
    return new CloudamqpClient(connection, channel);
  }

  declareQueue(options: QueueOptions): Promise<QueueState> {
    return declareOn(this.channel, options);
  }

  async refusalOf(options: QueueOptions): Promise<number> {
    const channel = await this.connection.channel();
    try {
      await declareOn(channel, options);
      return 0;
    } catch (error) {
      // The library tells the code in the text alone.
      return Number(/\b(40[456])\b/.exec(String(error))?.[1] ?? -1);
    }
  }

  declareExchange(exchange: string, type: string): Promise<void> {
    return this.channel.exchangeDeclare(exchange, type, { durable: true });
  }

  bindQueue(queue: string, exchange: string, key: string): Promise<void> {
    return this.channel.queueBind(queue, exchange, key);
  }

  bindExchange(destination: string, source: string, key: string): Promise<void> {
    return this.channel.exchangeBind(destination, source, key);
  }

  unbindExchange(destination: string, source: string, key: string): Promise<void> {
    return this.channel.exchangeUnbind(destination, source, key);
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.channel.queueDelete(queue);
  }

  deleteExchange(exchange: string): Promise<void> {
    return this.channel.exchangeDelete(exchange);
  }

  async publish(
    exchange: string,
    key: string,
    { body, headers, properties = {} }: InteropMessage,
  ): Promise<void> {
    const { timestamp, ...rest } = properties;
    const sent = {
      ...rest,
      deliveryMode: PERSISTENT,
      ...(headers === undefined ? {} : { headers }),
      ...(timestamp === undefined ? {} : { timestamp: new Date(timestamp * 1000) }),
    } as AMQPProperties; // whose headers are of a narrower type than what it writes
    await this.channel.basicPublish(exchange, key, body, sent);
  }

  async publishUnroutable(exchange: string, key: string, body: Buffer): Promise<number> {
    const returned = new Promise<AMQPMessage>((resolve) => {
      this.channel.onReturn = resolve;
    });
    await this.channel.basicPublish(exchange, key, body, {}, true);
    return (await returned).replyCode ?? 0;
  }

  async consume(queue: string, prefetch: number): Promise<InteropConsumer> {
    const arrived = new WaitingLine<InteropDelivery>();
    await this.channel.basicQos(prefetch);
    const consumer = await this.channel.basicConsume(queue, { noAck: prefetch === 0 }, (message) =>
      arrived.put(toDelivery(message)),
    );
    return {
      next: () => arrived.take(),
      cancel: async () => {
        await consumer.cancel();
      },
      // Rejects with the reason that the consumer ended for.
      cancelled: consumer.wait().catch(() => undefined),
    };
  }

  async get(queue: string): Promise<InteropDelivery | null> {
    const message = await this.channel.basicGet(queue, { noAck: false });
    return message === null ? null : toDelivery(message);
  }

  recover(): Promise<void> {
    return this.channel.basicRecover(true);
  }

  async transaction(): Promise<InteropTransaction> {
    const channel = await this.connection.channel();
    await channel.txSelect();
    return {
      publish: (queue, body) => void channel.basicPublish('', queue, body),
      commit: () => channel.txCommit(),
      rollback: () => channel.txRollback(),
    };
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

async function declareOn(channel: AMQPChannel, options: QueueOptions): Promise<QueueState> {
  const { queue, ...rest } = options;
  const state = await channel.queueDeclare(queue, { durable: false, autoDelete: false, ...rest });
  return { queue: state.name, messageCount: state.messageCount };
}

function toDelivery(message: AMQPMessage): InteropDelivery {
  const { headers = {}, timestamp, deliveryMode, ...properties } = message.properties;
  if (deliveryMode !== undefined && deliveryMode !== PERSISTENT) throw new Error('not persistent');
  return {
    body: Buffer.from(message.body ?? []),
    headers,
    properties: {
      ...properties,
      ...(timestamp === undefined ? {} : { timestamp: timestamp.getTime() / 1000 }),
    },
    redelivered: message.redelivered,
    ack: (multiple = false) => void message.ack(multiple),
    requeue: () => void message.nack(true),
    reject: () => void message.reject(false),
  };
}

/** A session of the library. It consumes again, and declares nothing anew: the queue is durable. */
async function subscribe(
  url: string,
  { queue, exchange, key }: SubscriptionNames,
): Promise<InteropSubscription> {
  const arrived = new WaitingLine<string>();
  const connected = new WaitingLine<true>();
  const session = await AMQPSession.connect(url, {
    reconnectInterval: 100,
    logger: null,
    onconnect: () => connected.put(true),
  });
  const source = await session.queue(queue, { durable: true });
  await source.bind(await session.topicExchange(exchange, { durable: true }), key);
  await source.subscribe((message) => arrived.put(message.bodyString() ?? ''));
  return subscription(arrived, connected, async () => {
    await source.delete();
    await session.stop();
  });
}

await runSession(CloudamqpClient.connect, process.argv.slice(2), subscribe);
