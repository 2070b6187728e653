/** The interop session with amqplib. */
import { type ChannelModel, type ConfirmChannel, connect, type Message } from 'amqplib';
import {
  type InteropClient,
  type InteropMessage,
  runSession,
  type SessionNames,
} from './session.ts';

class AmqplibClient implements InteropClient {
  readonly richHeaders: Record<string, unknown> = {
    text: 'Grüße',
    yes: true,
    no: false,
    int: -42,
    big: 2 ** 40,
    fraction: 1.5,
    nothing: null,
    bytes: Buffer.from([0, 255, 1]),
    list: [1, 'two', { three: 3 }],
    table: { inner: { deep: 'value' } },
    time: { '!': 'timestamp', value: 1_700_000_000 },
    decimal: { '!': 'decimal', value: { digits: 314, places: 2 } },
  };
  private readonly connection: ChannelModel;
  private readonly channel: ConfirmChannel;

  constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.connection = connection;
    this.channel = channel;
  }

  static async connect(url: string): Promise<AmqplibClient> {
    const connection = await connect(url);
    return new AmqplibClient(connection, await connection.createConfirmChannel());
  }

  async declare({ queue, exchange, routingKey }: SessionNames): Promise<void> {
    await this.channel.assertQueue(queue, { durable: true });
    await this.channel.assertExchange(exchange, 'direct', { durable: true });
    await this.channel.bindQueue(queue, exchange, routingKey);
  }

  async publish(
    { exchange, routingKey }: SessionNames,
    messages: readonly InteropMessage[],
  ): Promise<void> {
    for (const { body, headers } of messages) {
      this.channel.publish(exchange, routingKey, body, { headers, persistent: true });
    }
    await this.channel.waitForConfirms();
  }

  async consume(
    { queue }: SessionNames,
    count: number,
    prefetch: number,
  ): Promise<InteropMessage[]> {
    const received: InteropMessage[] = [];
    await this.channel.prefetch(prefetch);
    let consumerTag = '';
    await new Promise<void>((resolve, reject) => {
      const onMessage = (message: Message | null): void => {
        if (message === null) {
          reject(new Error('the consumer was cancelled'));
          return;
        }
        received.push(toInterop(message));
        this.channel.ack(message);
        if (received.length === count) resolve();
      };
      this.channel.consume(queue, onMessage).then((reply) => {
        consumerTag = reply.consumerTag;
      }, reject);
    });
    await this.channel.cancel(consumerTag);
    return received;
  }

  async get({ queue }: SessionNames): Promise<InteropMessage | null> {
    const message = await this.channel.get(queue);
    if (message === false) return null;
    this.channel.ack(message);
    return toInterop(message);
  }

  async publishUnroutable({ exchange }: SessionNames): Promise<number> {
    const returned = new Promise<Message>((resolve) => this.channel.once('return', resolve));
    this.channel.publish(exchange, 'nowhere', Buffer.from('lost'), { mandatory: true });
    const { fields } = await returned;
    return 'replyCode' in fields ? Number(fields.replyCode) : 0;
  }

  async countReady({ queue }: SessionNames): Promise<number> {
    return (await this.channel.checkQueue(queue)).messageCount;
  }

  async close({ queue, exchange }: SessionNames): Promise<void> {
    await this.channel.deleteQueue(queue);
    await this.channel.deleteExchange(exchange);
    await this.connection.close();
  }
}

function toInterop(message: Message): InteropMessage {
  return { body: message.content, headers: message.properties.headers ?? {} };
}

await runSession(AmqplibClient.connect, process.argv.slice(2));
