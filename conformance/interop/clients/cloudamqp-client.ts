/** The interop session with @cloudamqp/amqp-client. */
import {
  type AMQPBaseClient,
  type AMQPChannel,
  AMQPClient,
  type AMQPMessage,
  type AMQPProperties,
} from '@cloudamqp/amqp-client';
import {
  type InteropClient,
  type InteropMessage,
  runSession,
  type SessionNames,
} from './session.ts';

class CloudamqpClient implements InteropClient {
  readonly richHeaders: Record<string, unknown> = {
    text: 'Grüße',
    yes: true,
    no: false,
    int: -42,
    big: 2 ** 40,
    fraction: 1.5,
    nothing: null,
    list: [1, 'two', { three: 3 }],
    table: { inner: { deep: 'value' } },
    time: new Date(1_700_000_000_000),
  };
  private readonly connection: AMQPBaseClient;
  private readonly channel: AMQPChannel;

  constructor(connection: AMQPBaseClient, channel: AMQPChannel) {
    this.connection = connection;
    this.channel = channel;
  }

  static async connect(url: string): Promise<CloudamqpClient> {
    const connection = await new AMQPClient(url).connect();
    const channel = await connection.channel();
    await channel.confirmSelect();
    return new CloudamqpClient(connection, channel);
  }

  async declare({ queue, exchange, routingKey }: SessionNames): Promise<void> {
    await this.channel.queueDeclare(queue, { durable: true });
    await this.channel.exchangeDeclare(exchange, 'direct', { durable: true });
    await this.channel.queueBind(queue, exchange, routingKey);
  }

  async publish(
    { exchange, routingKey }: SessionNames,
    messages: readonly InteropMessage[],
  ): Promise<void> {
    const confirms = messages.map(({ body, headers }) => {
      const properties = { headers, deliveryMode: 2 } as AMQPProperties;
      return this.channel.basicPublish(exchange, routingKey, body, properties);
    });
    await Promise.all(confirms);
  }

  async consume(
    { queue }: SessionNames,
    count: number,
    prefetch: number,
  ): Promise<InteropMessage[]> {
    const received: InteropMessage[] = [];
    await this.channel.basicQos(prefetch);
    const consumer = await this.channel.basicConsume(queue, { noAck: false });
    for await (const message of consumer.messages) {
      received.push(toInterop(message));
      await message.ack();
      if (received.length === count) break;
    }
    await consumer.cancel();
    return received;
  }

  async get({ queue }: SessionNames): Promise<InteropMessage | null> {
    const message = await this.channel.basicGet(queue, { noAck: false });
    if (message === null) return null;
    await message.ack();
    return toInterop(message);
  }

  async publishUnroutable({ exchange }: SessionNames): Promise<number> {
    const returned = new Promise<AMQPMessage>((resolve) => {
      this.channel.onReturn = resolve;
    });
    await this.channel.basicPublish(exchange, 'nowhere', 'lost', {}, true);
    return (await returned).replyCode ?? 0;
  }

  async countReady({ queue }: SessionNames): Promise<number> {
    return (await this.channel.queueDeclare(queue, { passive: true })).messageCount;
  }

  async close({ queue, exchange }: SessionNames): Promise<void> {
    await this.channel.queueDelete(queue);
    await this.channel.exchangeDelete(exchange);
    await this.connection.close();
  }
}

function toInterop(message: AMQPMessage): InteropMessage {
  const headers: Record<string, unknown> = message.properties.headers ?? {};
  return { body: Buffer.from(message.body ?? []), headers };
}

await runSession(CloudamqpClient.connect, process.argv.slice(2));
