/** The interop session with amqplib. */
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type GetMessage,
  type Message,
} from 'amqplib';
import type {
  ConnectOptions,
  InteropClient,
  InteropConsumer,
  InteropDelivery,
  InteropMessage,
  InteropProperties,
  InteropTransaction,
  QueueOptions,
  QueueState,
} from './interop-client.ts';
import { runSession } from './session.ts';
import { WaitingLine } from './waiting-line.ts';

class AmqplibClient implements InteropClient {
  readonly richHeaders: Record<string, unknown> = {
    text: 'Grüße',
    yes: true,
    no: false,
    byte: -42,
    short: -4242,
    int: -424_242,
    long: 2 ** 40,
    int8: { '!': 'int8', value: -8 },
    uint8: { '!': 'uint8', value: 250 },
    int16: { '!': 'int16', value: -1600 },
    uint16: { '!': 'uint16', value: 65_000 },
    int32: { '!': 'int32', value: -7 },
    uint32: { '!': 'uint32', value: 4_000_000_000 },
    int64: { '!': 'int64', value: 64 },
    fraction: 1.5,
    nothing: null,
    bytes: Buffer.from([0, 255, 1]),
    list: [1, 'two', { three: 3 }, [null]],
    table: { inner: { deep: 'value' } },
    time: { '!': 'timestamp', value: 1_700_000_000 },
    decimal: { '!': 'decimal', value: { digits: 314, places: 2 } },
    float: { '!': 'float', value: 0.25 },
  };
  readonly readAs: Record<string, unknown> = {
    int8: -8,
    uint8: 250,
    int16: -1600,
    uint16: 65_000,
    int32: -7,
    uint32: 4_000_000_000,
    int64: 64,
    float: 0.25,
  };
  readonly reconnected = null;
  private readonly connection: ChannelModel;
  private readonly channel: ConfirmChannel;

  constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.connection = connection;
    this.channel = channel;
    // What ends them is told by what is refused afterwards.
    connection.on('error', () => undefined);
    channel.on('error', () => undefined);
  }

  static async connect(url: string, { heartbeatS }: ConnectOptions): Promise<AmqplibClient> {
    const query = heartbeatS === undefined ? '' : `?heartbeat=${heartbeatS}`;
    // Without noDelay every get would wait 40 ms for the kernel to acknowledge the ack before it.
    const connection = await connect(`${url}${query}`, { noDelay: true });
    return new AmqplibClient(connection, await connection.createConfirmChannel());
  }

  declareQueue(options: QueueOptions): Promise<QueueState> {
    return declareOn(this.channel, options);
  }

  async refusalOf(options: QueueOptions): Promise<number> {
    const channel = await this.connection.createChannel();
    channel.on('error', () => undefined);
    try {
      await declareOn(channel, options);
      return 0;
    } catch (error) {
      return error instanceof Error && 'code' in error ? Number(error.code) : -1;
    }
  }

  async declareExchange(exchange: string, type: string): Promise<void> {
    await this.channel.assertExchange(exchange, type, { durable: true });
  }

  async bindQueue(queue: string, exchange: string, key: string): Promise<void> {
    await this.channel.bindQueue(queue, exchange, key);
  }

  async bindExchange(destination: string, source: string, key: string): Promise<void> {
    await this.channel.bindExchange(destination, source, key);
  }

  async unbindExchange(destination: string, source: string, key: string): Promise<void> {
    await this.channel.unbindExchange(destination, source, key);
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.channel.deleteQueue(queue);
  }

  async deleteExchange(exchange: string): Promise<void> {
    await this.channel.deleteExchange(exchange);
  }

  publish(
    exchange: string,
    key: string,
    { body, headers, properties }: InteropMessage,
  ): Promise<void> {
    const options = { ...properties, headers, persistent: true };
    return new Promise((resolve, reject) => {
      this.channel.publish(exchange, key, body, options, (error: unknown) => {
        if (error === null) resolve();
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  async publishUnroutable(exchange: string, key: string, body: Buffer): Promise<number> {
    const returned = new Promise<Message>((resolve) => this.channel.once('return', resolve));
    this.channel.publish(exchange, key, body, { mandatory: true });
    const { fields } = await returned;
    return 'replyCode' in fields ? Number(fields.replyCode) : 0;
  }

  async consume(queue: string, prefetch: number): Promise<InteropConsumer> {
    const arrived = new WaitingLine<InteropDelivery>();
    let onCancelled = (): void => undefined;
    const cancelled = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    await this.channel.prefetch(prefetch);
    const onMessage = (message: Message | null): void => {
      if (message === null) onCancelled();
      else arrived.put(this.delivery(message));
    };
    const { consumerTag } = await this.channel.consume(queue, onMessage, {
      noAck: prefetch === 0,
    });
    return {
      next: () => arrived.take(),
      cancel: async () => {
        await this.channel.cancel(consumerTag);
      },
      cancelled,
    };
  }

  async get(queue: string): Promise<InteropDelivery | null> {
    const message = await this.channel.get(queue);
    return message === false ? null : this.delivery(message);
  }

  async recover(): Promise<void> {
    await this.channel.recover();
  }

  async transaction(): Promise<InteropTransaction> {
    throw new Error('amqplib has no transactions');
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private delivery(message: Message | GetMessage): InteropDelivery {
    const { headers = {}, ...properties } = message.properties;
    return {
      body: message.content,
      headers,
      properties: withoutMode(properties),
      redelivered: message.fields.redelivered,
      ack: (multiple = false) => this.channel.ack(message, multiple),
      requeue: () => this.channel.nack(message, false, true),
      reject: () => this.channel.reject(message, false),
    };
  }
}

async function declareOn(
  channel: Channel,
  { queue, passive, ...options }: QueueOptions,
): Promise<QueueState> {
  const reply = passive
    ? await channel.checkQueue(queue)
    : await channel.assertQueue(queue, { durable: false, ...options });
  return { queue: reply.queue, messageCount: reply.messageCount };
}

/** The delivery mode is the same for all, and the cluster id is of no version of AMQP. */
function withoutMode(properties: object): InteropProperties {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => name !== 'deliveryMode' && name !== 'clusterId'),
  );
}

await runSession(AmqplibClient.connect, process.argv.slice(2));
