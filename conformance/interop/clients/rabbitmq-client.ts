/** The interop session with rabbitmq-client, which reconnects by itself. */
import { type AsyncMessage, type Channel, Connection, type SyncMessage } from 'rabbitmq-client';
import type {
  ConnectOptions,
  InteropClient,
  InteropConsumer,
  InteropDelivery,
  InteropMessage,
  InteropProperties,
  InteropSubscription,
  InteropTransaction,
  QueueOptions,
  QueueState,
  SubscriptionNames,
} from './interop-client.ts';
import { runSession } from './session.ts';
import { subscription } from './subscription.ts';
import { WaitingLine } from './waiting-line.ts';

class RabbitmqClient implements InteropClient {
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
  };
  readonly readAs: Record<string, unknown> = {};
  private readonly connection: Connection;
  private channel: Channel;
  private readonly transactions: Channel[];

  constructor(connection: Connection, channel: Channel) {
    this.connection = connection;
    this.channel = channel;
    this.transactions = [];
  }

  static async connect(url: string, { heartbeatS }: ConnectOptions): Promise<RabbitmqClient> {
    const connection = new Connection({
      url,
      ...(heartbeatS === undefined ? {} : { heartbeat: heartbeatS }),
      retryLow: 100,
    });
    // What ends a connection is told by what is refused afterwards.
    connection.on('error', () => undefined);
    return new RabbitmqClient(connection, await openChannel(connection));
  }

  readonly reconnected = async (): Promise<void> => {
    await new Promise<void>((resolve) => this.connection.once('connection', resolve));
    this.channel = await openChannel(this.connection);
  };

  declareQueue(options: QueueOptions): Promise<QueueState> {
    return this.channel.queueDeclare(options);
  }

  async refusalOf(options: QueueOptions): Promise<number> {
    const channel = await this.connection.acquire();
    channel.on('error', () => undefined);
    try {
      await channel.queueDeclare(options);
      return 0;
    } catch (error) {
      return error instanceof Error && 'code' in error ? codeNamed(String(error.code)) : -1;
    }
  }

  declareExchange(exchange: string, type: string): Promise<void> {
    return this.channel.exchangeDeclare({ exchange, type, durable: true });
  }

  bindQueue(queue: string, exchange: string, routingKey: string): Promise<void> {
    return this.channel.queueBind({ queue, exchange, routingKey });
  }

  bindExchange(destination: string, source: string, routingKey: string): Promise<void> {
    return this.channel.exchangeBind({ destination, source, routingKey });
  }

  unbindExchange(destination: string, source: string, routingKey: string): Promise<void> {
    return this.channel.exchangeUnbind({ destination, source, routingKey });
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.channel.queueDelete(queue);
  }

  deleteExchange(exchange: string): Promise<void> {
    return this.channel.exchangeDelete({ exchange });
  }

  publish(
    exchange: string,
    routingKey: string,
    { body, headers, properties }: InteropMessage,
  ): Promise<void> {
    const envelope = { exchange, routingKey, durable: true, ...properties };
    return this.channel.basicPublish(headers ? { ...envelope, headers } : envelope, body);
  }

  async publishUnroutable(exchange: string, routingKey: string, body: Buffer): Promise<number> {
    const returned = new Promise<{ replyCode: number }>((resolve) => {
      this.channel.once('basic.return', resolve);
    });
    await this.channel.basicPublish({ exchange, routingKey, mandatory: true }, body);
    return (await returned).replyCode;
  }

  async consume(queue: string, prefetch: number): Promise<InteropConsumer> {
    const arrived = new WaitingLine<InteropDelivery>();
    const cancelled = new Promise<void>((resolve) => {
      this.channel.once('basic.cancel', () => resolve());
    });
    await this.channel.basicQos({ prefetchCount: prefetch });
    const { consumerTag } = await this.channel.basicConsume(
      { queue, noAck: prefetch === 0 },
      (message) => arrived.put(this.delivery(message)),
    );
    return {
      next: () => arrived.take(),
      cancel: async () => {
        await this.channel.basicCancel(consumerTag);
      },
      cancelled,
    };
  }

  async get(queue: string): Promise<InteropDelivery | null> {
    const message = await this.channel.basicGet({ queue });
    return message === undefined ? null : this.delivery(message);
  }

  recover(): Promise<void> {
    return this.channel.basicRecover({ requeue: true });
  }

  async transaction(): Promise<InteropTransaction> {
    const channel = await this.connection.acquire();
    this.transactions.push(channel);
    await channel.txSelect();
    return {
      publish: (queue, body) => void channel.basicPublish(queue, body),
      commit: () => channel.txCommit(),
      rollback: () => channel.txRollback(),
    };
  }

  async close(): Promise<void> {
    for (const channel of [this.channel, ...this.transactions]) await channel.close();
    await this.connection.close();
  }

  private delivery(message: AsyncMessage | SyncMessage): InteropDelivery {
    const { deliveryTag, redelivered, headers = {} } = message;
    const body: unknown = message.body;
    if (!Buffer.isBuffer(body)) throw new Error(`a body came as ${typeof body}`);
    return {
      body,
      headers,
      properties: propertiesOf(message),
      redelivered,
      ack: (multiple = false) => this.channel.basicAck({ deliveryTag, multiple }),
      requeue: () => this.channel.basicNack({ deliveryTag, requeue: true }),
      reject: () => this.channel.basicNack({ deliveryTag, requeue: false }),
    };
  }
}

async function openChannel(connection: Connection): Promise<Channel> {
  const channel = await connection.acquire();
  channel.on('error', () => undefined);
  await channel.confirmSelect();
  return channel;
}

/** The library tells the names of reply codes. */
function codeNamed(name: string): number {
  const codes = { NOT_FOUND: 404, RESOURCE_LOCKED: 405, PRECONDITION_FAILED: 406 };
  return Object.entries(codes).find(([known]) => known === name)?.[1] ?? -1;
}

/** A message's properties lie beside the rest of it. */
function propertiesOf(message: AsyncMessage | SyncMessage): InteropProperties {
  const names = [
    'contentType',
    'contentEncoding',
    'priority',
    'correlationId',
    'replyTo',
    'expiration',
    'messageId',
    'timestamp',
    'type',
    'userId',
    'appId',
  ] as const;
  return Object.fromEntries(names.map((name) => [name, message[name]]));
}

/** A `Consumer` of the library: it declares, binds and consumes after every connect. */
async function subscribe(
  url: string,
  { queue, exchange, key }: SubscriptionNames,
): Promise<InteropSubscription> {
  const arrived = new WaitingLine<string>();
  const ready = new WaitingLine<true>();
  const connection = new Connection({ url, retryLow: 100 });
  connection.on('error', () => undefined);
  const consumer = connection.createConsumer(
    {
      queue,
      queueOptions: { queue, exclusive: true },
      exchanges: [{ exchange, type: 'topic', durable: true }],
      queueBindings: [{ queue, exchange, routingKey: key }],
    },
    (message) => arrived.put(String(message.body)),
  );
  consumer.on('error', () => undefined);
  consumer.on('ready', () => ready.put(true));
  return subscription(arrived, ready, async () => {
    await consumer.close();
    await connection.close();
  });
}

await runSession(RabbitmqClient.connect, process.argv.slice(2), subscribe);
