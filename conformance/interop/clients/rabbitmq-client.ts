/** The interop session with rabbitmq-client. */
import { type Channel, Connection } from 'rabbitmq-client';
import {
  type InteropClient,
  type InteropMessage,
  runSession,
  type SessionNames,
} from './session.ts';

/** The parts of a delivered or fetched message that the session looks at. */
interface ReceivedMessage {
  readonly body: unknown;
  readonly headers?: Record<string, unknown>;
}

class RabbitmqClientClient implements InteropClient {
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
  };
  private readonly connection: Connection;
  private readonly channel: Channel;

  constructor(connection: Connection, channel: Channel) {
    this.connection = connection;
    this.channel = channel;
  }

  static async connect(url: string): Promise<RabbitmqClientClient> {
    const connection = new Connection(url);
    const channel = await connection.acquire();
    await channel.confirmSelect();
    return new RabbitmqClientClient(connection, channel);
  }

  async declare({ queue, exchange, routingKey }: SessionNames): Promise<void> {
    await this.channel.queueDeclare({ queue, durable: true });
    await this.channel.exchangeDeclare({ exchange, type: 'direct', durable: true });
    await this.channel.queueBind({ queue, exchange, routingKey });
  }

  async publish(
    { exchange, routingKey }: SessionNames,
    messages: readonly InteropMessage[],
  ): Promise<void> {
    const envelope = { exchange, routingKey, durable: true };
    await Promise.all(
      messages.map(({ body, headers }) =>
        this.channel.basicPublish({ ...envelope, headers }, body),
      ),
    );
  }

  async consume(
    { queue }: SessionNames,
    count: number,
    prefetch: number,
  ): Promise<InteropMessage[]> {
    const received: InteropMessage[] = [];
    await this.channel.basicQos({ prefetchCount: prefetch });
    let consumerTag = '';
    await new Promise<void>((resolve, reject) => {
      const consuming = this.channel.basicConsume({ queue }, (message) => {
        received.push(toInterop(message));
        this.channel.basicAck({ deliveryTag: message.deliveryTag });
        if (received.length === count) resolve();
      });
      consuming.then((reply) => {
        consumerTag = reply.consumerTag;
      }, reject);
    });
    await this.channel.basicCancel(consumerTag);
    return received;
  }

  async get({ queue }: SessionNames): Promise<InteropMessage | null> {
    const message = await this.channel.basicGet({ queue });
    if (message === undefined) return null;
    this.channel.basicAck({ deliveryTag: message.deliveryTag });
    return toInterop(message);
  }

  async publishUnroutable({ exchange }: SessionNames): Promise<number> {
    const returned = new Promise<{ replyCode: number }>((resolve) => {
      this.channel.once('basic.return', resolve);
    });
    await this.channel.basicPublish({ exchange, routingKey: 'nowhere', mandatory: true }, 'lost');
    return (await returned).replyCode;
  }

  async countReady({ queue }: SessionNames): Promise<number> {
    return (await this.channel.queueDeclare({ queue, passive: true })).messageCount;
  }

  async close({ queue, exchange }: SessionNames): Promise<void> {
    await this.channel.queueDelete(queue);
    await this.channel.exchangeDelete({ exchange });
    await this.channel.close();
    await this.connection.close();
  }
}

function toInterop({ body, headers = {} }: ReceivedMessage): InteropMessage {
  if (!Buffer.isBuffer(body)) throw new Error(`a body came as ${typeof body}`);
  return { body, headers };
}

await runSession(RabbitmqClientClient.connect, process.argv.slice(2));
